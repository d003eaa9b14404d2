#!/usr/bin/env bash
# Starts the package cache that all hosts of this machine share, on the network that they share.
#   cache.sh          start, unless it runs already with the current image
#   cache.sh report   what it holds and how often it was asked
#   cache.sh clean    stop it and drop what it holds
set -euo pipefail
. "$(dirname "$0")/lib.sh"

network=slipway
name=slipway-cache
volume=slipway-cache

in_cache() { docker exec "$name" "$@"; }

runs_current_image() {
    [ "$(docker container inspect --format '{{.State.Running}} {{.Image}}' "$name" 2>/dev/null)" = \
        "true $(docker image inspect --format '{{.Id}}' "$name:latest")" ]
}

configured_npm_registry() {
    have npm || return 0
    npm config get registry 2>/dev/null || true
}

listens() {
    in_cache bash -c '</dev/tcp/localhost/3141 && </dev/tcp/localhost/3142' 2>/dev/null
}

start() {
    docker network inspect "$network" >/dev/null 2>&1 || docker network create "$network" >/dev/null
    if runs_current_image; then return; fi
    docker rm -f "$name" >/dev/null 2>&1 || true
    docker run -d --name "$name" --network "$network" --restart unless-stopped \
        -e "PIP_UPSTREAM=$(configured_pip_index)" -e "NPM_UPSTREAM=$(configured_npm_registry)" \
        -v "$volume:/cache" "$name:latest" >/dev/null
    join_scenarios
}

# Each scenario has a network of its own, to which its `create` connected the cache before this one.
join_scenarios() {
    local other
    for other in $(docker network ls --filter name="^$network-" --format '{{.Name}}'); do
        docker network connect "$other" "$name"
    done
}

wait_until_it_listens() {
    for _ in $(seq 60); do
        if listens; then return; fi
        sleep 0.5
    done
    docker logs --tail 8 "$name" >&2
    die "the package cache didn't start within 30 s"
}

case ${1:-} in
'')
    exclusively cache start
    wait_until_it_listens
    say "package cache runs on network $network"
    ;;
report)
    in_cache bash -c 'cd /cache && du -sh apt pypi npm && wc -l log/*.log'
    ;;
clean)
    docker rm -f "$name" >/dev/null 2>&1 || true
    docker volume rm "$volume" >/dev/null 2>&1 || true
    ;;
*) die "usage: cache.sh [report|clean]" ;;
esac
