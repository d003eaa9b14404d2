#!/usr/bin/env bash
# units.sh [2.19|2.21]...
set -euo pipefail
. "$(dirname "$0")/../lib.sh"

units() { "$1/bin/pytest" -q tests/unit; }

for_each_core units "$@"
