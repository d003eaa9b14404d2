"""What Redis does, seen by redis-cli on the host and by a client in another container."""

from __future__ import annotations

import json

import pytest

VERSIONS = {"12": "7.0", "13": "8.0"}
CACHE = {"port": 6479, "password": 's%op p@ss"w\\rd'}
QUEUE = {"port": 6480, "password": "queue-password"}
WATCHER = {"port": 6480, "username": "watcher", "password": "watcher-password"}
MB = 1024 * 1024

TALK = """
import json, redis, sys
connection = redis.Redis(socket_timeout=10, decode_responses=True, **json.loads(sys.argv[1]))
answers = []
for command in json.loads(sys.argv[2]):
    try:
        answers.append(connection.execute_command(*command))
    except redis.RedisError as error:
        answers.append(f"{type(error).__name__}: {error}")
print(json.dumps(answers))
"""
FILL = """
import json, redis, sys
connection = redis.Redis(socket_timeout=10, **json.loads(sys.argv[1]))
refused = 0
for number in range(12000):
    try:
        connection.set(f"filler:{number}", b"x" * 1000)
    except redis.ResponseError as error:
        assert "used memory > 'maxmemory'" in str(error), error
        refused += 1
        break
print(json.dumps({"refused": refused, "evicted": connection.info("stats")["evicted_keys"], "keys": connection.dbsize()}))
"""


@pytest.fixture
def talk(run_python):
    """talk(ACCOUNT, [COMMAND...]...): the answers to commands that the client sends."""
    return lambda account, *commands: run_python(TALK, json.dumps({"host": "one", **account}), json.dumps(commands))


def test_the_instances_run_at_boot_and_the_packages_own_service_does_not(host):
    assert VERSIONS[host.system_info.release] in host.check_output("redis-server --version")
    for instance in ("main", "shop-cache", "shop-queue"):
        assert host.service(f"redis-server@{instance}").is_running
        assert host.service(f"redis-server@{instance}").is_enabled
    assert not host.service("redis-server").is_running
    assert not host.service("redis-server").is_enabled


def test_only_what_is_bound_to_the_network_is_open(host, open_ports):
    assert open_ports("one", "1-7000") - {22} == {CACHE["port"], QUEUE["port"]}
    assert host.check_output("redis-cli -p 6379 PING") == "PONG"


def test_the_defaults_are_those_of_a_cache(host):
    found = host.check_output("redis-cli CONFIG GET 'max*memory*'")
    assert f"maxmemory\n{256 * MB}" in found
    assert "maxmemory-policy\nallkeys-lru" in found
    assert host.check_output("redis-cli CONFIG GET save") == "save"


def test_the_network_needs_the_password(talk):
    assert talk(CACHE, ["PING"], ["SET", "a", "1"], ["GET", "a"]) == [True, True, "1"]
    assert "Authentication" in talk({"port": CACHE["port"]}, ["PING"])[0]
    assert "invalid" in talk({**CACHE, "password": "wrong"}, ["PING"])[0]
    assert "invalid" in talk({**CACHE, "password": QUEUE["password"]}, ["PING"])[0]


def test_a_user_may_do_only_what_its_rules_say(talk):
    talk(QUEUE, ["SET", "job:1", "x"], ["SET", "other", "y"])
    answers = talk(WATCHER, ["GET", "job:1"], ["GET", "other"], ["SET", "job:1", "z"], ["FLUSHALL"])
    assert answers[0] == "x"
    assert all("NoPermission" in answer for answer in answers[1:])


def test_passwords_are_nowhere_to_be_seen(host):
    listing = host.check_output("ps axeww -o args") + host.check_output("journalctl --no-pager -q")
    for secret in (CACHE["password"], QUEUE["password"], WATCHER["password"]):
        assert secret not in listing
    for instance in ("shop-cache", "shop-queue"):
        file = host.file(f"/etc/redis/redis-{instance}.conf")
        assert (file.user, file.group, file.mode) == ("root", "redis", 0o640)


def test_a_full_cache_evicts_and_a_full_queue_refuses(run_python, talk):
    cache = run_python(FILL, json.dumps({"host": "one", **CACHE}))
    assert cache["evicted"] > 0
    assert cache["refused"] == 0
    queue = run_python(FILL, json.dumps({"host": "one", **QUEUE}))
    assert queue["evicted"] == 0
    assert queue["refused"] == 1
    talk(QUEUE, ["FLUSHALL"])
    talk(CACHE, ["FLUSHALL"])


def test_the_unit_is_limited(host):
    show = "systemctl show -p {} --value redis-server@shop-cache"
    assert host.check_output(show.format("MemoryMax")) == str(512 * MB)
    assert host.check_output(show.format("CPUQuotaPerSecUSec")) == "500ms"
    group = host.check_output(show.format("ControlGroup"))
    files = f"/sys/fs/cgroup/memory{group}/memory.limit_in_bytes", f"/sys/fs/cgroup{group}/memory.max"
    assert host.check_output("cat %s %s 2>/dev/null || true", *files) == str(512 * MB)


def test_jobs_outlive_a_reboot(talk, reboot, wait_until):
    talk(QUEUE, ["SET", "job:reboot", "1"])
    reboot("one")

    def the_queue_answers():
        return talk(QUEUE, ["GET", "job:reboot"]) == ["1"]

    wait_until(the_queue_answers, seconds=30)
    assert talk(CACHE, ["PING"]) == [True]
