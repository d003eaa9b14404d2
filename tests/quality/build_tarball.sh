#!/usr/bin/env bash
# build_tarball.sh [COLLECTIONS_PATH]: builds the collection into build/ and prints the tarball's path. With a path,
# installs it there, with the dependencies that the checkout has: no network is needed.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

bin=$(development_venv)/bin

build() {
    local tree out=$root/build/tarball
    tree=$("$root/tests/quality/tree.sh" "$out/tree")
    rm -f "$out"/*.tar.gz
    "$bin/ansible-galaxy" collection build "$tree" --output-path "$out" --force >&2
    mv "$out"/slipway-stack-*.tar.gz "$root/build/"
}

exclusively tarball build
version=$(sed -n 's/^version: *//p' galaxy.yml)
tarball=$root/build/slipway-stack-$version.tar.gz
echo "$tarball"

if [ $# -gt 0 ]; then
    path=$1
    mkdir -p "$path/ansible_collections"
    for namespace in "$root"/.collections/ansible_collections/*/; do
        [ "$(basename "$namespace")" = slipway ] || cp -R "$namespace" "$path/ansible_collections/"
    done
    ANSIBLE_COLLECTIONS_PATH=$path "$bin/ansible-galaxy" collection install "$tarball" \
        --offline --collections-path "$path" --force >&2
fi
