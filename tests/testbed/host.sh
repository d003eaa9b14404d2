#!/usr/bin/env bash
# host.sh NAME debian12|debian13 [DOCKER-RUN-OPTION...]: starts a bare systemd host on the shared
# network and returns when it has booted. A host that runs already is left as it is.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

[ $# -ge 2 ] || die "usage: host.sh NAME debian12|debian13 [DOCKER-RUN-OPTION...]"
name=$1 image=$2
shift 2

state() { docker container inspect --format '{{.State.Status}}' "$name" 2>/dev/null || true; }

start() {
    docker run -d --name "$name" --hostname "$name" --network slipway \
        --cap-add SYS_ADMIN --cap-add NET_ADMIN --cap-add SYS_NICE --cap-add SYS_PTRACE \
        --security-opt seccomp=unconfined --cgroupns host -v /sys/fs/cgroup:/sys/fs/cgroup:rw \
        --tmpfs /run --tmpfs /run/lock --tmpfs /tmp "$@" "slipway-host:$image" >/dev/null && return
    # A container that couldn't bind its ports stays behind, and would be taken for the host next time.
    docker rm -f "$name" >/dev/null 2>&1 || true
    return 1
}

booted() {
    case $(docker exec "$name" systemctl is-system-running 2>/dev/null || true) in
    running | degraded) ;;
    *) return 1 ;;
    esac
}

case $(state) in
running) ;;
'') start "$@" || die "host $name could not be started: see the line above" ;;
*) docker start "$name" >/dev/null ;;
esac

for _ in $(seq 120); do
    if booted; then exit; fi
    sleep 0.5
done
die "host $name did not boot within 60 s: see 'docker exec $name systemctl list-jobs'"
