"""Running either application's site leaves the other's as it was; what is server-wide carries both."""

from __future__ import annotations

import re

import pytest

HOST = "harbour"
OWNERS = re.compile(r"slipway:[a-z,]+ ")
BLOG = ("-e", "@vars/blog.yml")
# Everything that one run could break of another application: rules, units and their start times, settings, files.
PARTS = {
    "rules": "ufw show added | sort",
    "units": "systemctl show -p Id,ActiveState,ExecMainStartTimestampMonotonic,UnitFileState '{name}-*' 'redis-server@{name}-*'",
    "postgres": "systemctl show -p ExecMainStartTimestampMonotonic postgresql@17-main",
    "nginx": "systemctl show -p ExecMainStartTimestampMonotonic nginx",
    "connections": "runuser -u postgres -- psql -qAtc 'SHOW max_connections'",
    "databases": "runuser -u postgres -- psql -qAtc 'SELECT datname, datdba::regrole FROM pg_database ORDER BY 1'",
    "access": "runuser -u postgres -- psql -qAtc 'SELECT database, user_name, address FROM pg_hba_file_rules'",
    "files": "find /etc/nginx /etc/redis /etc/slipway /etc/postgresql /etc/logrotate.d -type f | sort | xargs sha256sum",
}


@pytest.fixture(scope="session")
def snapshot(machine):
    """snapshot(NAME): how everything of an application, and what it shares, stands."""
    return lambda name: {
        part: machine(HOST).check_output(command.replace("{name}", name)) for part, command in PARTS.items()
    }


def blocks(units):
    return [sorted(block.splitlines()) for block in units.split("\n\n")]


def without_the_leased(units):
    """A singleton's lease ends with the server that lends it, and that was restarted because it was asked for."""
    return [block for block in blocks(units) if not any(line.startswith("Id=shop-beat@") for line in block)]


def is_active(units, name):
    return any({f"Id={name}", "ActiveState=active"} <= set(block) for block in blocks(units))


@pytest.fixture(scope="session")
def both(play, snapshot):
    """Both applications are up; returns how the first stood before the second came, and stands after."""
    before = snapshot("shop")
    play("slipway.stack.site", *BLOG, "-e", "postgres_restart=true")
    return before, snapshot("shop")


@pytest.mark.parametrize(("domain", "version"), [("shop.example", "v1.0.0"), ("blog.example", "v1.0.0")])
@pytest.mark.usefixtures("both")
def test_both_answer_under_their_own_names(curl, domain, version):
    health = curl(f"https://{domain}/health", at=HOST).json()
    assert (health["status"], health["version"]) == ("healthy", version)


def test_the_second_leaves_the_first_as_it_was(both):
    before, after = both
    assert without_the_leased(after["units"]) == without_the_leased(before["units"])
    assert is_active(after["units"], "shop-beat@blue.service")
    assert after["nginx"] == before["nginx"]
    # A rule that both want bears both names.
    assert {OWNERS.sub("", rule) for rule in before["rules"].splitlines()} <= {
        OWNERS.sub("", rule) for rule in after["rules"].splitlines()
    }
    own = [line for line in before["files"].splitlines() if "shop" in line]
    assert own
    assert set(own) <= set(after["files"].splitlines())


def test_the_server_allows_the_connections_of_both(both):
    before, after = both
    assert int(after["connections"]) > int(before["connections"])


def test_each_has_its_own_redis_with_its_own_policy(both, machine):
    assert both
    for instance, port, password, policy in (
        ("shop-queue", 6379, "1d2c3b4a5f6e7d8c9b0a1f2e", "noeviction"),
        ("blog-cache", 6479, "66bb5c0f3b1d4e6f8a9b0c1d", "allkeys-lru"),
    ):
        assert machine(HOST).service(f"redis-server@{instance}").is_running
        told = machine(HOST).check_output(
            f"REDISCLI_AUTH={password} redis-cli -p {port} config get maxmemory-policy | tail -1"
        )
        assert told == policy


@pytest.mark.parametrize("options", [BLOG, pytest.param((), marks=pytest.mark.for_long)], ids=["blog", "shop"])
@pytest.mark.usefixtures("both")
def test_running_either_again_changes_nothing(play, snapshot, options):
    before = snapshot("shop"), snapshot("blog")
    assert "changed=0" in play("slipway.stack.site", *options).stdout
    assert (snapshot("shop"), snapshot("blog")) == before


@pytest.mark.usefixtures("both")
def test_neither_reads_the_others_data(machine):
    refused = machine(HOST).run("PGPASSWORD=77aa5c0f3b1d4e6f8a9b0c1d psql -h 127.0.0.1 -U blog -d shop -c 'SELECT 1'")
    assert refused.rc != 0
    for name, other in (("shop", "blog"), ("blog", "shop")):
        assert machine(HOST).run(f"runuser -u {name} -- ls /srv/{other}/home").rc != 0


def test_both_come_back_after_a_reboot(both, reboot, curl, wait_until):
    assert both
    reboot(HOST)

    def healthy():
        return all(curl(f"https://{name}.example/health", at=HOST).status == 200 for name in ("shop", "blog"))

    wait_until(healthy, seconds=60)
