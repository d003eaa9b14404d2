"""What must hold of every rollout, on one host or on several: visitors notice nothing, whatever becomes of the release."""

from __future__ import annotations

import json
import os
import re
import time
from pathlib import Path

import pytest
import yaml

# `make soak` does for long what `make test` does once.
SOAK = "SOAK" in os.environ
QUIET_SECONDS = 600 if SOAK else 20
BROKEN = [
    ("v2.0.0-crashes", "crashed and was restarted"),
    pytest.param("v2.0.0-unhealthy", "expected status 200, got 503", marks=pytest.mark.for_long),
    pytest.param("v2.0.0-wrong", "expected version v2.0.0-wrong", marks=pytest.mark.for_long),
    ("v2.0.0-sickens", "through the proxy"),
]
# nginx is reloaded for other routes before the switch, and where they are put back.
RELOADS = 2
KEPT = re.compile(r"(v[\d.]+) stays, since the inventory's version is what it was when \1 went live\.")
OTHER_ROUTES = {
    "nginx_routes": [
        {"path": "/"},
        {"path": "/comes/", "strip_prefix": True},
        {"path": "/ws", "kind": "websocket"},
        {"path": "/events", "kind": "sse"},
    ]
}
SETTINGS = yaml.safe_load((Path(__file__).resolve().parent / "group_vars" / "all.yml").read_text())
SECRETS = (SETTINGS["app_secrets"]["SECRET_KEY"], "ef2d127de37b942baad06145e54b0c619a1f2232")
# From the step to the end of the switch, by `make soak`, which runs nothing else on the machine meanwhile; by `make test` of all.
SECONDS_TO_GO_BACK = {"switch": 3, "start": 15} if SOAK else {"switch": 30, "start": 60}
# By `make soak` more releases come before, and the first isn't kept any more.
GONE_BACK_TO = "v1.2.0" if SOAK else "v1.0.0"
# As the shared group_vars have it, less what clocks and first answers may be apart.
DRAIN_SECONDS = SETTINGS["app_drain_timeout"] - 1
UPGRADES = ("v1.3.0", "v1.0.0", "v1.1.0", "v1.3.0", "v1.2.0")


def other_settings():
    """Another environment, a rotated secret, more of a process, a process that is new, and a route to it."""
    web, *others = SETTINGS["app_processes"]
    more = {**web, "name": "more", "workers": 1, "environment": {"GREETING": "from more"}}
    routes = [
        {**route, "upstream": "more"} if "comes" in route["path"] else route for route in OTHER_ROUTES["nginx_routes"]
    ]
    settings = {
        "app_environment": {**SETTINGS["app_environment"], "GREETING": "two words"},
        "app_secrets": {"SECRET_KEY": SECRETS[1]},
        "app_processes": [{**web, "count": 2}, *others, more],
        "nginx_routes": routes,
    }
    return "-e", json.dumps(settings)


def assert_soon(told, *, since):
    names = list(told.steps)
    waited = sum(told.steps[name] for name in names[names.index(since) : names.index("switch") + 1])
    assert (waited if SOAK else told.seconds_to_switch) <= SECONDS_TO_GO_BACK[since], told.steps


@pytest.fixture
def configured(ask, group, machine):
    """The greeting and the secret of the live release, and how many routed processes it has on each host."""

    def look():
        slot = ask("/whoami").json()["slot"]
        count = (
            f"systemctl list-units --state=active --plain --no-legend 'shop-web@{slot}*' 'shop-more@{slot}*' | wc -l"
        )
        processes = {int(machine(host).check_output(count)) for host in group("app")}
        return *(ask(f"/env/{name}").json()["value"] for name in ("GREETING", "SECRET_KEY")), processes

    return look


@pytest.mark.one_host
def test_nothing_fails_while_nothing_happens(visitors):
    with visitors() as seen:
        time.sleep(QUIET_SECONDS)
    seen.assert_nothing_failed()


def test_an_upgrade_costs_no_visitor_anything(run, visitors, reader, serving, ask, group, report):
    with visitors() as seen, reader() as reading:
        there = run("upgrade", "-e", "app_version=v1.1.0")
        assert there.versions == ("v1.0.0", "v1.1.0")
        assert re.search(r"Visitors meanwhile: [1-9]\d* requests, 0 failed, by the logs of the proxies\.", there.text)
        assert serving() == {"v1.1.0"}
    assert {"resolve", "build", "migrate", "start", "health", "switch", "check"} <= set(there.steps)
    assert sum(there.steps.values()) == pytest.approx(there.seconds, abs=1)
    after = list(there.steps)[list(there.steps).index("switch") + 1 :]
    rest = sum(there.steps[name] for name in after)
    assert there.seconds_to_switch == pytest.approx(there.seconds - rest, abs=1)
    # Who watches sees what is done next, and when.
    for step in ("the build", "the health check", "the switch", "the hand-over"):
        assert re.search(rf"TASK \[[^]]*Go on to {step} at \d+\.\d s\]", there.text), step
    seen.assert_nothing_failed()
    assert {release["version"] for release in seen.result["releases"]} == {"v1.0.0", "v1.1.0"}
    # One page before and one after, the same on all hosts, and the script of each is found by whoever opened it.
    assert [re.search("v1[^<]+", page)[0] for page in reading.met["pages"]] == ["v1.0.0", "v1.1.0"]
    assert reading.met["missing"] == []
    for proxy in group("nginx"):
        assert ask("/front/assets/0123456789.js", at=proxy).status == 404

    report(f"upgrade: {there.seconds_to_switch} s to the switch")


@pytest.mark.for_long
@pytest.mark.one_host
def test_another_environment_and_the_way_back_cost_no_visitor_anything(run, visitors, configured):
    other = {"app_environment": {**SETTINGS["app_environment"], "GREETING": "hello"}}
    with visitors() as seen:
        run("upgrade", "-e", "app_version=v1.1.0", "-e", json.dumps(other))
        assert configured() == ("hello", SECRETS[0], {1})
        run("rollback")
        assert configured() == (None, SECRETS[0], {1})
    # Nothing is reloaded for it.
    seen.assert_nothing_failed()


@pytest.mark.one_host
def test_a_changed_setting_and_the_way_back_cost_no_visitor_anything(run, visitors, reader, ask, configured, report):
    # A slot that gets the release after the next one must give up the WebSockets of visitors who came long before.
    with visitors() as seen:
        with reader() as reading:
            run("upgrade", "-e", "app_version=v1.1.0", *other_settings())
        # A route is there until the switch, and another from then on.
        for url, answers in reading.met["answers"].items():
            assert answers == ([200, 404] if "/leaves/" in url else [404, 200]), url
        assert configured() == ("two words", SECRETS[1], {3})
        assert ask("/comes/env/GREETING").json()["value"] == "from more"

        warm = run("rollback")
        assert warm.versions == ("v1.1.0", "v1.1.0")
        assert configured() == (None, SECRETS[0], {1})
        assert [ask(f"/{path}/version").status for path in ("leaves", "comes")] == [200, 404]

    seen.assert_nothing_failed(reloads=RELOADS)

    report(f"warm rollback: {warm.seconds_to_switch} s to the switch")
    assert_soon(warm, since="switch")


@pytest.mark.one_host
def test_site_keeps_what_is_live_until_another_version_is_named(run, serving, platforms):
    # After a rollback.
    assert KEPT.search(run("site").text)[1] == "v1.1.0"
    if SOAK:
        run("upgrade", "-e", "app_version=v1.2.0")
        told = run("site").text
        assert KEPT.search(told)[1] == "v1.2.0"
        assert told.count("changed=0") == len(platforms)
        assert serving() == {"v1.2.0"}
    # It also gives both slots the same routes again, without visitors: nginx is reloaded for that.
    run("site", "-e", "app_version=v1.3.0")
    assert serving() == {"v1.3.0"}


@pytest.mark.one_host
def test_a_release_whose_slot_has_ended_is_gone_back_to(run, visitors, serving, ask, group, machine, report):
    # As after the warm time, when no connection reaches the old slot any more.
    other = "green" if ask("/whoami").json()["slot"] == "blue" else "blue"
    for host in group("app"):
        machine(host).check_output(f"systemctl stop shop-retire-{other}.timer 'shop-web@{other}*' 'shop-more@{other}*'")
    with visitors() as seen:
        cold = run("rollback", "-e", f"app_release={GONE_BACK_TO}")
        assert serving() == {GONE_BACK_TO}
    seen.assert_nothing_failed()
    report(f"cold rollback: {cold.seconds_to_switch} s to the switch")
    assert_soon(cold, since="start")


@pytest.mark.one_host
@pytest.mark.parametrize(("version", "reason"), BROKEN)
def test_a_release_that_fails_is_never_noticed(version, reason, run, visitors, serving, whole_state):
    before, state = serving(), whole_state()
    with visitors() as seen:
        told = run("upgrade", "-e", f"app_version={version}", check=False)
    assert told.status != 0
    assert reason in told.text
    assert f"{before.copy().pop()} (" in told.text
    assert "serves as before" in told.text
    seen.assert_nothing_failed()
    assert serving() == before
    assert whole_state() == state


@pytest.mark.for_long
@pytest.mark.one_host
def test_other_routes_of_a_release_that_fails_are_put_back(run, visitors, serving, ask, whole_state):
    before, state = serving(), whole_state()
    with visitors() as seen:
        told = run("upgrade", "-e", "app_version=v2.0.0-sickens", "-e", json.dumps(OTHER_ROUTES), check=False)
    assert told.status != 0
    seen.assert_nothing_failed(reloads=RELOADS)
    assert serving() == before
    assert whole_state() == state
    assert [ask(f"/{path}/version").status for path in ("leaves", "comes")] == [200, 404]


@pytest.fixture(scope="session")
def whole_state(group, machine):
    """Which workers and singletons run and what starts at boot on each host, and each proxy's configuration."""
    looks = {
        "app": (
            "systemctl list-units --state=active --plain --no-legend 'shop-*@*.service' | cut -d' ' -f1 | grep -v web",
            "systemctl list-unit-files --state=enabled --no-legend 'shop-*@*.service' | cut -d' ' -f1",
        ),
        "nginx": ("sha256sum /etc/nginx/sites-available/shop.conf",),
    }
    return lambda: {
        (host, look): machine(host).check_output(look) for name in looks for host in group(name) for look in looks[name]
    }


@pytest.mark.for_long
@pytest.mark.one_host
def test_good_releases_go_live_after_failed_ones(run, visitors, serving):
    with visitors() as seen:
        for version in UPGRADES:
            run("upgrade", "-e", f"app_version={version}")
            assert serving() == {version}
    # Each takes the slot that the one before it left.
    seen.assert_nothing_failed(drained=DRAIN_SECONDS)


@pytest.mark.one_host
def test_the_ledger_tells_what_happened(run):
    table = run("history").text
    told = re.findall(r"\d{4}-\d\d-\d\dT[\d:]+ (live|failed|rolled back) (\S+)", table)
    assert ("rolled back", GONE_BACK_TO) in told, table
    assert ("failed", "v2.0.0-sickens") in told, table
    assert told[-1] == (("live", "v1.2.0") if SOAK else ("failed", "v2.0.0-sickens")), table
    assert re.search(r"resolve [\d.]+,.* build [\d.]+,.* check [\d.]+", table), table
