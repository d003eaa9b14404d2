#!/usr/bin/env bash
# The tests of this project's own checks.
set -euo pipefail
. "$(dirname "$0")/../lib.sh"

venv=$(development_venv)
gate checks "$venv/bin/pytest" -q tests/quality
