#!/usr/bin/env bash
# run.sh [GATE...]: the quality gates, two at a time; each prints one line or its findings.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

# Long ones first, so that the short ones fill the gaps.
all=(
    "sanity 2.21" "sanity 2.19" ansible_lint galaxy_importer "units 2.19" "units 2.21" "syntax 2.19" "syntax 2.21"
    mypy checks tarball yamllint ruff changelog argument_specs conventions
)
[ $# -eq 0 ] || all=("$@")

# What several gates need is made before they run side by side.
"$root/tests/testbed/setup.sh"
venv=$(development_venv)
if ! core_venv 2.21 >/dev/null; then
    echo "only with ansible-core $(core_of "$venv"): no Python 3.12 or newer found"
fi

start=$SECONDS
report=$quality/report.txt
status=0
printf '%s\n' "${all[@]}" | sed -E 's/^[a-z_]+/&.sh/' | (cd "$root/tests/quality/gates" && xargs -P2 -L1 bash) | tee "$report" || status=1

passed=$(grep -c '^ok ' "$report" || true)
failed=$(grep -c '^FAIL ' "$report" || true)
printf 'quality: %s passed, %s failed\n' "$passed" "$failed"
printf 'took %ss\n' "$((SECONDS - start))"
exit "$status"
