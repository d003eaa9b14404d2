# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is on a host, what goes live, and what may be removed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.slipway.stack.plugins.module_utils import _release as release
from ansible_collections.slipway.stack.plugins.module_utils._errors import StackError

BundleOf = Callable[[str], dict[str, Any]]
WANTED = {"version": "v1", "settings": "s1"}


def build(layout: release.Layout, release_id: str, built_at: str) -> None:
    layout.release(release_id).mkdir()
    release.write_json(
        layout.manifest(release_id), {"id": release_id, "built_at": built_at, "version": f"v{release_id}"}
    )
    (layout.environments / f"{release_id}.env").touch()
    (layout.environments / f"{release_id}-web.env").touch()


def test_a_bare_host_holds_nothing(tmp_path: Path) -> None:
    bare = release.Layout("shop", tmp_path / "a", tmp_path / "b", tmp_path / "c", tmp_path / "d")
    facts = release.gather(bare, "nobody-has-this-name", 0)
    assert facts["releases"] == []
    assert facts["live"] == {"slot": "", "release": ""}
    assert facts["slots"] == {slot: {"release": "", "units": []} for slot in ("blue", "green")}
    assert (facts["previous_good"], facts["live_inputs"], facts["live_targets"]) == ("", "", [])
    assert facts["user"]["exists"] is False


def test_a_release_without_its_manifest_is_not_complete(layout: release.Layout) -> None:
    build(layout, "1", "2026-01-01")
    layout.release("2").mkdir()
    layout.release("3").mkdir()
    layout.manifest("3").write_text('{"id": "3", "cut sho')
    assert [found["id"] for found in release.complete_releases(layout)] == ["1"]


def test_units_of_an_application_with_a_longer_name_are_not_its_own(layout: release.Layout) -> None:
    marks = {
        "shop-web@blue.service": "shop",
        "shop-admin-web@blue.service": "shop-admin",
        "shop-web@green-2.service": "shop",
        "shop-other.service": "",
    }
    for name, application in marks.items():
        (layout.unit_directory / name).write_text(f"[Unit]\nX-Slipway-Application={application}\n")
    assert release.own_units(layout) == ["shop-web@blue.service", "shop-web@green-2.service"]
    assert release.gather(layout, "root", 0)["slots"]["green"]["units"] == ["shop-web@green-2.service"]


@pytest.mark.parametrize(
    ("unit", "slot"),
    [("a-web@blue.service", "blue"), ("a-web@green-3.service", "green"), ("a-tick.timer", ""), ("a@b.service", "")],
)
def test_the_slot_is_in_a_units_name(unit: str, slot: str) -> None:
    assert release.slot_of(unit) == slot


def test_going_live_remembers_what_was_before_and_what_was_wanted(layout: release.Layout) -> None:
    build(layout, "1", "2026-01-01")
    build(layout, "2", "2026-01-02")
    release.make_live(layout, "blue", "1", {})
    live = release.make_live(layout, "green", "2", WANTED)
    assert (live["slot"], live["release"], live["previous"], live["version"]) == ("green", "2", "1", "v2")
    assert live["wanted"] == WANTED
    assert layout.current.resolve() == layout.release("2").resolve()
    assert json.loads(layout.live.read_text()) == live
    assert release.make_live(layout, "blue", "2", {})["previous"] == "1", "it only changed its slot"


def test_live_previous_and_held_releases_are_never_removed(layout: release.Layout) -> None:
    for number in range(1, 9):
        build(layout, str(number), f"2026-01-0{number}")
    release.make_live(layout, "blue", "1", WANTED)
    release.make_live(layout, "green", "2", WANTED)
    release.write_json(layout.slot("blue"), {"release": "3"})
    layout.release("half-built").mkdir()
    assert release.prunable(layout, 2, "green", "2") == ["4", "5", "6", "half-built"]


def test_what_will_go_is_known_before_a_release_is_built_and_live(layout: release.Layout) -> None:
    for number in range(1, 5):
        build(layout, str(number), f"2026-01-0{number}")
    release.make_live(layout, "blue", "1", WANTED)
    release.write_json(layout.slot("blue"), {"release": "1"})
    release.write_json(layout.slot("green"), {"release": "2"})
    foreseen = release.prunable(layout, 2, "green", "5")
    build(layout, "5", "2026-01-05")
    release.write_json(layout.slot("green"), {"release": "5"})
    release.make_live(layout, "green", "5", WANTED)
    assert foreseen == release.prunable(layout, 2, "green", "5") == ["2", "3"]


def test_a_removed_release_leaves_no_secret_behind(layout: release.Layout) -> None:
    build(layout, "1", "2026-01-01")
    build(layout, "12", "2026-01-02")
    (layout.server_settings / "1-web.py").touch()
    release.remove_release(layout, "1")
    assert [path.name for path in sorted(layout.environments.iterdir())] == ["12-web.env", "12.env"]
    assert list(layout.server_settings.iterdir()) == []
    assert not layout.release("1").exists()


def test_the_ledger_only_grows(layout: release.Layout) -> None:
    release.append_to_ledger(layout, {"outcome": "live"})
    release.append_to_ledger(layout, {"outcome": "failed", "steps": {"resolve": 2, "build": 1}})
    lines = [json.loads(line) for line in layout.ledger.read_text().splitlines()]
    assert [line["outcome"] for line in lines] == ["live", "failed"]
    assert all(line["at"] for line in lines)
    assert list(lines[1]["steps"]) == ["resolve", "build"], "in the order in which they were taken"


def test_a_line_that_was_cut_off_is_not_in_the_ledger(layout: release.Layout) -> None:
    assert release.read_ledger(layout) == []
    release.append_to_ledger(layout, {"outcome": "live", "release": "1"})
    with layout.ledger.open("a") as stream:
        stream.write('"a word"\n{"outcome": "live", "rel')
    assert [entry["release"] for entry in release.read_ledger(layout)] == ["1"]


DEPLOYED = [("live", "A"), ("live", "B"), ("live", "C")]
BACK_AT_B = [*DEPLOYED, ("rolled back", "B")]


@pytest.mark.parametrize(
    ("ledger", "live", "previous"),
    [
        ([], "", ""),
        ([("live", "A")], "A", ""),
        (DEPLOYED, "C", "B"),
        (BACK_AT_B, "B", "A"),
        ([*BACK_AT_B, ("rolled back", "A")], "A", ""),
        ([*BACK_AT_B, ("live", "D")], "D", "B"),
        ([*BACK_AT_B, ("live", "C")], "C", "B"),
        ([*BACK_AT_B, ("rolled back", "C")], "C", "B"),
        ([*DEPLOYED, ("failed", "D")], "C", "B"),
        ([*DEPLOYED, ("live", "A")], "A", "C"),
        ([*DEPLOYED, ("live", "gone"), ("live", "D")], "D", "C"),
        ([("rolled back", "never deployed here"), ("live", "A")], "A", ""),
    ],
)
def test_the_release_before_is_the_one_that_was_good(ledger: list[tuple[str, str]], live: str, previous: str) -> None:
    entries = [{"outcome": outcome, "release": name} for outcome, name in ledger]
    assert release.previous_good(entries, live, ["A", "B", "C", "D"]) == previous


@pytest.mark.parametrize("switched", [False, True])
def test_a_restart_changes_nothing_about_the_way_back(switched: bool) -> None:
    ledger: list[dict[str, Any]] = [{"outcome": "live", "release": name, "slot": "blue"} for name in ("A", "B")]
    if switched:
        ledger.append({"outcome": "restarted", "release": "B", "slot": "green"})
    before = {"release": "B", "slot": "green" if switched else "blue"}
    ledger.append({"outcome": "failed", "release": "B", "slot": "green", "before": before})
    assert release.previous_good(ledger, "B", "AB") == "A"


def test_a_host_tells_what_is_live_and_what_was_before(layout: release.Layout, bundle_of: BundleOf) -> None:
    build(layout, "1", "2026-01-01")
    build(layout, "2", "2026-01-02")
    for number, slot in (("1", "blue"), ("2", "green")):
        release.write_json(release.bundle_path(layout, number), bundle_of(number))
        release.append_to_ledger(layout, {"outcome": "live", "release": number})
        release.make_live(layout, slot, number, WANTED)
    # Singletons run on another host.
    processes = {"routed": ["shop-web@green.service"], "worker": ["shop-jobs@green.service"], "singleton": []}
    release.write_json(layout.slot("green"), {"release": "2", "processes": processes})
    facts = release.gather(layout, "root", 0)
    assert (facts["release_ids"], facts["previous_good"], facts["live_inputs"]) == (["2", "1"], "1", "i1")
    assert (facts["live"]["slot"], facts["slots"]["green"]["release"]) == ("green", "2")
    assert facts["live"]["wanted"] == WANTED
    assert [target["name"] for target in facts["live_targets"]] == ["shop-web@green.service", "shop-jobs@green.service"]


def test_two_builds_do_not_run_side_by_side(layout: release.Layout) -> None:
    with layout.locked(0), pytest.raises(StackError, match="another build of shop"), layout.locked(0):
        pass
    with layout.locked(0):
        pass


def test_interpreters_are_those_with_a_minor_version(tmp_path: Path) -> None:
    for name in ("python3", "python3.11", "python3.11-config", "python3.13", "python2.7"):
        (tmp_path / name).touch()
    assert release.interpreters([str(tmp_path), str(tmp_path / "missing")]) == ["3.11", "3.13"]


LIVE_AGAIN = [
    ([("live", "A"), ("live", "B"), ("failed", "B", "B"), ("live", "C")], "C", "A"),
    ([("live", "A"), ("live", "B"), ("rolled back", "A"), ("failed", "A", "A")], "B", "A"),
    ([("live", "A"), ("failed", "B", "A"), ("live", "C")], "C", "A"),
]


@pytest.mark.parametrize(("history", "live", "before"), LIVE_AGAIN)
def test_what_another_host_took_back_was_never_good(history: list[tuple[str, ...]], live: str, before: str) -> None:
    ledger = [
        {"outcome": outcome, "release": name, "before": {"release": was[0]} if was else {}}
        for outcome, name, *was in history
    ]
    assert release.previous_good(ledger, live, "ABC") == before
