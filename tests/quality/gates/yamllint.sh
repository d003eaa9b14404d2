#!/usr/bin/env bash
set -euo pipefail
. "$(dirname "$0")/../lib.sh"

venv=$(development_venv)
gate yamllint "$venv/bin/yamllint" --strict .
