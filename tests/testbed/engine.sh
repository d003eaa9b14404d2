#!/usr/bin/env bash
# Makes sure that a Docker engine answers: a running one is used as it is (DOCKER_HOST and
# contexts included); else Debian's is installed and started.
#   engine.sh         find or start
#   engine.sh stop    stop the engine that this script started, if it did
set -euo pipefail
. "$(dirname "$0")/lib.sh"

pid_file=$build/engine/dockerd.pid
log=$build/logs/dockerd.log

answers() { have docker && docker info >/dev/null 2>&1; }

started_here() {
    [ -s "$pid_file" ] && [ "$(cat "/proc/$(cat "$pid_file")/comm" 2>/dev/null)" = dockerd ]
}

explain_refusal() {
    local reason
    reason=$(docker info 2>&1 >/dev/null | tail -n 1 || true)
    case $reason in
    *'permission denied'*)
        die "a Docker engine runs, but $(id -un) may not use it: run 'sudo usermod -aG docker $(id -un)' and log in again, or set DOCKER_HOST." ;;
    esac
    [ -z "${DOCKER_HOST:-}" ] || die "DOCKER_HOST is $DOCKER_HOST, but no engine answers there: start it, or unset DOCKER_HOST."
}

start_dockerd() {
    if [ "$(cat /proc/1/comm)" = systemd ]; then
        say "starting the Docker engine (systemd)"
        as_root systemctl start docker
    else
        # A pid file that outlived its process makes dockerd refuse to start once the id is taken by another.
        started_here || rm -f "$pid_file"
        mkdir -p "$(dirname "$pid_file")"
        say "starting the Docker engine (its log: ${log#"$root"/})"
        as_root setsid dockerd --pidfile "$pid_file" </dev/null >"$log" 2>&1 9>&- &
    fi
    for _ in $(seq 60); do
        answers && return
        sleep 0.5
    done
    tail -n 5 "$log" >&2 || true
    die "the Docker engine didn't answer within 30 s; its log is $log"
}

find_or_start() {
    if answers; then return; fi
    if have docker; then explain_refusal; fi
    have dockerd || install_packages "a Docker engine" docker.io
    can_be_root || die "no Docker engine is running: start it (for example 'sudo systemctl start docker'), then run this again."
    start_dockerd
}

stop() {
    started_here || return 0
    say "stopping the Docker engine"
    as_root kill "$(cat "$pid_file")"
    while started_here; do sleep 0.2; done
    rm -f "$pid_file"
}

case ${1:-} in
'')
    exclusively engine find_or_start
    say "Docker engine $(docker version --format '{{.Server.Version}}') answers"
    ;;
stop) stop ;;
*) die "usage: engine.sh [stop]" ;;
esac
