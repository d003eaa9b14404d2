#!/usr/bin/env bash
# units.sh [2.19|2.21]...
set -euo pipefail
. "$(dirname "$0")/../lib.sh"
. "$root/tests/quality/ansible_test.sh"

# ansible-test gives modules only what they find on a host; while one works on a test, pytest alone is faster.
units() { ansible_test "$1" "$2" units; }

for_each_core units "$@"
