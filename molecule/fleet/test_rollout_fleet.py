"""What is true of several hosts only."""

from __future__ import annotations

import json
import os
import re
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml


@pytest.fixture
def answering(ask, group):
    """Which hosts answer visitors, each with its slot."""

    def answers(*proxies):
        told = [ask("/whoami", at=proxy).json() for proxy in proxies or group("nginx") for _ in range(8)]
        return {(answer["hostname"], answer["slot"]) for answer in told}

    return answers


def test_a_release_that_fails_on_one_host_takes_the_others_back_too(run, visitors, serving, group, machine):
    before = serving()
    with visitors() as seen:
        told = run("upgrade", "-e", "app_version=v2.0.0-second", check=False)
    assert told.status != 0
    assert "app2: shop-web@" in told.text
    seen.assert_nothing_failed()
    assert serving() == before
    records = {machine(host).check_output("grep version /etc/slipway/shop/live.json") for host in group("app")}
    assert len(records) == 1


def test_what_is_built_is_the_same_on_all_hosts(group, machine, ask):
    built = "cd /srv/shop/current/source/frontend/dist && find . -type f | sort | xargs sha256sum"
    files = {machine(host).check_output(built) for host in group("app")}
    assert len(files) == 1
    script = re.search(r"assets/\w+\.js", files.pop())[0]
    # A proxy that runs nothing has them as well, with the same time, by which clients ask whether a page is still good.
    told = [ask(f"/front/{path}", at=proxy).headers["etag"] for path in ("", script) for proxy in group("nginx")]
    assert len(set(told)) == 2


def test_a_part_of_the_fleet_is_not_upgraded_alone(run, serving, another):
    before = serving()
    told = run("upgrade", "-e", f"app_version={another}", "--limit", "app1,proxy1,proxy2", check=False)
    assert told.status != 0
    assert "run this without --limit" in told.text
    assert serving() == before


@pytest.mark.for_long
def test_a_stale_fact_cache_decides_nothing(run, visitors, serving, another, ask, platforms, monkeypatch, tmp_path):
    monkeypatch.setenv("ANSIBLE_CACHE_PLUGIN", "jsonfile")
    monkeypatch.setenv("ANSIBLE_CACHE_PLUGIN_CONNECTION", str(tmp_path))
    monkeypatch.setenv("ANSIBLE_CACHE_PLUGIN_PREFIX", "")
    live = ask("/whoami").json()["slot"]
    idle = "green" if live == "blue" else "blue"
    rollout = {"slot": live, "live_slot": idle, "release": "gone", "moves": True, "before": {"release": "gone"}}
    stale = {
        "__rollout_slot": {"before": idle, "after": idle, "canary": 0, "configured": True, "readable": True},
        "__rollout_switched": {"before": idle, "after": live, "at": 1.0},
        "__app_facts": {"live": {"slot": idle, "release": "gone"}},
        "app_rollout": rollout,
        "wired_rollout": rollout,
    }
    for host in platforms:
        (tmp_path / host).write_text(json.dumps(stale))
    with visitors() as seen:
        run("upgrade", "-e", f"app_version={another}")
    seen.assert_nothing_failed()
    assert serving() == {another}
    assert ask("/whoami").json()["slot"] == idle


def test_a_proxy_and_a_host_that_come_back_empty_agree_with_the_others(run, serving, machine, ask, answering):
    before, slot = serving(), ask("/whoami").json()["slot"]
    machine("app1").check_output(
        "systemctl stop 'shop-*' && rm -rf /srv/shop /etc/slipway/shop /var/lib/slipway/shop /etc/systemd/system/shop-*"
        " && systemctl daemon-reload"
    )
    machine("proxy2").check_output(
        "systemctl stop nginx; rm -f /var/lib/slipway/slots/shop.green /etc/nginx/sites-*/shop.conf"
    )
    assert answering("proxy1") == {("app2", slot)}
    run("site")
    assert answering() == {("app1", slot), ("app2", slot)}
    assert serving() == before


@pytest.mark.for_long
def test_a_host_that_reboots_before_the_switch_comes_back_with_what_is_live(
    begin, run, serving, another, ask, answering, reboot, wait_until
):
    before, slot = serving(), ask("/whoami").json()["slot"]
    begun = begin("upgrade", "-e", f"app_version={another}")
    begun.reach("slipway.stack.app : Wait until each instance is healthy")
    reboot("app1")
    told = begun.end()
    assert told.status != 0
    assert "app1" in told.text
    wait_until(lambda: answering() == {("app1", slot), ("app2", slot)}, seconds=60)
    assert serving() == before
    run("upgrade", "-e", f"app_version={another}")
    assert serving() == {another}


@pytest.mark.for_long
def test_a_host_that_is_lost_before_the_switch_keeps_what_is_live(
    begin, run, visitors, serving, another, lose, machine
):
    before = serving()
    with visitors() as seen:
        begun = begin("upgrade", "-e", f"app_version={another}")
        begun.reach("slipway.stack.app : Wait until each instance is healthy")
        lose("app1")
        told = begun.end()
        assert told.status != 0
        assert "app1 can't be reached" in told.text
        assert serving() == before
        machine("app1").check_output("systemctl start ssh")
        run("upgrade", "-e", f"app_version={another}")
    seen.assert_nothing_failed()
    assert serving() == {another}


@pytest.mark.for_long
def test_a_proxy_that_is_lost_after_its_switch_has_a_release_to_send_to(
    begin, run, visitors, serving, another, lose, machine, ask
):
    before = serving()
    with visitors() as seen:
        begun = begin("upgrade", "-e", f"app_version={another}", "-e", "app_watch_seconds=30")
        begun.reach("Send new requests to the release")
        # A task is told of when its first host has ended.
        time.sleep(3)
        lose("proxy2")
        told = begun.end()
        assert told.status != 0
        assert "proxy2 may go on sending requests to the release that failed" in told.text
        # Longer than any request, after which the slot that failed would be stopped.
        time.sleep(60)
        assert ask("/version", at="proxy2").json()["version"] == another
        assert {ask("/version", at="proxy1").json()["version"]} == before
        machine("proxy2").check_output("systemctl start ssh")
        run("upgrade", "-e", f"app_version={another}")
    seen.assert_nothing_failed()
    assert serving() == {another}


@pytest.mark.for_long
def test_a_run_without_the_first_host_respects_its_lock(begin, run, serving, another):
    # Settings that no release had make it a new one, which is built.
    settings = json.dumps({"app_environment": {"APP_ENV": "production", "BEAT_INTERVAL": 5, "KILLED_AT": "never"}})
    begun = begin("upgrade", "-e", f"app_version={another}", "-e", settings)
    begun.reach("slipway.stack.app : Build the release")
    told = run("restart", "--limit", "app2,proxy1,proxy2", check=False)
    assert told.status != 0
    assert re.search(r"since \d{4}-\d\d-\d\d", told.text), told.text
    assert begun.end().status == 0
    assert serving() == {another}


@pytest.mark.for_long
def test_a_controller_that_dies_while_files_are_shipped_leaves_the_service_serving(
    begin, run, visitors, serving, another
):
    settings = json.dumps({"app_environment": {"APP_ENV": "production", "BEAT_INTERVAL": 5, "KILLED_AT": "files"}})
    options = ["-e", f"app_version={another}", "-e", settings]
    with visitors() as seen:
        begun = begin("upgrade", *options)
        begun.reach("Ship them")
        begun.kill()
        run("upgrade", *options)
    seen.assert_nothing_failed()
    assert serving() == {another}


@pytest.mark.for_long
def test_a_host_is_lost_and_comes_back(
    run, visitors, another, answering, switched_off, without, schedulers, second_scheduler
):
    slot = answering().pop()[1]
    with switched_off("app1"):
        # Its neighbour answers for both.
        assert answering() == {("app2", slot)}
        with without("app1"), visitors() as seen:
            alone = run("upgrade", "-e", f"app_version={another}")
        # The servers of the slot are others.
        seen.assert_nothing_failed(reloads=2)

    # It knows nothing of that when it is back.
    second_scheduler("app1")
    assert schedulers() == {"app2"}
    assert answering() == {("app2", alone.slot)}

    with visitors() as seen:
        together = run("upgrade", "-e", f"app_version={another}")
    seen.assert_nothing_failed(reloads=2)
    assert answering() == {("app1", together.slot), ("app2", together.slot)}


@pytest.fixture
def schedulers(ask):
    """From which hosts the last ticks came."""
    return lambda: {tick["beat_host"] for tick in ask("/ticks?limit=3").json()}


@pytest.fixture
def second_scheduler(machine, wait_until):
    """second_scheduler(NAME): waits until the host's own scheduler waits for the one that has the lease."""

    def wait(host):
        said = "journalctl -b -u 'shop-beat@*' | grep -q 'waiting for the lease'"
        wait_until(lambda: machine(host).run(said).rc == 0, seconds=60)
        # Three ticks.
        time.sleep(15)

    return wait


@pytest.fixture
def without(monkeypatch, tmp_path):
    """without(NAME): playbooks know nothing of a host while its block runs."""

    @contextmanager
    def forget(lost):
        whole = Path(os.environ["MOLECULE_INVENTORY_FILE"])
        inventory = yaml.safe_load(whole.read_text())
        for group in inventory.values():
            group["hosts"] = {name: facts for name, facts in group.get("hosts", {}).items() if name != lost}
        (tmp_path / "group_vars").symlink_to(whole.parent / "group_vars")
        path = tmp_path / "hosts.yml"
        path.write_text(yaml.safe_dump(inventory))
        with monkeypatch.context() as patched:
            patched.setenv("MOLECULE_INVENTORY_FILE", str(path))
            yield

    return forget
