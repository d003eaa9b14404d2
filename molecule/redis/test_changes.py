"""What a further run does to instances that are in use."""

from __future__ import annotations

import json

import pytest

CACHE_PASSWORD = 's%op p@ss"w\\rd'
QUEUE_PASSWORD = "queue-password"
ONLY_CACHE = {"name": "shop-cache", "port": 6479, "password": CACHE_PASSWORD, "maxmemory": "8mb"}
MB = 1024 * 1024


@pytest.fixture(scope="module")
def run(play):
    """run(PLAYBOOK, fails=False, VARIABLE=VALUE...): what the run printed, in one line."""

    def play_with(playbook="shop.yml", fails=False, **variables):
        # The packages are there; asking apt again only takes time.
        done = play(playbook, "-e", json.dumps({"redis_install": False, **variables}), check=False)
        output = done.stdout + done.stderr
        assert (done.returncode != 0) == fails, output[-4000:]
        return " ".join(output.split())

    return play_with


def redis(host, instance, password, *words):
    command = " ".join(["%s"] * len(words))
    shell = f"REDISCLI_AUTH=%s redis-cli -s /run/redis-{instance}/redis-server.sock {command}"
    return host.check_output(shell, password, *words)


@pytest.fixture(scope="module")
def cache(host):
    """cache(WORD...): what the cache answers."""
    return lambda *words, password=CACHE_PASSWORD: redis(host, "shop-cache", password, *words)


@pytest.fixture(scope="module")
def queue(host):
    """queue(WORD...): what the queue answers."""
    return lambda *words: redis(host, "shop-queue", QUEUE_PASSWORD, *words)


@pytest.fixture(scope="module")
def process(host):
    """process(INSTANCE): its process id, which is another one after a restart."""
    return lambda instance: host.check_output("systemctl show -p MainPID --value redis-server@%s", instance)


def rights(queue):
    # Redis 7.0 says its default of those users alone whom a command made.
    return queue("ACL", "GETUSER", "watcher").replace("sanitize-payload\n", "")


def files_of(host):
    return host.check_output("sha256sum /etc/redis/redis-*.conf /etc/slipway/redis.d/*")


def test_a_running_instance_takes_changes_without_a_restart(process, run, cache):
    before = process("shop-cache")
    cache("SET", "kept", "1")
    run(cache_changes={"maxmemory": "16mb", "policy": "volatile-lru", "password": "new one", "memory_max": "600M"})
    assert cache("CONFIG", "GET", "maxmemory", password="new one") == f"maxmemory\n{16 * MB}"
    assert cache("CONFIG", "GET", "maxmemory-policy", password="new one") == "maxmemory-policy\nvolatile-lru"
    assert cache("GET", "kept", password="new one") == "1"
    assert "NOAUTH" in cache("PING")
    run()
    assert cache("CONFIG", "GET", "maxmemory") == f"maxmemory\n{8 * MB}"
    assert process("shop-cache") == before


def test_a_change_by_hand_is_taken_back(process, run, queue):
    before = process("shop-queue")
    rights_before = rights(queue)
    queue("ACL", "SETUSER", "watcher", "+@write", "~*")
    queue("CONFIG", "SET", "maxmemory-policy", "allkeys-random")
    queue("ACL", "SETUSER", "mallory", "on", "nopass", "+@all")
    run()
    assert queue("CONFIG", "GET", "maxmemory-policy") == "maxmemory-policy\nnoeviction"
    assert queue("ACL", "USERS") == "default\nwatcher"
    assert rights(queue) == rights_before
    assert process("shop-queue") == before


def test_what_needs_a_restart_waits_for_it(process, run, queue):
    before = process("shop-queue")
    queue("SET", "job:kept", "1")
    for _attempt in range(2):
        output = run(queue_changes={"databases": 20})
        assert output.count("Redis instance shop-queue needs a restart for databases") == 1
    assert " changed=0 " in output
    assert process("shop-queue") == before
    assert queue("CONFIG", "GET", "databases") == "databases\n16"
    run(queue_changes={"databases": 20}, redis_restart=True)
    assert process("shop-queue") != before
    assert queue("CONFIG", "GET", "databases") == "databases\n20"
    assert queue("GET", "job:kept") == "1"
    run(redis_restart=True)
    assert queue("CONFIG", "GET", "databases") == "databases\n16"


@pytest.mark.for_long
def test_turning_the_log_on_keeps_the_data(host, process, run, cache):
    cache("SET", "kept", "by the log")
    before = process("shop-cache")
    run(cache_changes={"appendonly": True})
    assert process("shop-cache") == before
    host.check_output("systemctl restart redis-server@shop-cache")
    assert cache("GET", "kept") == "by the log"
    run()


def test_a_refused_setting_leaves_everything_as_it_was(host, process, run, cache):
    before, running = files_of(host), process("shop-cache")
    output = run(fails=True, cache_changes={"settings": {"maxmemory-samples": "some"}})
    assert "Redis instance shop-cache: Redis refuses 'some' for the setting maxmemory-samples" in output
    output = run(fails=True, cache_changes={"settings": {"maxmemory-simples": "5"}})
    assert "doesn't know the setting maxmemory-simples" in output
    assert files_of(host) == before
    assert process("shop-cache") == running
    assert cache("CONFIG", "GET", "maxmemory-samples") == "maxmemory-samples\n5"


def test_an_instance_that_is_no_longer_listed_stops_and_keeps_its_data(host, process, run, queue):
    queue("SET", "job:asleep", "1")
    others = process("main"), process("shop-cache")
    output = run(redis_instances=[ONLY_CACHE])
    assert output.count("shop-queue is no longer in redis_instances and was stopped") == 1
    assert not host.service("redis-server@shop-queue").is_running
    assert not host.service("redis-server@shop-queue").is_enabled
    assert not host.file("/etc/redis/redis-shop-queue.conf").exists
    assert host.file("/var/lib/redis/shop-queue").is_directory
    assert " changed=0 " in run(redis_instances=[ONLY_CACHE])
    run()
    assert queue("GET", "job:asleep") == "1"
    assert (process("main"), process("shop-cache")) == others


@pytest.mark.for_long
def test_the_packages_own_service_is_not_taken_from_whoever_uses_it(host, run):
    host.check_output("systemctl stop redis-server@main && systemctl start redis-server")
    assert host.check_output("redis-cli -p 6379 SET someone needs") == "OK"
    output = run("converge.yml", fails=True)
    assert "own redis-server.service, which holds keys: move or flush them" in output
    assert host.check_output("redis-cli -p 6379 GET someone") == "needs"
    host.check_output("redis-cli -p 6379 FLUSHALL")
    run("converge.yml")
    assert not host.service("redis-server").is_running
    assert host.service("redis-server@main").is_running


@pytest.mark.for_long
def test_a_taken_port_is_named(host, run):
    squatter = "systemd-run -q --unit=squatter -p Type=exec python3 -m http.server 6379"
    host.check_output(f"systemctl stop redis-server@main && {squatter} && sleep 2")
    output = run("converge.yml", fails=True)
    assert "Port 6379 of the Redis instance main is taken by another process" in output
    host.check_output("systemctl stop squatter")
    run("converge.yml")
    assert host.service("redis-server@main").is_running
