# shellcheck shell=sh
# floor.sh PACKAGE...: what any script would have to do on the host, run there by root. Nothing is configured.
set -eu
export DEBIAN_FRONTEND=noninteractive
printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
chmod 755 /usr/sbin/policy-rc.d
apt-get -q update
apt-get -q -y --no-install-recommends install python3-venv "$@"
python3 -m venv /opt/uv
/opt/uv/bin/pip -q install uv
mkdir -p /srv/floor
tar -C /srv/floor -x
cd /srv/floor
/opt/uv/bin/uv sync -q --frozen --no-dev --native-tls
