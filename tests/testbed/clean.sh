#!/usr/bin/env bash
# Removes what the test bed made: its containers, networks, cache, images and files, and stops the
# engine if the test bed started it.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

if have docker && docker info >/dev/null 2>&1; then
    say "removing containers, networks and images"
    docker ps -aq --filter name='^slipway-' | xargs -r docker rm -f -v >/dev/null
    docker network ls -q --filter name='^slipway' | xargs -r docker network rm >/dev/null
    docker volume ls -q --filter name='^slipway-' | xargs -r docker volume rm >/dev/null
    docker images --format '{{.Repository}}:{{.Tag}}' --filter reference='slipway-*' | xargs -r docker rmi -f >/dev/null
fi
"$testbed/engine.sh" stop
rm -rf "$root/.venv" "$root/.venvs" "$root/.collections" "$root/.cache" "$build"
say "clean"
