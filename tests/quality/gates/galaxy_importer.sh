#!/usr/bin/env bash
# What Galaxy says when the built tarball is uploaded.
set -euo pipefail
. "$(dirname "$0")/../lib.sh"

venv=$root/.venvs/galaxy

importer() {
    local tarball
    exclusively galaxy "$root/tests/quality/venv.sh" "$venv" "$(development_venv)/bin/python" galaxy
    # Beside its dependencies, so that a module of theirs isn't taken for a misspelling.
    tarball=$("$root/tests/quality/build_tarball.sh" "$quality/importer-collections")
    cd "$quality"
    # It fails on little; what it warns of is what a reader of the collection's page would see.
    PATH=$venv/bin:$PATH GALAXY_IMPORTER_CONFIG=$root/.config/galaxy-importer.cfg \
        ANSIBLE_COLLECTIONS_PATH=$quality/importer-collections \
        python -m galaxy_importer.main "$tarball" 2>&1 | tee importer.log
    if grep -E '^(WARNING|ERROR)' importer.log; then return 1; fi
}

gate galaxy-importer importer
