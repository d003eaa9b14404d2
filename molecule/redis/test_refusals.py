"""What the role refuses: before anything is changed, in a sentence that names the variable."""

from __future__ import annotations

import json

import pytest


def files_of(host):
    return host.check_output("sha256sum /etc/redis/redis-*.conf /etc/slipway/redis.d/*")


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        (
            {"cache_changes": {"password": ""}},
            "shop-cache of redis_instances has no password, but listens beyond this host",
        ),
        ({"cache_changes": {"port": 6480}}, "A port stands twice in redis_instances"),
        ({"cache_changes": {"port": 6379}}, "Port 6379 of the Redis instance shop-cache belongs to main of main"),
        ({"cache_changes": {"name": "main"}}, "The Redis instance main belongs to main"),
        ({"cache_changes": {"maxmemory": "lots"}}, "Write maxmemory like 256mb"),
        ({"cache_changes": {"maxmemory": "400mb"}}, "set it to at least one and a half times maxmemory"),
        ({"cache_changes": {"policy": "never"}}, "never"),
        ({"cache_changes": {"pasword": "x"}}, "pasword"),
        ({"cache_changes": {"settings": {"port": 1}}}, "settings of shop-cache in redis_instances holds port"),
    ],
)
def test_bad_input_is_refused_with_the_mend(host, play, variables, sentence):
    before = files_of(host)
    run = play("shop.yml", "-e", json.dumps({"redis_install": False, **variables}), check=False)
    assert run.returncode != 0
    assert sentence in " ".join((run.stdout + run.stderr).split())
    assert files_of(host) == before
