#!/usr/bin/env bash
# scenarios.sh [SCENARIO...]: tests scenarios two at a time (JOBS=n for another number), all of
# them unless named; one line for each, and the end of the log of one that fails. One that takes longer
# than MINUTES (25) is ended: it hangs, and would take the time of all the others.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

results=$build/scenarios.txt

test_one() {
    local scenario=$1 log=$build/logs/molecule-$1.log started=$SECONDS
    if timeout --kill-after=60 "${MINUTES:-25}m" "$testbed/molecule.sh" "$scenario" test >"$log" 2>&1; then
        echo $((SECONDS - started)) >"${log%.log}.seconds"
        printf 'ok    %-22s %4d s\n' "$scenario" "$((SECONDS - started))"
    else
        # The next scenario gets the memory; the log and `molecule.sh NAME converge` are what is left to look at.
        "$testbed/molecule.sh" "$scenario" destroy >>"$log.destroy" 2>&1 || true
        [ $((SECONDS - started)) -lt $((${MINUTES:-25} * 60)) ] || echo "ended after ${MINUTES:-25} minutes" >>"$log"
        printf -- '--- %s\n%s\nFAIL  %-22s %4d s   log: %s\n' \
            "$scenario" "$(tail -n "${TAIL:-60}" "$log")" "$scenario" "$((SECONDS - started))" "${log#"$root"/}"
    fi
}

if [ "${1:-}" = --one ]; then
    test_one "$2"
    exit
fi

# The slowest first, so that no core idles at the end: by the seconds of the last run here, or else by
# those of molecule/seconds.txt.
slowest_first() {
    local scenario seconds
    for scenario in "$@"; do
        seconds=$(cat "$build/logs/molecule-$scenario.seconds" 2>/dev/null ||
            awk -v name="$scenario" '$1 == name { print $2 }' "$root/molecule/seconds.txt")
        echo "${seconds:-300} $scenario"
    done | sort -rn | cut -d' ' -f2
}

cd "$root/molecule"
# molecule/soak.txt names those that `make test` leaves out, and why.
if [ $# = 0 ]; then
    for file in */molecule.yml; do
        grep -q "^${file%/molecule.yml}:" soak.txt || set -- "$@" "$file"
    done
fi
started=$SECONDS
slowest_first "${@%/molecule.yml}" | xargs -P "${JOBS:-2}" -I{} "$testbed/scenarios.sh" --one {} | tee "$results"

passed=$(grep -c '^ok ' "$results" || true)
failed=$(grep -c '^FAIL ' "$results" || true)
echo "scenarios: $passed passed, $failed failed in $((SECONDS - started)) s"
[ "$failed" = 0 ]
