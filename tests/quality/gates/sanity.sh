#!/usr/bin/env bash
# sanity.sh [2.19|2.21]...
set -euo pipefail
. "$(dirname "$0")/../lib.sh"
. "$root/tests/quality/ansible_test.sh"

sanity() {
    local all=$quality/ansible-test-$2.log
    ansible_test "$1" "$2" sanity >"$all" 2>&1 &
    wait $! || {
        # The rest tells which packages were installed.
        grep -E '^(ERROR|FATAL: The)' "$all" || cat "$all"
        return 1
    }
}

for_each_core sanity "$@"
