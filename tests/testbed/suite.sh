#!/usr/bin/env bash
# What `make test` holds, one stage after the other; a failing stage doesn't hide the
# ones after it. The last line counts unit tests, quality gates and scenarios together. On a machine too slow for all of it
# in time, scenarios that haven't begun after TEST_MINUTES (60) are left out: it says which, and counts them as skipped.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

passed=0
failed=0
skipped=0

count() {
    passed=$((passed + $1))
    failed=$((failed + $2))
}

# stage NAME COMMAND...: shows its output, keeps it in a log and tells its seconds.
stage() {
    local name=$1 started=$SECONDS status=0
    shift
    say "$name"
    "$@" 2>&1 | tee "$build/logs/stage-$name.log" || status=$?
    say "$name took $((SECONDS - started)) s"
    return "$status"
}

numbers_of() { grep -oE '[0-9]+ passed, [0-9]+ failed' "$build/logs/stage-$1.log" | tail -n 1 | tr -dc '0-9 '; }

# A stage that died before it could count is one failure.
counted_stage() {
    local name=$1 status=0 numbers
    stage "$@" || status=$?
    read -ra numbers < <(numbers_of "$name") || true
    if [ ${#numbers[@]} = 2 ]; then
        count "${numbers[0]}" "${numbers[1]}"
        if [ "$status" != 0 ] && [ "${numbers[1]}" = 0 ]; then count 0 1; fi
    else
        count 0 1
    fi
}

unit_stage() {
    local numbers
    rm -f "$build/unit.xml"
    # ansible-test has run those of the collection's plugins, with every ansible-core.
    stage unit "$testbed/unit.sh" tests/load tests/unit/inventories tests/unit/roles || true
    if [ -s "$build/unit.xml" ] && numbers=$(python3 - "$build/unit.xml" <<'EOF'
import sys
import xml.etree.ElementTree as tree

suite = tree.parse(sys.argv[1]).find("testsuite")
total, bad = int(suite.get("tests")), int(suite.get("failures")) + int(suite.get("errors"))
print(total - bad - int(suite.get("skipped")), bad)
EOF
    ); then
        # shellcheck disable=SC2086  # two numbers
        count $numbers
    else
        count 0 1
    fi
}

prepare() {
    "$testbed/setup.sh" && "$testbed/engine.sh" && "$testbed/images.sh" && "$testbed/cache.sh"
}

started=$SECONDS
export BEGIN_BY=$((EPOCHSECONDS + ${TEST_MINUTES:-60} * 60))
stage prepare prepare || die "the test bed could not be prepared, so nothing was tested"
if [ -x "$root/tests/quality/run.sh" ]; then counted_stage quality "$root/tests/quality/run.sh"; fi
unit_stage
counted_stage scenarios "$testbed/scenarios.sh"
skipped=$(grep -c '^skip ' "$build/logs/stage-scenarios.log" || true)

echo "took $((SECONDS - started)) s"
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
