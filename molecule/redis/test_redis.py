"""What Redis does, seen by redis-cli on the host and by a client in another container."""

from __future__ import annotations

import json
import re

import pytest

HOSTS = {"twelve": "7.0", "thirteen": "8.0"}
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

pytestmark = pytest.mark.parametrize("name", HOSTS)


@pytest.fixture
def talk(run_python, name):
    """talk(ACCOUNT, [COMMAND...]...): the answers to commands that the client sends."""
    return lambda account, *commands: run_python(TALK, json.dumps({"host": name, **account}), json.dumps(commands))


@pytest.fixture
def settings(talk):
    def ask(account, *names):
        answers = talk(account, *(["CONFIG", "GET", each] for each in names))
        return [next(iter(answer.values())) if isinstance(answer, dict) else answer[1] for answer in answers]

    return ask


@pytest.fixture
def process(machine, name):
    """process(INSTANCE): its process id, which is another one after a restart."""
    unit = "systemctl show -p MainPID --value redis-server@%s"
    return lambda instance: machine(name).check_output(unit, instance)


@pytest.fixture
def run_shop(play, name):
    return lambda check=True, **variables: play("shop.yml", "--limit", name, "-e", json.dumps(variables), check=check)


def one_line(run):
    return " ".join((run.stdout + run.stderr).split())


def files_of(host):
    return host.check_output("sha256sum /etc/redis/redis-*.conf /etc/slipway/redis.d/*")


def test_the_instances_run_at_boot_and_the_packages_own_service_does_not(machine, name):
    host = machine(name)
    assert HOSTS[name] in host.check_output("redis-server --version")
    for instance in ("main", "shop-cache", "shop-queue"):
        assert host.service(f"redis-server@{instance}").is_running
        assert host.service(f"redis-server@{instance}").is_enabled
    assert not host.service("redis-server").is_running
    assert not host.service("redis-server").is_enabled


def test_only_what_is_bound_to_the_network_is_open(machine, open_ports, name):
    assert open_ports(name, "1-7000") - {22} == {CACHE["port"], QUEUE["port"]}
    assert machine(name).check_output("redis-cli -p 6379 PING") == "PONG"


def test_the_defaults_are_those_of_a_cache(machine, name):
    found = machine(name).check_output("redis-cli CONFIG GET 'max*memory*'")
    assert f"maxmemory\n{256 * MB}" in found
    assert "maxmemory-policy\nallkeys-lru" in found
    assert machine(name).check_output("redis-cli CONFIG GET save") == "save"


def test_the_network_needs_the_password(talk, name):
    assert talk(CACHE, ["PING"], ["SET", "a", "1"], ["GET", "a"]) == [True, True, "1"]
    assert "Authentication" in talk({"port": CACHE["port"]}, ["PING"])[0]
    assert "invalid" in talk({**CACHE, "password": "wrong"}, ["PING"])[0]
    assert "invalid" in talk({**CACHE, "password": QUEUE["password"]}, ["PING"])[0]


def test_a_user_may_do_only_what_its_rules_say(talk, name):
    talk(QUEUE, ["SET", "job:1", "x"], ["SET", "other", "y"])
    answers = talk(WATCHER, ["GET", "job:1"], ["GET", "other"], ["SET", "job:1", "z"], ["FLUSHALL"])
    assert answers[0] == "x"
    assert all("NoPermission" in answer for answer in answers[1:])


def test_passwords_are_nowhere_to_be_seen(machine, name):
    host = machine(name)
    listing = host.check_output("ps axeww -o args") + host.check_output("journalctl --no-pager -q")
    for secret in (CACHE["password"], QUEUE["password"], WATCHER["password"]):
        assert secret not in listing
    for instance in ("shop-cache", "shop-queue"):
        file = host.file(f"/etc/redis/redis-{instance}.conf")
        assert (file.user, file.group, file.mode) == ("root", "redis", 0o640)


def test_a_full_cache_evicts_and_a_full_queue_refuses(run_python, talk, name):
    cache = run_python(FILL, json.dumps({"host": name, **CACHE}))
    assert cache["evicted"] > 0
    assert cache["refused"] == 0
    queue = run_python(FILL, json.dumps({"host": name, **QUEUE}))
    assert queue["evicted"] == 0
    assert queue["refused"] == 1
    talk(QUEUE, ["FLUSHALL"])
    talk(CACHE, ["FLUSHALL"])


def test_the_unit_is_limited(machine, name):
    show = "systemctl show -p {} --value redis-server@shop-cache"
    assert machine(name).check_output(show.format("MemoryMax")) == str(512 * MB)
    assert machine(name).check_output(show.format("CPUQuotaPerSecUSec")) == "500ms"
    group = machine(name).check_output(show.format("ControlGroup"))
    files = f"/sys/fs/cgroup/memory{group}/memory.limit_in_bytes", f"/sys/fs/cgroup{group}/memory.max"
    assert machine(name).check_output("cat %s %s 2>/dev/null || true", *files) == str(512 * MB)


def test_a_running_instance_takes_changes_without_a_restart(process, run_shop, settings, talk, name):
    before = process("shop-cache")
    talk(CACHE, ["SET", "kept", "1"])
    run_shop(cache_changes={"maxmemory": "16mb", "policy": "volatile-lru", "password": "new one", "memory_max": "600M"})
    changed = {**CACHE, "password": "new one"}
    assert settings(changed, "maxmemory", "maxmemory-policy") == [str(16 * MB), "volatile-lru"]
    assert talk(changed, ["GET", "kept"]) == ["1"]
    assert "invalid" in talk(CACHE, ["PING"])[0]
    run_shop()
    assert settings(CACHE, "maxmemory", "maxmemory-policy") == [str(8 * MB), "allkeys-lru"]
    assert process("shop-cache") == before


def test_a_change_by_hand_is_taken_back(run_shop, settings, talk, process, name):
    before = process("shop-queue")
    talk(
        QUEUE,
        ["CONFIG", "SET", "maxmemory-policy", "allkeys-random"],
        ["ACL", "SETUSER", "mallory", "on", "nopass", "+@all"],
    )
    run_shop()
    assert settings(QUEUE, "maxmemory-policy") == ["noeviction"]
    assert not any("mallory" in line for line in talk(QUEUE, ["ACL", "LIST"])[0])
    assert process("shop-queue") == before


def test_what_needs_a_restart_waits_for_it(process, run_shop, settings, talk, name):
    before = process("shop-queue")
    talk(QUEUE, ["SET", "job:kept", "1"])
    for _attempt in range(2):
        run = run_shop(queue_changes={"databases": 20})
        assert "Redis instance shop-queue needs a restart for databases" in one_line(run)
    assert "changed=0" in run.stdout
    assert process("shop-queue") == before
    assert settings(QUEUE, "databases") == ["16"]
    run_shop(queue_changes={"databases": 20}, redis_restart=True)
    assert process("shop-queue") != before
    assert settings(QUEUE, "databases") == ["20"]
    assert talk(QUEUE, ["GET", "job:kept"]) == ["1"]
    run_shop(redis_restart=True)
    assert settings(QUEUE, "databases") == ["16"]


def test_turning_the_log_on_keeps_the_data(machine, process, run_shop, talk, name):
    talk(CACHE, ["SET", "kept", "by the log"])
    before = process("shop-cache")
    run_shop(cache_changes={"appendonly": True})
    assert process("shop-cache") == before
    machine(name).check_output("systemctl restart redis-server@shop-cache")
    assert talk(CACHE, ["GET", "kept"]) == ["by the log"]
    run_shop()


def test_a_refused_setting_leaves_everything_as_it_was(machine, process, run_shop, settings, name):
    before, running = files_of(machine(name)), process("shop-cache")
    run = run_shop(check=False, cache_changes={"settings": {"maxmemory-samples": "some"}})
    assert run.returncode != 0
    assert "Redis instance shop-cache: Redis refuses 'some' for the setting maxmemory-samples" in one_line(run)
    run = run_shop(check=False, cache_changes={"settings": {"maxmemory-simples": "5"}})
    assert "doesn't know the setting maxmemory-simples" in one_line(run)
    assert files_of(machine(name)) == before
    assert process("shop-cache") == running
    assert settings(CACHE, "maxmemory-samples") == ["5"]


def test_an_instance_that_is_no_longer_listed_stops_and_keeps_its_data(machine, run_shop, talk, process, play, name):
    host = machine(name)
    talk(QUEUE, ["SET", "job:asleep", "1"])
    others = process("main"), process("shop-cache")
    only_cache = {
        "name": "shop-cache",
        "port": 6479,
        "bind": ["127.0.0.1"],
        "password": CACHE["password"],
        "maxmemory": "8mb",
    }
    run = run_shop(redis_instances=[only_cache])
    assert "shop-queue is no longer in redis_instances and was stopped" in one_line(run)
    assert not host.service("redis-server@shop-queue").is_running
    assert not host.service("redis-server@shop-queue").is_enabled
    assert not host.file("/etc/redis/redis-shop-queue.conf").exists
    assert host.file("/var/lib/redis/shop-queue").is_directory
    assert re.search(r"changed=0 ", run_shop(redis_instances=[only_cache]).stdout)
    run_shop()
    assert talk(QUEUE, ["GET", "job:asleep"]) == ["1"]
    assert (process("main"), process("shop-cache")) == others


def test_the_packages_own_service_is_not_taken_from_whoever_uses_it(machine, play, name):
    host = machine(name)
    host.check_output("systemctl stop redis-server@main && systemctl start redis-server")
    assert host.check_output("redis-cli -p 6379 SET someone needs") == "OK"
    run = play("converge.yml", "--limit", name, check=False)
    assert run.returncode != 0
    assert "is served by the package's own redis-server.service, which holds keys" in one_line(run)
    assert host.check_output("redis-cli -p 6379 GET someone") == "needs"
    host.check_output("redis-cli -p 6379 FLUSHALL")
    play("converge.yml", "--limit", name)
    assert not host.service("redis-server").is_running
    assert host.service("redis-server@main").is_running


def test_a_taken_port_is_named(machine, play, name):
    host = machine(name)
    host.check_output(
        "systemctl stop redis-server@main && systemd-run -q --unit=squatter python3 -m http.server 6379 && sleep 1"
    )
    run = play("converge.yml", "--limit", name, check=False)
    assert "Port 6379 of the Redis instance main is taken by another process" in one_line(run)
    host.check_output("systemctl stop squatter")
    play("converge.yml", "--limit", name)
    assert host.service("redis-server@main").is_running


def test_jobs_outlive_a_reboot(talk, reboot, wait_until, name):
    talk(QUEUE, ["SET", "job:reboot", "1"])
    reboot(name)

    def the_queue_answers():
        return talk(QUEUE, ["GET", "job:reboot"]) == ["1"]

    wait_until(the_queue_answers, seconds=30)
    assert talk(CACHE, ["PING"]) == [True]
