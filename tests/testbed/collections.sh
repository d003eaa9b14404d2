#!/usr/bin/env bash
# Fills .collections with what requirements.yml names, from Galaxy, or, where Galaxy can't be
# reached, from the Python package `ansible` (only these collections of it); and links the
# checkout there under its full name.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

venv=$root/.venv
target=$root/.collections
log=$build/logs/collections.log

ansible_package_for_core() {
    case $("$venv/bin/python" -c 'import ansible.release as r; print(r.__version__.rpartition(".")[0])') in
    2.19) echo 12.3.0 ;;
    *) echo 14.5.0 ;;
    esac
}

link_checkout() {
    mkdir -p "$target/ansible_collections/slipway"
    ln -sfn ../../.. "$target/ansible_collections/slipway/stack"
}

from_galaxy() {
    "$venv/bin/ansible-galaxy" collection install --timeout 20 \
        -r "$root/requirements.yml" -p "$target"
}

from_python_package() {
    "$venv/bin/python" "$testbed/unpack_collections.py" "$root/requirements.yml" "$1" "$target" &&
        # What is too old for requirements.yml is found out now, not in the middle of a play.
        ANSIBLE_COLLECTIONS_PATH=$target \
            "$venv/bin/ansible-galaxy" collection install --offline -r "$root/requirements.yml" -p "$target"
}

fetch() {
    local download
    say "installing collections"
    if from_galaxy >"$log" 2>&1; then return; fi
    download=$(mktemp -d "${TMPDIR:-/tmp}/slipway-collections.XXXXXX")
    # shellcheck disable=SC2064  # the directory of now
    trap "rm -rf '$download'" EXIT
    {
        "$venv/bin/python" -m pip download -q --disable-pip-version-check --no-deps --ignore-requires-python \
            --only-binary=:all: --python-version 3.12 -d "$download" "ansible==$(ansible_package_for_core)" &&
            from_python_package "$download"
    } >>"$log" 2>&1 || {
        tail -n 5 "$log" >&2
        die "the collections came neither from Galaxy nor from the Python package index; the log is $log"
    }
}

link_checkout
wanted=$(cat "$root/requirements.yml" <(ansible_package_for_core) | sha256sum)
if [ "$(cat "$target/.wanted" 2>/dev/null)" != "$wanted" ]; then
    exclusively collections fetch
    echo "$wanted" >"$target/.wanted"
fi
