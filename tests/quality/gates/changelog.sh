#!/usr/bin/env bash
set -euo pipefail
. "$(dirname "$0")/../lib.sh"

venv=$(development_venv)

changelog() {
    PATH=$venv/bin:$PATH antsibull-changelog lint
    PATH=$venv/bin:$PATH antsibull-changelog lint-changelog-yaml changelogs/changelog.yaml
}

gate changelog changelog
