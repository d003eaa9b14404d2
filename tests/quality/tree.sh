#!/usr/bin/env bash
# tree.sh DIR [EXCEPT...]: copies what git would commit of the working tree to
# DIR/ansible_collections/slipway/stack, where ansible-test wants a collection to lie, and prints that path.
# What ansible-test left there is kept.
set -euo pipefail

root=$(cd "$(dirname "$0")/../.." && pwd)
tree=$1/ansible_collections/slipway/stack
shift
mkdir -p "$tree"
find "$tree" -mindepth 1 -maxdepth 1 ! -name tests ! -name .git -exec rm -rf {} +
find "$tree/tests" -mindepth 1 -maxdepth 1 ! -name output -exec rm -rf {} + 2>/dev/null || true
git -C "$root" ls-files -z --cached --others --exclude-standard -- . "${@/#/:!}" |
    (cd "$root" && tar --null --verbatim-files-from --ignore-failed-read -T - -c) 2>/dev/null | tar -x -C "$tree"
# Without a repository of its own, ansible-test asks the one around it, which ignores the build directory.
if ! [ -d "$tree/.git" ]; then
    git -C "$tree" init -q
    echo /tests/output/ >"$tree/.git/info/exclude"
fi
echo "$tree"
