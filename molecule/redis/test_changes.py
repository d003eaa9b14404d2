"""What a further run does to instances that are in use, on both hosts at once."""

from __future__ import annotations

import json
import re

import pytest

HOSTS = ["twelve", "thirteen"]
CACHE_PASSWORD = 's%op p@ss"w\\rd'
QUEUE_PASSWORD = "queue-password"
ONLY_CACHE = {"name": "shop-cache", "port": 6479, "password": CACHE_PASSWORD, "maxmemory": "8mb"}
MB = 1024 * 1024


@pytest.fixture(scope="module")
def hosts(machine):
    return {name: machine(name) for name in HOSTS}


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
def cache(hosts):
    """cache(WORD...): what the caches answer."""
    return lambda *words, password=CACHE_PASSWORD: {
        redis(host, "shop-cache", password, *words) for host in hosts.values()
    }


@pytest.fixture(scope="module")
def queue(hosts):
    """queue(WORD...): what the queues answer."""
    return lambda *words: {redis(host, "shop-queue", QUEUE_PASSWORD, *words) for host in hosts.values()}


@pytest.fixture(scope="module")
def processes(hosts):
    """processes(INSTANCE): the process ids, which are others after a restart."""
    show = "systemctl show -p MainPID --value redis-server@%s"
    return lambda instance: [host.check_output(show, instance) for host in hosts.values()]


def rights(queue):
    # Redis 7.0 says its default of those users alone whom a command made.
    return {told.replace("sanitize-payload\n", "") for told in queue("ACL", "GETUSER", "watcher")}


def files_of(hosts):
    return [host.check_output("sha256sum /etc/redis/redis-*.conf /etc/slipway/redis.d/*") for host in hosts.values()]


def unchanged_hosts(output):
    return len(re.findall(r" changed=0 ", output))


def test_a_running_instance_takes_changes_without_a_restart(processes, run, cache):
    before = processes("shop-cache")
    cache("SET", "kept", "1")
    run(cache_changes={"maxmemory": "16mb", "policy": "volatile-lru", "password": "new one", "memory_max": "600M"})
    assert cache("CONFIG", "GET", "maxmemory", password="new one") == {f"maxmemory\n{16 * MB}"}
    assert cache("CONFIG", "GET", "maxmemory-policy", password="new one") == {"maxmemory-policy\nvolatile-lru"}
    assert cache("GET", "kept", password="new one") == {"1"}
    assert "NOAUTH" in cache("PING").pop()
    run()
    assert cache("CONFIG", "GET", "maxmemory") == {f"maxmemory\n{8 * MB}"}
    assert processes("shop-cache") == before


def test_a_change_by_hand_is_taken_back(processes, run, queue):
    before = processes("shop-queue")
    rights_before = rights(queue)
    queue("ACL", "SETUSER", "watcher", "+@write", "~*")
    queue("CONFIG", "SET", "maxmemory-policy", "allkeys-random")
    queue("ACL", "SETUSER", "mallory", "on", "nopass", "+@all")
    run()
    assert queue("CONFIG", "GET", "maxmemory-policy") == {"maxmemory-policy\nnoeviction"}
    assert queue("ACL", "USERS") == {"default\nwatcher"}
    assert rights(queue) == rights_before
    assert processes("shop-queue") == before


def test_what_needs_a_restart_waits_for_it(hosts, processes, run, queue):
    before = processes("shop-queue")
    queue("SET", "job:kept", "1")
    for _attempt in range(2):
        output = run(queue_changes={"databases": 20})
        assert output.count("Redis instance shop-queue needs a restart for databases") == len(hosts)
    assert unchanged_hosts(output) == len(hosts)
    assert processes("shop-queue") == before
    assert queue("CONFIG", "GET", "databases") == {"databases\n16"}
    run(queue_changes={"databases": 20}, redis_restart=True)
    assert not set(processes("shop-queue")) & set(before)
    assert queue("CONFIG", "GET", "databases") == {"databases\n20"}
    assert queue("GET", "job:kept") == {"1"}
    run(redis_restart=True)
    assert queue("CONFIG", "GET", "databases") == {"databases\n16"}


def test_turning_the_log_on_keeps_the_data(hosts, processes, run, cache):
    cache("SET", "kept", "by the log")
    before = processes("shop-cache")
    run(cache_changes={"appendonly": True})
    assert processes("shop-cache") == before
    for host in hosts.values():
        host.check_output("systemctl restart redis-server@shop-cache")
    assert cache("GET", "kept") == {"by the log"}
    run()


def test_a_refused_setting_leaves_everything_as_it_was(hosts, processes, run, cache):
    before, running = files_of(hosts), processes("shop-cache")
    output = run(fails=True, cache_changes={"settings": {"maxmemory-samples": "some"}})
    assert "Redis instance shop-cache: Redis refuses 'some' for the setting maxmemory-samples" in output
    output = run(fails=True, cache_changes={"settings": {"maxmemory-simples": "5"}})
    assert "doesn't know the setting maxmemory-simples" in output
    assert files_of(hosts) == before
    assert processes("shop-cache") == running
    assert cache("CONFIG", "GET", "maxmemory-samples") == {"maxmemory-samples\n5"}


def test_an_instance_that_is_no_longer_listed_stops_and_keeps_its_data(hosts, processes, run, queue):
    queue("SET", "job:asleep", "1")
    others = processes("main"), processes("shop-cache")
    output = run(redis_instances=[ONLY_CACHE])
    assert output.count("shop-queue is no longer in redis_instances and was stopped") == len(hosts)
    for host in hosts.values():
        assert not host.service("redis-server@shop-queue").is_running
        assert not host.service("redis-server@shop-queue").is_enabled
        assert not host.file("/etc/redis/redis-shop-queue.conf").exists
        assert host.file("/var/lib/redis/shop-queue").is_directory
    assert unchanged_hosts(run(redis_instances=[ONLY_CACHE])) == len(hosts)
    run()
    assert queue("GET", "job:asleep") == {"1"}
    assert (processes("main"), processes("shop-cache")) == others


def test_the_packages_own_service_is_not_taken_from_whoever_uses_it(hosts, run):
    for host in hosts.values():
        host.check_output("systemctl stop redis-server@main && systemctl start redis-server")
        assert host.check_output("redis-cli -p 6379 SET someone needs") == "OK"
    output = run("converge.yml", fails=True)
    assert output.count("own redis-server.service, which holds keys: move or flush them") >= len(hosts)
    for host in hosts.values():
        assert host.check_output("redis-cli -p 6379 GET someone") == "needs"
        host.check_output("redis-cli -p 6379 FLUSHALL")
    run("converge.yml")
    for host in hosts.values():
        assert not host.service("redis-server").is_running
        assert host.service("redis-server@main").is_running


def test_a_taken_port_is_named(hosts, run):
    squatter = "systemd-run -q --unit=squatter -p Type=exec python3 -m http.server 6379"
    for host in hosts.values():
        host.check_output(f"systemctl stop redis-server@main && {squatter} && sleep 2")
    output = run("converge.yml", fails=True)
    assert output.count("Port 6379 of the Redis instance main is taken by another process") >= len(hosts)
    for host in hosts.values():
        host.check_output("systemctl stop squatter")
    run("converge.yml")
    assert all(host.service("redis-server@main").is_running for host in hosts.values())
