# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One release in one slot, decided once for all hosts."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.slipway.stack.plugins.module_utils._rollout import UndecidedError, Wish, choose, release_id

# Release 1 is version v1 of commit c1, and so on, with the settings s1.
ONE, TWO, THREE = (release_id(f"c{number}", "s1") for number in (1, 2, 3))
MANIFESTS = {
    release: {"id": release, "version": f"v{number}", "revision": f"c{number}", "wanted": f"v{number}"}
    for number, release in enumerate((ONE, TWO, THREE), 1)
}
V1, V2, V3 = ({"version": f"v{number}", "revision": f"c{number}"} for number in (1, 2, 3))
ROLLBACK = Wish("rollback", "")


def host(live: str = "", wanted: str = "v1", on_disk: tuple[str, ...] = (ONE, TWO), **held: str) -> dict[str, Any]:
    """What release_facts finds: a recorded slot, what the inventory wanted then, and what each slot holds."""
    record: dict[str, Any] = {"slot": live, "release": held.get(live, "")}
    if live:
        manifest = MANIFESTS[held[live]]
        record |= {**manifest, "wanted": {"version": wanted, "settings": "s1"}}
    return {
        "slots": {slot: {"release": held.get(slot, ""), "units": []} for slot in ("blue", "green")},
        "live": record,
        "releases": [MANIFESTS[release] for release in on_disk],
        "release_ids": list(on_disk),
        "previous_good": ONE if record["release"] == TWO else "",
    }


def proxies(*slots: str) -> dict[str, dict[str, Any]]:
    return {f"proxy{number}": {"after": slot, "configured": True} for number, slot in enumerate(slots, 1)}


def deploy(version: str, settings: str = "s1") -> Wish:
    return Wish("deploy", settings, version, version)


def keep(version: str, settings: str = "s1", inventory: str = "") -> Wish:
    return Wish("keep", settings, version, inventory or version)


def outcome(decided: dict[str, Any]) -> tuple[str, str, bool]:
    return decided["release"], decided["slot"], decided["moves"]


ON_BLUE = {"web1": host("blue", blue=ONE)}
# v2 was brought by -e app_version=v2, while the inventory says v1.
UPGRADED = {"web1": host("green", blue=ONE, green=TWO)}
# v2 is in the inventory, and v1 is live again.
ROLLED_BACK = {"web1": host("blue", wanted="v2", blue=ONE, green=TWO)}


# --- which slot is live


def test_the_first_release_goes_to_blue() -> None:
    newcomer = {"proxy1": {"after": "blue", "configured": False}}
    assert choose({"web1": host(on_disk=())}, newcomer, V1, deploy("v1")) == {
        "mode": "deploy",
        "release": ONE,
        "version": "v1",
        "revision": "c1",
        "slot": "blue",
        "live_slot": "",
        "before": {"slot": "", "release": "", "version": ""},
        "described": True,
        "moves": True,
        "strays": [],
        "wanted": {"version": "v1", "settings": "s1"},
        "note": "",
        "site": {},
        "sites": {},
        "files": {},
    }


def test_a_first_deployment_that_was_cut_off_begins_again() -> None:
    assert outcome(choose({"web1": host(blue=ONE)}, {}, V1, deploy("v1"))) == (ONE, "blue", True)


def test_another_release_goes_to_the_other_slot() -> None:
    decided = choose(ON_BLUE, proxies("blue"), V2, deploy("v2"))
    assert outcome(decided) == (TWO, "green", True)
    assert (decided["live_slot"], decided["before"]) == ("blue", {"slot": "blue", "release": ONE, "version": "v1"})
    assert outcome(choose(UPGRADED, proxies("green"), V3, deploy("v3"))) == (THREE, "blue", True)


def test_what_is_live_already_moves_nothing() -> None:
    assert outcome(choose(ON_BLUE, proxies("blue"), V1, deploy("v1"))) == (ONE, "blue", False)


def test_the_proxies_know_better_than_the_hosts() -> None:
    hosts = {"web1": host("blue", blue=ONE, green=TWO), "web2": host("green", blue=ONE, green=TWO)}
    decided = choose(hosts, proxies("green", "green"), V3, deploy("v3"))
    assert (decided["live_slot"], decided["before"]["release"]) == ("green", TWO)
    assert outcome(decided) == (THREE, "blue", True)


@pytest.mark.parametrize("wish", [deploy("v2"), keep("v2")])
def test_a_run_that_ended_after_its_switch_is_finished(wish: Wish) -> None:
    decided = choose({"web1": host("blue", blue=ONE, green=TWO)}, proxies("green"), V2, wish)
    assert outcome(decided) == (TWO, "green", False)
    assert decided["before"] == {"slot": "green", "release": TWO, "version": "v2"}


def test_a_run_that_ended_in_its_switch_is_taken_back() -> None:
    decided = choose({"web1": host("blue", blue=ONE, green=TWO)}, proxies("green", "blue"), V2, deploy("v2"))
    assert (decided["live_slot"], decided["strays"]) == ("blue", ["proxy1"])
    assert outcome(decided) == (TWO, "green", True)


def test_a_run_that_ended_in_its_canary_is_taken_back() -> None:
    asked = proxies("blue", "blue")
    asked["proxy2"]["canary"] = 10
    decided = choose({"web1": host("blue", blue=ONE, green=TWO)}, asked, V2, deploy("v2"))
    assert (decided["live_slot"], decided["strays"]) == ("blue", ["proxy2"])
    assert outcome(decided) == (TWO, "green", True)


def test_a_canary_that_was_left_alone_is_taken_back() -> None:
    watched = {**proxies("blue", "blue"), "proxy2": {"after": "blue", "configured": True, "canary": 5}}
    decided = choose(ON_BLUE, watched, V1, deploy("v1"))
    assert (decided["live_slot"], decided["strays"]) == ("blue", ["proxy2"])


def test_a_proxy_that_serves_nothing_yet_has_no_say() -> None:
    all_proxies = {**proxies("green"), "newcomer": {"after": "blue", "configured": False}}
    decided = choose({"web1": host("blue", blue=ONE, green=TWO)}, all_proxies, V2, deploy("v2"))
    assert (decided["live_slot"], decided["strays"]) == ("green", [])


def test_a_flag_that_leads_nowhere_is_not_believed() -> None:
    decided = choose(ON_BLUE, proxies("green"), V1, deploy("v1"))
    assert (decided["live_slot"], decided["slot"], decided["moves"]) == ("", "blue", True)


def test_without_proxies_the_record_counts() -> None:
    assert choose(UPGRADED, {}, V2, deploy("v2"))["live_slot"] == "green"


def test_flags_mean_nothing_where_no_host_has_ever_run_anything() -> None:
    decided = choose({"web1": host(on_disk=())}, proxies("green", "blue"), V1, deploy("v1"))
    assert (decided["live_slot"], decided["slot"], decided["moves"]) == ("", "blue", True)


def test_nothing_is_decided_where_nobody_agrees() -> None:
    with pytest.raises(UndecidedError, match="Neither the proxies nor the hosts agree"):
        choose({"web1": host(blue=ONE)}, proxies("green", "blue"), V1, deploy("v1"))
    hosts = {"web1": host("blue", blue=ONE, green=TWO), "web2": host("green", blue=ONE, green=TWO)}
    with pytest.raises(UndecidedError, match="Neither the proxies nor the hosts agree on which slot is live") as caught:
        choose(hosts, proxies("green", "blue"), V2, deploy("v2"))
    assert "{'proxy1': 'green', 'proxy2': 'blue'}, {'web1': 'blue', 'web2': 'green'}" in str(caught.value)


def test_a_host_that_joins_moves_nobody() -> None:
    decided = choose({"newcomer": host(on_disk=()), **ON_BLUE}, proxies("blue"), V1, deploy("v1"))
    assert outcome(decided) == (ONE, "blue", False)
    assert decided["before"]["release"] == ONE


# --- what stays


def test_an_upgrade_stays_while_the_inventory_is_the_same() -> None:
    decided = choose(UPGRADED, proxies("green"), V1, keep("v1"))
    assert outcome(decided) == (TWO, "green", False)
    assert (decided["version"], decided["revision"], decided["described"]) == ("v2", "c2", True)
    assert decided["note"] == "v2 stays, since the inventory's version is what it was when v2 went live."


def test_a_rollback_stays_while_the_inventory_is_the_same() -> None:
    decided = choose(ROLLED_BACK, proxies("blue"), V2, keep("v2"))
    assert outcome(decided) == (ONE, "blue", False)
    assert decided["note"] == "v1 stays, since the inventory's version is what it was when v1 went live."


def test_a_rollback_that_was_cut_off_after_its_switch_is_finished() -> None:
    # The flag leads to v1 again, and v2 is still what is recorded.
    assert outcome(choose(UPGRADED, proxies("blue"), {}, ROLLBACK)) == (ONE, "blue", False)


def test_a_rollback_keeps_the_settings_that_it_brought_back() -> None:
    hosts = {"web1": host("blue", wanted="v2", blue=ONE)}
    hosts["web1"]["live"]["wanted"]["settings"] = "s2"
    decided = choose(hosts, proxies("blue"), V2, keep("v2", "s2"))
    assert outcome(decided) == (ONE, "blue", False)
    assert decided["described"] is False
    assert decided["note"].startswith(f"Release {ONE} (v1) stays, since the inventory is what it was")


def test_nothing_is_said_where_nothing_stays_behind() -> None:
    assert choose(ON_BLUE, proxies("blue"), V1, keep("v1"))["note"] == ""


@pytest.mark.parametrize("hosts", [UPGRADED, ROLLED_BACK])
def test_another_version_in_the_inventory_moves(hosts: dict[str, Any]) -> None:
    decided = choose(hosts, {}, V3, keep("v3"))
    assert (decided["release"], decided["moves"]) == (THREE, True)
    assert decided["wanted"] == {"version": "v3", "settings": "s1"}


def test_other_settings_move_with_the_version_that_is_live() -> None:
    decided = choose(UPGRADED, proxies("green"), V1, keep("v1", "s2"))
    assert outcome(decided) == (release_id("c2", "s2"), "blue", True)
    assert (decided["version"], decided["revision"], decided["described"]) == ("v2", "c2", True)
    assert decided["note"].startswith("v2 stays")
    assert decided["wanted"]["settings"] == "s2"


def test_a_version_on_the_command_line_moves() -> None:
    decided = choose(ROLLED_BACK, proxies("blue"), V3, keep("v3", inventory="v2"))
    assert (decided["release"], decided["moves"]) == (THREE, True)
    assert decided["wanted"]["version"] == "v2"


def test_an_upgrade_asks_not_what_was_there_before() -> None:
    assert outcome(choose(UPGRADED, proxies("green"), V1, deploy("v1"))) == (ONE, "blue", True)


@pytest.mark.parametrize(("revision", "moves"), [("c1", False), ("c2", True)])
def test_a_directory_has_no_version_but_what_it_holds(revision: str, moves: bool) -> None:
    hosts = {"web1": host("blue", wanted="c1", blue=ONE)}
    decided = choose(hosts, {}, {"version": "", "revision": revision}, keep(""))
    assert (decided["moves"], decided["wanted"]["version"]) == (moves, revision)


def test_a_host_can_not_get_what_the_inventory_no_longer_says() -> None:
    hosts = {"web1": host("blue", wanted="v2", blue=ONE), "newcomer": host(on_disk=())}
    hosts["web1"]["live"]["wanted"]["settings"] = "s2"
    with pytest.raises(UndecidedError, match=rf"Release {ONE} \(v1\) isn't on newcomer, .* Run slipway.stack.upgrade"):
        choose(hosts, proxies("blue"), V2, keep("v2", "s2"))


# --- the way back


def test_the_way_back_leads_to_the_release_before() -> None:
    decided = choose(UPGRADED, proxies("green"), {}, ROLLBACK)
    assert outcome(decided) == (ONE, "blue", True)
    assert (decided["version"], decided["revision"], decided["described"]) == ("v1", "c1", False)


@pytest.mark.parametrize("named", [THREE, "v3"])
def test_the_way_back_may_lead_to_any_release(named: str) -> None:
    hosts = {"web1": host("green", on_disk=(TWO, THREE), green=TWO), "web2": host(on_disk=(THREE,))}
    assert outcome(choose(hosts, {}, {}, Wish("rollback", "", back_to=named))) == (THREE, "blue", True)


def test_nothing_is_gone_back_from_where_nothing_is_live() -> None:
    with pytest.raises(UndecidedError, match="Nothing is live"):
        choose({"web1": host()}, {}, {}, ROLLBACK)


def test_a_release_that_a_host_lacks_is_no_way_back() -> None:
    hosts = {**UPGRADED, "web2": host("green", on_disk=(TWO,), green=TWO)}
    with pytest.raises(UndecidedError, match=rf"No release {ONE} is on all hosts: name one of {TWO} \(v2\) by"):
        choose(hosts, {}, {}, ROLLBACK)


def test_an_unknown_release_is_answered_with_the_choices() -> None:
    choices = rf"{ONE} \(v1\), {TWO} \(v2\) by -e app_release="
    with pytest.raises(UndecidedError, match=f"No release v9 is on all hosts: name one of {choices}"):
        choose(UPGRADED, {}, {}, Wish("rollback", "", back_to="v9"))
    with pytest.raises(UndecidedError, match=rf"knows no release before {ONE} \(v1\) .*: name one of {choices}"):
        choose(ROLLED_BACK, {}, {}, ROLLBACK)


def test_hosts_that_remember_different_releases_are_not_guessed_about() -> None:
    other = {**host("green", on_disk=(ONE, TWO, THREE), green=TWO), "previous_good": THREE}
    with pytest.raises(UndecidedError, match=f"knows no release before {TWO}"):
        choose({**UPGRADED, "web2": other}, {}, {}, ROLLBACK)


def test_the_way_back_from_what_nobody_recorded_leads_to_the_record() -> None:
    hosts = {"web1": host("blue", on_disk=(ONE, TWO, THREE), blue=TWO, green=THREE)}
    assert outcome(choose(hosts, proxies("green"), {}, ROLLBACK)) == (TWO, "blue", True)


# --- connections that were promised hours


def draining(connections: int, until: str) -> dict[str, Any]:
    return {"units": ["shop-live@blue.service"], "connections": connections, "until": until}


HOURS_LEFT = {
    "web1": UPGRADED["web1"] | {"draining": draining(5, "2026-11-23T14:00:00+01:00")},
    "web2": UPGRADED["web1"] | {"draining": draining(2, "2026-11-23T13:05:00+00:00")},
    "web3": UPGRADED["web1"] | {"draining": {}},
}


def test_a_slot_that_still_holds_connections_is_refused_with_the_choice() -> None:
    with pytest.raises(UndecidedError) as refusal:
        choose(HOURS_LEFT, proxies("green"), V3, deploy("v3"))
    assert str(refusal.value) == (
        "Slot blue still holds 7 connections to shop-live@blue.service on web1, web2, which drain_timeout lets last until "
        "2026-11-23 13:05 UTC: wait for them, or end them with -e app_cut_connections=true."
    )


@pytest.mark.parametrize(
    ("source", "wish", "expected"),
    [
        (V3, Wish("deploy", "s1", "v3", "v3", cut=True), (THREE, "blue", True)),
        (V1, ROLLBACK, (ONE, "blue", True)),
        (V1, keep("v1"), (TWO, "green", False)),
    ],
)
def test_connections_matter_only_to_who_takes_their_slot(
    source: dict[str, str], wish: Wish, expected: tuple[str, str, bool]
) -> None:
    assert outcome(choose(HOURS_LEFT, proxies("green"), source, wish)) == expected


def test_a_restart_runs_what_is_live_in_the_other_slot() -> None:
    decided = choose(UPGRADED, proxies("green"), {}, Wish("restart", ""))
    assert outcome(decided) == (TWO, "blue", True)
    assert (decided["live_slot"], decided["before"]["release"], decided["described"]) == ("green", TWO, False)


def test_nothing_can_be_restarted_where_nothing_is_live() -> None:
    with pytest.raises(UndecidedError, match="Nothing is live, so there is nothing to restart"):
        choose({"web1": host(on_disk=())}, proxies("blue"), {}, Wish("restart", ""))


def test_a_restart_ends_no_connection_that_was_promised_hours() -> None:
    with pytest.raises(UndecidedError, match="Slot blue still holds 7 connections"):
        choose(HOURS_LEFT, proxies("green"), {}, Wish("restart", ""))
