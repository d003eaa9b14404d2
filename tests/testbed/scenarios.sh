#!/usr/bin/env bash
# scenarios.sh [SCENARIO...]: tests scenarios two at a time (JOBS=n for another number), all of
# them unless named; one line for each, and the end of the log of one that fails. One that takes longer
# than MINUTES (45) is ended: it hangs, and would take the time of all the others. With BEGIN_BY (seconds since
# 1970), those that haven't begun by then are left out, and a line says so for each.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

results=$build/scenarios.txt

test_one() {
    local scenario=$1 log=$build/logs/molecule-$1${DEBIAN:+-$DEBIAN}.log started=$SECONDS
    if [ "${BEGIN_BY:-0}" != 0 ] && [ "$EPOCHSECONDS" -ge "$BEGIN_BY" ]; then
        printf 'skip  %-22s there was no time for it: make molecule SCENARIO=%s\n' "$scenario" "$scenario"
        return
    fi
    if timeout --kill-after=60 "${MINUTES:-45}m" "$testbed/molecule.sh" "$scenario" test >"$log" 2>&1; then
        printf 'ok    %-22s %4d s\n' "$scenario" "$((SECONDS - started))"
    else
        # The next scenario gets the memory; the log and `molecule.sh NAME converge` are what is left to look at.
        "$testbed/molecule.sh" "$scenario" destroy >>"$log.destroy" 2>&1 || true
        [ $((SECONDS - started)) -lt $((${MINUTES:-45} * 60)) ] || echo "ended after ${MINUTES:-45} minutes" >>"$log"
        printf -- '--- %s\n%s\nFAIL  %-22s %4d s   log: %s\n' \
            "$scenario" "$(tail -n "${TAIL:-60}" "$log")" "$scenario" "$((SECONDS - started))" "${log#"$root"/}"
    fi
}

if [ "${1:-}" = --one ]; then
    test_one "$2"
    exit
fi

cd "$root/molecule"
# molecule/soak.txt names those that `make test` leaves out, and why.
if [ $# = 0 ]; then
    mapfile -t all < <(grep -v '^#' order.txt)
    missing=$(printf '%s\n' */molecule.yml | sed 's#/molecule.yml##' | grep -vxF -f <(printf '%s\n' "${all[@]}" && sed -n 's/:.*//p' soak.txt) || true)
    [ -z "$missing" ] || die "neither molecule/order.txt nor molecule/soak.txt names $missing"
    set -- "${all[@]}"
fi
started=$SECONDS
printf '%s\n' "$@" | xargs -P "${JOBS:-2}" -I{} "$testbed/scenarios.sh" --one {} | tee "$results"

passed=$(grep -c '^ok ' "$results" || true)
failed=$(grep -c '^FAIL ' "$results" || true)
skipped=$(grep -c '^skip ' "$results" || true)
echo "scenarios: $passed passed, $failed failed, $skipped skipped in $((SECONDS - started)) s"
[ "$failed" = 0 ]
