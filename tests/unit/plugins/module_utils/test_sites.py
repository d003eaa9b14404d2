# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What proxies are told: the routes and servers of the release in each slot."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.slipway.stack.plugins.module_utils import _sites
from ansible_collections.slipway.stack.plugins.module_utils._rollout import Wish, choose, release_id

WEB = {"name": "web", "blue": [":8000"], "green": [":8050"]}
API = {"name": "api", "blue": [":8010"], "green": [":8060"]}
QUEUE = {"name": "queue", "blue": [":8020"], "green": [":8020"], "keepalive": 0, "read_timeout": 600}
FRONT = {"path": "/", "directory": "frontend/dist", "spa": True, "immutable": "^/assets/"}
SHELF = "/srv/shop/static"
ONE, TWO, THREE = (release_id(f"c{number}", "s1") for number in (1, 2, 3))


# --- routes


def test_without_static_files_the_routes_are_the_users() -> None:
    own = [{"path": "/api/", "rate": {"requests": "5r/s"}}]
    assert _sites.proxied_routes(own, [], [WEB], SHELF) == own
    assert _sites.proxied_routes([], [], [WEB], SHELF) == [{"path": "/"}]
    assert _sites.proxied_routes([], [], [], SHELF) == []


def test_static_files_are_those_of_the_requests_slot() -> None:
    route = {
        "path": "/",
        "kind": "static",
        "alias": "/srv/shop/static/$slot/frontend/dist/",
        "spa": True,
        "immutable": "^/assets/",
    }
    health = {"path": "/health", "match": "exact", "upstream": "web"}
    assert _sites.proxied_routes([{"path": "/api/"}], [FRONT], [WEB], SHELF) == [{"path": "/api/"}, health, route]


def test_what_is_no_file_goes_to_the_application() -> None:
    static = [{"path": "/static/", "directory": "staticfiles/"}]
    routes = _sites.proxied_routes([], static, [WEB], SHELF)
    assert [route["path"] for route in routes] == ["/", "/static/"]
    assert routes[1]["alias"] == "/srv/shop/static/$slot/staticfiles/"


@pytest.mark.parametrize(
    ("own", "added"),
    [
        ([], ["/api/live"]),
        ([{"path": "/api/"}], []),
        ([{"path": "/api/live", "match": "exact"}], []),
        ([{"path": "^/api/", "match": "regex"}], ["/api/live"]),
    ],
)
def test_health_is_reached_beside_a_page_for_everything(own: list[dict[str, Any]], added: list[str]) -> None:
    process = {**WEB, "health": {"path": "/api/live"}}
    routes = _sites.proxied_routes(own, [FRONT], [process], SHELF)
    assert [route["path"] for route in routes[len(own) : -1]] == added


# --- what each slot has


def site(*processes: dict[str, Any], routes: str = "/", **addresses: str) -> dict[str, Any]:
    given = addresses or {"web1": "10.0.0.11"}
    return {"addresses": given, "processes": list(processes or (WEB,)), "routes": [{"path": routes}]}


def host(live: str, slot: str, previous: str = "", routes: str = "", **sites: dict[str, Any]) -> dict[str, Any]:
    """A host where a release is live, and what was told to proxies of it and of others."""
    numbers = {"one": ONE, "two": TWO, "three": THREE}
    manifests = [{"id": each, "version": f"v{n}", "revision": f"c{n}"} for n, each in enumerate((ONE, TWO, THREE), 1)]
    record = next((manifest for manifest in manifests if manifest["id"] == live), {})
    wanted = {"version": record.get("version"), "settings": "s1"} | ({"routes": routes} if routes else {})
    return {
        "slots": {each: {"release": live if each == slot else previous} for each in ("blue", "green")},
        "live": {**record, "slot": slot, "release": live, "previous": previous, "wanted": wanted},
        "releases": manifests,
        "release_ids": [ONE, TWO, THREE],
        "previous_good": previous,
        "sites": {numbers[name]: each for name, each in sites.items()},
        "static_releases": [],
    }


def decide(
    facts: dict[str, Any], wanted: dict[str, Any], number: int, mode: str = "deploy", settings: str = "s1", **more: Any
) -> dict[str, Any]:
    version = f"v{number}"
    wish = Wish(mode, settings, version, version, site=wanted, **more)
    return choose({"web1": facts}, {}, {"version": version, "revision": f"c{number}"}, wish)


def seen(decided: dict[str, Any]) -> dict[str, tuple[str, dict[str, list[str]]]]:
    """The first route and the servers of each slot."""
    return {
        slot: (each["routes"][0]["path"], {upstream["name"]: upstream["servers"] for upstream in each["upstreams"]})
        for slot, each in decided["sites"].items()
    }


def test_nothing_is_told_where_nobody_asks() -> None:
    decided = decide(host(ONE, "blue"), {}, 2)
    assert (decided["site"], decided["sites"]) == ({}, {})
    assert "routes" not in decided["wanted"]


def test_the_first_release_is_told_of_for_both_slots() -> None:
    nothing = {**host("", ""), "live": {"slot": "", "release": ""}, "release_ids": [], "releases": []}
    decided = decide(nothing, site(), 1)
    assert seen(decided) == {
        "blue": ("/", {"web": ["10.0.0.11:8000"]}),
        "green": ("/", {"web": ["10.0.0.11:8050"]}),
    }


def test_the_live_slot_keeps_its_routes_and_processes_until_the_switch() -> None:
    decided = decide(host(ONE, "blue", one=site(routes="/old")), site(WEB, API, routes="/new"), 2)
    assert (decided["slot"], decided["site"]) == ("green", site(WEB, API, routes="/new"))
    assert seen(decided) == {
        "blue": ("/old", {"web": ["10.0.0.11:8000"]}),
        "green": ("/new", {"web": ["10.0.0.11:8050"], "api": ["10.0.0.11:8060"]}),
    }


def test_it_is_the_same_after_the_switch_and_on_the_way_back() -> None:
    old, new = site(routes="/old"), site(WEB, API, routes="/new")
    during = decide(host(ONE, "blue", one=old), new, 2)
    digest = during["wanted"]["routes"]
    after = host(TWO, "green", ONE, digest, one=old, two=during["site"])
    assert decide(after, new, 2, "keep")["sites"] == during["sites"]
    back = decide(after, new, 2, "rollback")
    assert (back["release"], back["sites"], back["site"]) == (ONE, during["sites"], old)
    # The inventory still says what it said, and other processes are other settings.
    rolled_back = host(ONE, "blue", TWO, one=old, two=new)
    rolled_back["live"]["wanted"] = {"version": "v2", "settings": "s2", "routes": digest}
    kept = decide(rolled_back, new, 2, "keep", "s2")
    assert (kept["release"], kept["sites"], kept["site"]) == (ONE, during["sites"], old)


def test_routes_that_change_alone_change_at_once() -> None:
    decided = decide(host(ONE, "blue", routes="other", one=site(routes="/old")), site(routes="/new"), 1, "keep")
    assert (decided["moves"], decided["site"]["routes"]) == (False, [{"path": "/new"}])
    assert {path for path, _servers in seen(decided).values()} == {"/new"}


def test_a_host_that_joins_serves_the_new_slot_and_one_that_left_serves_none() -> None:
    recorded = site(web1="127.0.0.1", gone="10.0.0.19")
    fleet = site(web1="10.0.0.11", web2="10.0.0.12")
    decided = decide(host(ONE, "blue", one=recorded), fleet, 2)
    assert seen(decided)["blue"] == ("/", {"web": ["127.0.0.1:8000"]})
    assert seen(decided)["green"] == ("/", {"web": ["10.0.0.11:8050", "10.0.0.12:8050"]})


def test_the_way_back_leaves_routes_alone_where_nothing_was_kept() -> None:
    decided = decide(host(TWO, "green", ONE, two=site()), site(routes="/new"), 2, "rollback")
    assert (decided["site"], decided["sites"]) == ({}, {})


def test_what_a_process_needs_of_a_proxy_is_told_too() -> None:
    upstreams = decide(host(ONE, "blue"), site(QUEUE), 2)["sites"]["green"]["upstreams"]
    assert upstreams == [{"name": "queue", "servers": ["10.0.0.11:8020"], "keepalive": 0, "read_timeout": 600}]


def test_addresses_of_ipv6_are_in_brackets() -> None:
    assert seen(decide(host(ONE, "blue"), site(web1="fd00::1"), 2))["green"][1] == {"web": ["[fd00::1]:8050"]}


# --- static files


@pytest.mark.parametrize(
    ("mode", "has_files", "of_others", "expected"),
    [
        ("deploy", True, [], {"green": TWO}),
        ("deploy", True, [ONE], {"blue": ONE, "green": TWO}),
        ("deploy", False, [ONE], {"blue": ONE}),
        ("deploy", False, [TWO], {}),
        ("deploy", False, [], {}),
    ],
)
def test_slots_have_the_files_of_releases_that_have_some(
    mode: str, has_files: bool, of_others: list[str], expected: dict[str, str]
) -> None:
    there = {**host(ONE, "blue"), "static_releases": of_others}
    assert decide(there, site(), 2, mode, has_files=has_files)["files"] == expected


def test_on_the_way_back_files_are_those_that_were_kept() -> None:
    there = {**host(TWO, "green", ONE), "static_releases": [ONE, TWO]}
    assert decide(there, site(), 2, "rollback", has_files=True)["files"] == {"blue": ONE, "green": TWO}
    there = {**host(TWO, "green", ONE), "static_releases": [TWO]}
    assert decide(there, site(), 2, "rollback", has_files=True)["files"] == {"green": TWO}
