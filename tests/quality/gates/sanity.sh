#!/usr/bin/env bash
# sanity.sh [2.19|2.21]...
set -euo pipefail
. "$(dirname "$0")/../lib.sh"
. "$root/tests/quality/ansible_test.sh"

sanity() { ansible_test "$1" "$2" sanity; }

for_each_core sanity "$@"
