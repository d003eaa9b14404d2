#!/usr/bin/env bash
# The built tarball installs into an empty collections path, and holds what a consumer needs and nothing else.
set -euo pipefail
. "$(dirname "$0")/../lib.sh"

allowed='CHANGELOG.md|FILES.json|LICENSE|MANIFEST.json|README.md|changelogs|meta|playbooks|plugins|roles'

tarball() {
    local path built others
    path=$quality/installed
    rm -rf "$path"
    built=$("$root/tests/quality/build_tarball.sh" "$path" 2>"$quality/build_tarball.log") || {
        cat "$quality/build_tarball.log"
        return 1
    }
    others=$(tar -tzf "$built" | cut -d/ -f1 | sort -u | grep -vxE "$allowed" || true)
    if [ -n "$others" ]; then
        echo "galaxy.yml's build_ignore lets these into the tarball:" "$others"
        return 1
    fi
    local needed
    for needed in MANIFEST.json LICENSE README.md meta/runtime.yml playbooks/site.yml \
        playbooks/group_vars/all/wiring.yml plugins roles; do
        if ! [ -e "$path/ansible_collections/slipway/stack/$needed" ]; then
            echo "not installed from the tarball: $needed"
            return 1
        fi
    done
}

gate tarball tarball
