#!/usr/bin/env bash
set -euo pipefail
. "$(dirname "$0")/../lib.sh"

venv=$(development_venv)
gate conventions "$venv/bin/python" tests/quality/check_conventions.py .
