#!/usr/bin/env bash
# fix.sh [PATH...]: lets ruff mend what it can mend by itself.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

bin=$(development_venv)/bin
"$bin/ruff" check --fix --exit-zero --output-format concise "${@:-.}"
"$bin/ruff" format "${@:-.}"
