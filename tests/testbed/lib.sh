# shellcheck shell=bash
# Sourced by every script of the test bed.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
build=$root/build
# shellcheck disable=SC2034
testbed=$root/tests/testbed
mkdir -p "$build/logs"

say() { printf '\033[1m==>\033[0m %s\n' "$*"; }

die() {
    printf '\033[31merror:\033[0m %s\n' "$*" >&2
    exit 1
}

have() { command -v "$1" >/dev/null 2>&1; }

can_be_root() { [ "$(id -u)" = 0 ] || { have sudo && { sudo -n true 2>/dev/null || [ -t 0 ]; }; }; }

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# install_packages WHY PACKAGE...: from the machine's own repositories.
install_packages() {
    local why=$1
    shift
    have apt-get || die "$why needs the packages $*: install them with this system's package manager, then run this again."
    can_be_root || die "$why needs the packages $*: run 'sudo apt-get install $*', then run this again."
    say "installing $* ($why)"
    {
        as_root apt-get update -qq
        as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$@"
    } >"$build/logs/apt.log" 2>&1 || {
        tail -n 5 "$build/logs/apt.log" >&2
        die "$* could not be installed; the log is $build/logs/apt.log"
    }
}

# Held while the function's caller runs, so that two runs side by side don't build the same thing twice.
exclusively() {
    local __lock=$build/.$1.lock
    shift
    (
        flock 9
        "$@"
    ) 9>"$__lock"
}

# The package index that this machine's pip was told to use; empty for pip's own default.
configured_pip_index() {
    have python3 || return 0
    python3 -m pip config get global.index-url 2>/dev/null || true
}
