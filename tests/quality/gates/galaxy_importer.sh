#!/usr/bin/env bash
# What Galaxy says when the built tarball is uploaded.
set -euo pipefail
. "$(dirname "$0")/../lib.sh"

venv=$root/.venvs/galaxy

importer() {
    local tarball
    exclusively galaxy "$root/tests/quality/venv.sh" "$venv" "$(development_venv)/bin/python" galaxy
    tarball=$("$root/tests/quality/build_tarball.sh")
    cd "$quality"
    # It fails on little; what it warns of is what a reader of the collection's page would see.
    PATH=$venv/bin:$PATH GALAXY_IMPORTER_CONFIG=$root/.config/galaxy-importer.cfg \
        python -m galaxy_importer.main "$tarball" 2>&1 | tee importer.log
    if grep -E '^(WARNING|ERROR)' importer.log; then return 1; fi
}

gate galaxy-importer importer
