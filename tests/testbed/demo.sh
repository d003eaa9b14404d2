#!/usr/bin/env bash
# demo.sh        a bare container becomes the reference application behind nginx, then says how to use it
# demo.sh stop   removes the container
# DEMO_PORT chooses another port than 8443, DEMO_IMAGE another host image.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

host=slipway-demo
port=${DEMO_PORT:-8443}
http_port=${DEMO_HTTP_PORT:-8080}
inventory=inventories/demo
secrets=$root/$inventory/group_vars/all/secrets.yml

random_secret() { python3 -c 'import secrets; print(secrets.token_hex(32))'; }

write_secrets() {
    mkdir -p "$(dirname "$secrets")"
    (
        umask 077
        cat >"$secrets" <<EOF
---
# Made for the demo by this machine. A real inventory keeps these in a vault.
app_database_password: $(random_secret)
app_redis_password: $(random_secret)
app_secrets:
  SECRET_KEY: $(random_secret)
EOF
    )
}

have curl || install_packages "the demo" curl

answers() { curl -ksf --max-time 5 "https://localhost:$port/health" >/dev/null; }

show_what_to_try() {
    local url=https://localhost:$port
    cat <<EOF

  The reference application answers on $url (its certificate is self-signed, hence -k):

    curl -k $url/health
    curl -k -H 'Content-Type: application/json' -d '{"name": "hello"}' $url/items
    curl -k $url/items

  The host is the container $host:

    docker exec -it $host bash
    .venv/bin/ansible-playbook playbooks/site.yml -i $inventory     # again: nothing changes

  'make demo-stop' removes it.
EOF
}

start() {
    local started=$SECONDS
    cd "$root"
    export PATH=$root/.venv/bin:$PATH
    say "starting the bare host $host"
    "$testbed/host.sh" "$host" "${DEMO_IMAGE:-debian13}" -p "127.0.0.1:$port:443" -p "127.0.0.1:$http_port:80"
    [ -s "$secrets" ] || write_secrets
    ansible-playbook playbooks/site.yml -i "$inventory"
    answers || die "the play ended well, but $host does not answer on port $port: see 'docker logs $host'"
    say "serving after $((SECONDS - started)) s"
    show_what_to_try
}

case ${1:-} in
'') start ;;
stop) docker rm -f -v "$host" >/dev/null 2>&1 || true ;;
*) die "usage: demo.sh [stop]" ;;
esac
