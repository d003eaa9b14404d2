# shellcheck shell=bash
# Sourced, after lib.sh, by the gates that run ansible-test: in a copy of the tree, in environments that it makes by itself.

# ansible-test loads pip's bootstrap script from a host of its own that many networks close off.
# The same pip from the package index does the same: a wheel can install itself.
provide_pip() {
    local python=$1 cache=$2 version
    version=$("$python" - <<'PYTHON'
from types import SimpleNamespace
import sys

from ansible_test._internal.python_requirements import get_venv_packages

print(get_venv_packages(SimpleNamespace(version="%d.%d" % sys.version_info[:2]))["pip"])
PYTHON
    )
    mkdir -p "$cache"
    [ -e "$cache/pip-$version-py3-none-any.whl" ] ||
        "$python" -m pip download -q --disable-pip-version-check --no-deps -d "$cache" "pip==$version"
    cat >"$cache/get_pip_${version//./_}.py" <<PYTHON
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).with_name("pip-$version-py3-none-any.whl")))
from pip._internal.cli.main import main

only_for_get_pip = {"--no-setuptools", "--no-wheel"}
sys.exit(main(["install", *(argument for argument in sys.argv[1:] if argument not in only_for_get_pip)]))
PYTHON
}

# ansible-test hides PIP_* variables and, with a home of its own, the user's pip.conf from its pip.
keep_pip_settings() {
    local python=$1 home=$2
    mkdir -p "$home/.config/pip"
    {
        echo '[global]'
        "$python" -m pip config list | sort |
            sed -nE "s/^(:env:|global|install)\.([a-z-]+)='(.*)'$/\2 = \3/p" | awk '!seen[$1]++'
    } >"$home/.config/pip/pip.conf"
}

# ansible_test VENV CORE COMMAND...
ansible_test() {
    local venv=$1 core=$2 tree home minor
    shift 2
    home=${XDG_CACHE_HOME:-$HOME/.cache}/slipway-stack/ansible-test-$core
    minor=$("$venv/bin/python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    provide_pip "$venv/bin/python" "$home/.ansible/test/cache"
    keep_pip_settings "$venv/bin/python" "$home"
    # The applications and the scenarios are no collection content: ruff and ansible-lint read them.
    # shellcheck disable=SC2154  # root comes from lib.sh
    tree=$("$root/tests/quality/tree.sh" "$root/build/ansible-test/$core-$1" examples molecule)
    cd "$tree" || return
    HOME=$home PATH=$venv/bin:$PATH LC_ALL=C.UTF-8 ansible-test "$@" --venv --python "$minor" --color no
}
