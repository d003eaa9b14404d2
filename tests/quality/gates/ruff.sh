#!/usr/bin/env bash
set -euo pipefail
. "$(dirname "$0")/../lib.sh"

venv=$(development_venv)

style() {
    "$venv/bin/ruff" check --output-format concise
    "$venv/bin/ruff" format --check --diff
}

gate ruff style
