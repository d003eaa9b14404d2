# shellcheck shell=bash
# Sourced by run.sh and by every gate.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
quality=$root/build/quality
mkdir -p "$quality"
cd "$root" || exit

export ANSIBLE_COLLECTIONS_PATH=$root/.collections
export ANSIBLE_HOME=$root/.cache/ansible
export ANSIBLE_LOCALHOST_WARNING=false ANSIBLE_NOCOLOR=1 NO_COLOR=1 PYTHONDONTWRITEBYTECODE=1

die() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

# gate NAME COMMAND...: one line when it passes, its findings when it doesn't.
gate() {
    local name=$1 log seconds start=$EPOCHREALTIME status=0
    shift
    log=$quality/${name// /-}.log
    # In the background, since bash ignores `set -e` in whatever stands left of a `||`.
    (
        set -euo pipefail
        "$@"
    ) >"$log" 2>&1 </dev/null &
    wait $! || status=$?
    seconds=$(LC_ALL=C awk -v a="$start" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.1f", b - a }')
    if ((status == 0)); then
        printf 'ok %s %ss\n' "$name" "$seconds"
    else
        exclusively output printf -- '--- %s\n%s\nFAIL %s %ss\n' "$name" "$(cat "$log")" "$name" "$seconds"
    fi
    return "$status"
}

# The tests share environments and trees that are built once, also when gates run side by side.
exclusively() {
    local lock=$quality/$1.lock
    shift
    (
        flock 9
        "$@"
    ) 9>"$lock"
}

# find_python MINOR...: the first interpreter of these that runs (a pyenv shim may be there and not run), Debian's before others.
find_python() {
    local minor candidate
    for minor in "$@"; do
        for candidate in "/usr/bin/python3.$minor" "python3.$minor" "${PYENV_ROOT:-$HOME/.pyenv}/versions/3.$minor".*"/bin/python3.$minor"; do
            if "$candidate" -c 'import ensurepip, venv' >/dev/null 2>&1; then
                "$candidate" -c 'import sys; print(sys.executable)'
                return
            fi
        done
    done
    return 1
}

core_of() {
    "$1/bin/python" -c 'import ansible.release as r; print(r.__version__.rpartition(".")[0])' 2>/dev/null
}

# The environment of the linters, and the collections that they resolve modules with.
development_venv() {
    if ! [ -x "$root/.venv/bin/ansible-lint" ] || ! [ -e "$root/.collections/.wanted" ]; then
        "$root/tests/testbed/setup.sh" >&2
    fi
    echo "$root/.venv"
}

# core_venv 2.19|2.21: an environment with that ansible-core; fails where no interpreter is new enough for it.
core_venv() {
    local core=$1 venv python
    venv=$(development_venv)
    if [ "$(core_of "$venv")" != "$core" ]; then
        case $core in
        2.19) python=$(find_python 11 12 13) || return ;;
        2.21) python=$(find_python 13 12 14) || return ;;
        esac
        venv=$root/.venvs/core${core/./}
        exclusively "core$core" "$root/tests/quality/venv.sh" "$venv" "$python" "core${core/./}" unit >&2
    fi
    echo "$venv"
}

# for_each_core GATE [CORE...]: runs `GATE VENV CORE` with every tested ansible-core, or with those asked for.
for_each_core() {
    local name=$1 core venv failed=0
    shift
    [ $# -gt 0 ] || set -- 2.19 2.21
    for core in "$@"; do
        if venv=$(core_venv "$core"); then
            gate "$name $core" "$name" "$venv" "$core" || failed=1
        else
            printf 'not run: %s with ansible-core %s, no Python that it supports was found\n' "$name" "$core"
        fi
    done
    return "$failed"
}
