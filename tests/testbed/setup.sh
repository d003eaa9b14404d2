#!/usr/bin/env bash
# Makes .venv from pyproject.toml and .collections from requirements.yml, and brings them up to
# date when these files change. PYTHON chooses the interpreter.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

is_new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }
makes_environments() { "$1" -c 'import ensurepip, venv' 2>/dev/null; }

# Debian's own is optimized by profiles, which one that was compiled by hand mostly isn't, and Ansible is all Python.
python=${PYTHON:-/usr/bin/python3}
[ -n "${PYTHON:-}" ] || { is_new_enough "$python" && makes_environments "$python"; } || python=python3

have "$python" || install_packages "setup" python3 python3-venv
is_new_enough "$python" ||
    die "setup needs Python 3.11 or newer, and $python is $("$python" --version 2>&1): name another by PYTHON=…"
makes_environments "$python" || install_packages "a virtual environment" python3-venv

exclusively venv "$root/tests/quality/venv.sh" "$root/.venv" "$python" dev
"$testbed/collections.sh"
say "ansible-core $("$root/.venv/bin/python" -c 'import ansible.release as r; print(r.__version__)') is ready in .venv"
