#!/usr/bin/env bash
# unit.sh [PATH...]: the unit tests, or those below the paths, with the controller's Python.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

cd "$root"
[ -x .venv/bin/pytest ] || die "the development environment isn't there yet: run 'make setup' first."
export PATH=$root/.venv/bin:$PATH ANSIBLE_COLLECTIONS_PATH=$root/.collections
[ $# -gt 0 ] || set -- tests/unit tests/load
exec pytest -q --junit-xml "$build/unit.xml" "$@"
