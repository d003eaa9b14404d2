"""What must hold of every rollout, on one host or on several: visitors notice nothing, whatever becomes of the release."""

from __future__ import annotations

import json
import os
import re
import time

import pytest

# `make soak` does for long what `make test` does once.
SOAK = "SOAK" in os.environ
QUIET_SECONDS = 600 if SOAK else 20
BROKEN = [
    ("v2.0.0-crashes", "crashed and was restarted 2 times meanwhile"),
    ("v2.0.0-unhealthy", "expected status 200, got 503"),
    ("v2.0.0-wrong", "expected version v2.0.0-wrong"),
    ("v2.0.0-sickens", "through the proxy"),
]
IS_FLEET = os.environ["MOLECULE_SCENARIO_NAME"] == "fleet"
OTHER_ROUTES = {
    "nginx_routes": [
        {"path": "/"},
        {"path": "/comes/", "strip_prefix": True},
        {"path": "/ws", "kind": "websocket"},
        {"path": "/events", "kind": "sse"},
    ]
}
UPGRADES = ("v1.3.0", "v1.0.0", "v1.1.0", "v1.3.0", "v1.2.0") if SOAK else ("v1.2.0",)


@pytest.mark.one_host
def test_nothing_fails_while_nothing_happens(visitors):
    with visitors() as seen:
        time.sleep(QUIET_SECONDS)
    seen.assert_nothing_failed()


def test_an_upgrade_a_changed_setting_and_the_way_back_cost_no_visitor_anything(
    run, visitors, reader, serving, ask, group, machine
):
    with visitors() as seen, reader() as reading:
        there = run("upgrade", "-e", "app_version=v1.1.0")
        assert there.versions == ("v1.0.0", "v1.1.0")
        assert re.search(r"Visitors meanwhile: [1-9]\d* requests, 0 failed, by the logs of the proxies\.", there.text)
        assert serving() == {"v1.1.0"}
    assert {"resolve", "build", "migrate", "start", "health", "switch", "check"} <= set(there.steps)
    assert sum(there.steps.values()) == pytest.approx(there.seconds, abs=1)
    seen.assert_nothing_failed()
    assert {release["version"] for release in seen.result["releases"]} == {"v1.0.0", "v1.1.0"}
    # One page before and one after, the same on all hosts, and the script of each is found by whoever opened it.
    assert [re.search("v1[^<]+", page)[0] for page in reading.met["pages"]] == ["v1.0.0", "v1.1.0"]
    assert reading.met["missing"] == []
    for proxy in group("nginx"):
        assert ask("/front/assets/0123456789.js", at=proxy).status == 404

    # A slot that gets the release after the next one must give up the WebSockets of visitors who came long before.
    with visitors() as seen:
        environment = {"app_environment": {"APP_ENV": "production", "ECHO_ENV": "GREETING", "GREETING": "two words"}}
        with reader() as reading:
            run("upgrade", "-e", "app_version=v1.1.0", "-e", json.dumps(environment), "-e", json.dumps(OTHER_ROUTES))
        # A route is there until the switch, and another from then on.
        for url, answers in reading.met["answers"].items():
            assert answers == ([200, 404] if "/leaves/" in url else [404, 200]), url
        assert ask("/env/GREETING").json()["value"] == "two words"

        warm = run("rollback")
        assert warm.versions == ("v1.1.0", "v1.1.0")
        assert ask("/env/GREETING").json()["value"] is None
        assert [ask(f"/{path}/version").status for path in ("leaves", "comes")] == [200, 404]

    seen.assert_nothing_failed()

    # As after the warm time, when no connection reaches the old slot any more.
    other = "green" if warm.slot == "blue" else "blue"
    for host in group("app"):
        machine(host).check_output("systemctl stop shop-retire-%s.timer 'shop-web@%s.service'", other, other)
    with visitors() as seen:
        cold = run("rollback", "-e", "app_release=v1.0.0")
        assert serving() == {"v1.0.0"}
    seen.assert_nothing_failed()
    for name, told in (("upgrade", there), ("warm rollback", warm), ("cold rollback", cold)):
        print(f"{name}: {told.seconds_to_switch} s to the switch")


@pytest.mark.one_host
def test_site_keeps_what_was_gone_back_to_until_the_inventory_changes(run, serving, platforms):
    assert serving() == {"v1.0.0"}
    # The settings of the upgrade before came by -e, and the inventory's are noted now.
    run("site")
    assert run("site").text.count("changed=0") == len(platforms)
    assert serving() == {"v1.0.0"}
    run("site", "-e", "app_version=v1.1.0")
    assert serving() == {"v1.1.0"}


@pytest.mark.parametrize(("version", "reason"), BROKEN[-1:] if IS_FLEET and not SOAK else BROKEN)
def test_a_release_that_fails_is_never_noticed(version, reason, run, visitors, serving, ask, whole_state):
    before, state = serving(), whole_state()
    with visitors() as seen:
        told = run("upgrade", "-e", f"app_version={version}", "-e", json.dumps(OTHER_ROUTES), check=False)
    assert told.status != 0
    assert reason in told.text
    assert f"{before.copy().pop()} (" in told.text
    assert "serves as before" in told.text
    seen.assert_nothing_failed()
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


@pytest.mark.one_host
def test_good_releases_go_live_after_failed_ones(run, visitors, serving):
    for version in UPGRADES:
        with visitors() as seen:
            run("upgrade", "-e", f"app_version={version}")
        seen.assert_nothing_failed()
    assert serving() == {"v1.2.0"}


@pytest.mark.one_host
def test_the_ledger_tells_what_happened(run):
    table = run("history").text
    told = re.findall(r"\d{4}-\d\d-\d\dT[\d:]+ (live|failed|rolled back) (\S+)", table)
    assert ("rolled back", "v1.0.0") in told, table
    assert ("failed", "v2.0.0-sickens") in told, table
    assert told[-1] == ("live", "v1.2.0"), table
    assert re.search(r"resolve [\d.]+,.* build [\d.]+,.* check [\d.]+", table), table
