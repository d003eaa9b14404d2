#!/usr/bin/env bash
set -euo pipefail
. "$(dirname "$0")/../lib.sh"

venv=$(development_venv)

types() {
    "$venv/bin/mypy" -p ansible_collections.slipway.stack.plugins
    "$venv/bin/mypy" tests/quality
}

gate mypy types
