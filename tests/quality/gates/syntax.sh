#!/usr/bin/env bash
# syntax.sh [2.19|2.21]...: every playbook parses, by its path and by the name that a consumer uses.
set -euo pipefail
. "$(dirname "$0")/../lib.sh"

syntax() {
    local venv=$1 playbook names=()
    for playbook in playbooks/*.yml; do
        names+=("$playbook" "slipway.stack.$(basename "$playbook" .yml)")
    done
    "$venv/bin/ansible-playbook" --syntax-check -i localhost, "${names[@]}"
}

for_each_core syntax "$@"
