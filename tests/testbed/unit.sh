#!/usr/bin/env bash
# unit.sh [PYTEST-OPTION...]: the unit tests, with the controller's Python.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

cd "$root"
[ -x .venv/bin/pytest ] || die "the development environment isn't there yet: run 'make setup' first."
export PATH=$root/.venv/bin:$PATH ANSIBLE_COLLECTIONS_PATH=$root/.collections
exec pytest -q tests/unit tests/load --junit-xml "$build/unit.xml" "$@"
