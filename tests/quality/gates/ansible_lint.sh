#!/usr/bin/env bash
set -euo pipefail
. "$(dirname "$0")/../lib.sh"

venv=$(development_venv)

lint() {
    PATH=$venv/bin:$PATH ansible-lint --offline --nocolor -q
}

gate ansible-lint lint
