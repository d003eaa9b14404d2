#!/usr/bin/env bash
# scenarios.sh [SCENARIO...]: tests scenarios two at a time (JOBS=n for another number), all of
# them unless named; one line for each, and the end of the log of one that fails. A scenario that fails is tried once
# more (RETRIES=0: not).
set -euo pipefail
. "$(dirname "$0")/lib.sh"

results=$build/scenarios.txt

# One more try tells a fault of the code from one of the network; what it hides is said on the scenario's line.
attempt() {
    local scenario=$1 log=$2
    "$testbed/molecule.sh" "$scenario" test >"$log" 2>&1 && return
    [ "${RETRIES:-1}" = 0 ] && return 1
    mv "$log" "${log%.log}.first-try.log"
    "$testbed/molecule.sh" "$scenario" destroy >>"$log.destroy" 2>&1 || true
    "$testbed/molecule.sh" "$scenario" test >"$log" 2>&1
}

test_one() {
    local scenario=$1 log=$build/logs/molecule-$1.log started=$SECONDS again=
    rm -f "${log%.log}.first-try.log"
    if attempt "$scenario" "$log"; then
        [ -e "${log%.log}.first-try.log" ] && again=" on the second try: see ${log#"$root"/}"
        echo $((SECONDS - started)) >"${log%.log}.seconds"
        printf 'ok    %-22s %4d s%s\n' "$scenario" "$((SECONDS - started))" "$again"
    else
        # The next scenario gets the memory; the log and `molecule.sh NAME converge` are what is left to look at.
        "$testbed/molecule.sh" "$scenario" destroy >>"$log.destroy" 2>&1 || true
        printf -- '--- %s\n%s\nFAIL  %-22s %4d s   log: %s\n' \
            "$scenario" "$(tail -n "${TAIL:-60}" "$log")" "$scenario" "$((SECONDS - started))" "${log#"$root"/}"
    fi
}

if [ "${1:-}" = --one ]; then
    test_one "$2"
    exit
fi

# The slowest first, so that no core idles at the end: by the seconds of the last run here, and,
# where there was none, by the number of hosts.
slowest_first() {
    local scenario seconds
    for scenario in "$@"; do
        seconds=$(cat "$build/logs/molecule-$scenario.seconds" 2>/dev/null ||
            echo $((60 * $(grep -c -- '- name:' "$root/molecule/$scenario/molecule.yml"))))
        echo "$seconds $scenario"
    done | sort -rn | cut -d' ' -f2
}

cd "$root/molecule"
# molecule/pending.txt names those that `make test` leaves out, and why.
if [ $# = 0 ]; then
    mapfile -t pending < <(sed -n 's#^\([a-z0-9_]*\):.*#\1/molecule.yml#p' pending.txt)
    for file in */molecule.yml; do
        [[ " ${pending[*]} " == *" $file "* ]] || set -- "$@" "$file"
    done
fi
started=$SECONDS
slowest_first "${@%/molecule.yml}" | xargs -P "${JOBS:-2}" -I{} "$testbed/scenarios.sh" --one {} | tee "$results"

passed=$(grep -c '^ok ' "$results" || true)
failed=$(grep -c '^FAIL ' "$results" || true)
echo "scenarios: $passed passed, $failed failed in $((SECONDS - started)) s"
[ "$failed" = 0 ]
