#!/usr/bin/env bash
# venv.sh DIR PYTHON GROUP...: a virtual environment with these dependency groups of pyproject.toml,
# brought up to date when the groups change.
set -euo pipefail

pip_version=25.3
root=$(cd "$(dirname "$0")/../.." && pwd)
venv=$1 python=$2
shift 2

groups=()
for group in "$@"; do groups+=(--group "$root/pyproject.toml:$group"); done

wanted=$({
    echo "$pip_version $*"
    "$python" --version
    sed -n '/^\[dependency-groups\]/,/^\[tool/p' "$root/pyproject.toml"
} | sha256sum)
if [ "$(cat "$venv/.groups" 2>/dev/null)" = "$wanted" ]; then exit 0; fi

echo "making $venv ($("$python" --version))"
[ "$("$venv/bin/python" --version 2>&1)" = "$("$python" --version)" ] || "$python" -m venv --clear "$venv"
# The pip that Debian 12 puts into an environment doesn't know dependency groups.
"$venv/bin/python" -m pip install -qq --disable-pip-version-check "pip==$pip_version"
"$venv/bin/python" -m pip install -qq --disable-pip-version-check "${groups[@]}"
echo "$wanted" >"$venv/.groups"
