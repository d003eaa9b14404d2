#!/usr/bin/env bash
set -euo pipefail
. "$(dirname "$0")/../lib.sh"

venv=$(development_venv)
gate argument-specs "$venv/bin/python" tests/quality/check_argument_specs.py roles
