# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The flag comes and goes in one step, and is never taken for something that it isn't."""

from __future__ import annotations

import os
import stat
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.slipway.stack.plugins.module_utils import _slot, _turn
from ansible_collections.slipway.stack.plugins.modules import slot

RunSlot = Callable[..., dict[str, Any]]


@pytest.fixture
def visible(monkeypatch: pytest.MonkeyPatch) -> None:
    """Directories of tests are for their owner alone."""
    monkeypatch.setattr(_slot, "hidden_by", lambda _path: None)


@pytest.fixture
def run_slot(run_module: Callable[..., dict[str, Any]], tmp_path: Path) -> RunSlot:
    def run(state: str, site: str = "shop", *, check_mode: bool = False, **more: Any) -> dict[str, Any]:
        arguments = {
            "site": site,
            "state": state,
            "directory": str(tmp_path),
            "canary_directory": str(tmp_path / "run"),
        }
        return run_module(slot, {**arguments, **more}, check_mode=check_mode, diff=True)

    return run


@pytest.fixture
def canaries(tmp_path: Path) -> Callable[[], list[str]]:
    """The flags of canaries that are there."""
    return lambda: sorted(path.name for path in (tmp_path / "run").glob("*"))


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """What is done to the flags, in order; done all the same."""
    taken: list[tuple[str, str]] = []

    def noted(name: str, act: Callable[..., None]) -> Callable[..., None]:
        def run(path: Any, *arguments: Any, **more: Any) -> None:
            taken.append((name, os.path.basename(path)))
            act(path, *arguments, **more)

        return run

    monkeypatch.setattr(_slot, "write_atomically", noted("write", _slot.write_atomically))
    monkeypatch.setattr(os, "unlink", noted("remove", os.unlink))
    return taken


def test_a_new_site_is_blue(run_slot: RunSlot, visible: None) -> None:
    result = run_slot("query")
    assert (result["changed"], result["before"], result["after"]) == (False, "blue", "blue")


def test_green_and_back(run_slot: RunSlot, visible: None, tmp_path: Path) -> None:
    flag = tmp_path / "shop.green"
    there = run_slot("green")
    assert (there["changed"], there["before"], there["after"], there["path"]) == (True, "blue", "green", str(flag))
    assert (flag.read_bytes(), stat.S_IMODE(flag.stat().st_mode)) == (b"", 0o644)
    assert run_slot("green")["changed"] is False
    assert run_slot("query")["after"] == "green"
    back = run_slot("blue")
    assert (back["changed"], back["diff"]["before"], back["diff"]["after"]) == (True, "green\n", "blue\n")
    assert list(tmp_path.iterdir()) == []


def test_sites_are_apart(run_slot: RunSlot, visible: None) -> None:
    run_slot("green", site="blog")
    assert run_slot("query")["after"] == "blue"


def test_check_mode_tells_and_does_nothing(run_slot: RunSlot, visible: None, tmp_path: Path) -> None:
    result = run_slot("green", check_mode=True)
    assert (result["changed"], result["after"]) == (True, "green")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("state", ["query", "green"])
def test_it_tells_whether_the_site_is_there_and_since_when(
    run_slot: RunSlot, visible: None, tmp_path: Path, state: str
) -> None:
    (tmp_path / "shop.conf").touch()
    begin = time.time()
    found = {site: run_slot(state, site, sites=str(tmp_path)) for site in ("shop", "newcomer")}
    assert {site: result["configured"] for site, result in found.items()} == {"shop": True, "newcomer": False}
    assert begin <= found["shop"]["at"] <= found["newcomer"]["at"] <= time.time()


def test_a_run_that_another_has_followed_switches_nothing(run_slot: RunSlot, visible: None, tmp_path: Path) -> None:
    runs = {"run_directory": str(tmp_path / "lib")}
    _turn.enter(tmp_path / "lib/shop", "new")
    refused = run_slot("green", run="old", **runs)
    assert refused["msg"].startswith("another run has taken over the rollout of shop")
    assert run_slot("query")["after"] == "blue"
    assert run_slot("green", run="new", **runs)["changed"]


def test_what_is_no_file_is_no_flag(run_slot: RunSlot, visible: None, tmp_path: Path) -> None:
    (tmp_path / "shop.green").mkdir()
    result = run_slot("query")
    assert result["failed"]
    assert "isn't a regular file" in result["msg"]


@pytest.mark.parametrize("site", ["../shop", "", "a/b", ".hidden"])
def test_a_site_can_not_lead_elsewhere(run_slot: RunSlot, visible: None, site: str) -> None:
    assert "can't name a file" in run_slot("query", site=site)["msg"]


def test_a_host_without_the_role_is_told_apart(run_module: Callable[..., dict[str, Any]], visible: None) -> None:
    result = run_module(slot, {"site": "shop", "state": "green", "directory": "/nowhere/slots"})
    assert result["msg"].startswith("/nowhere/slots doesn't exist: apply the role slipway.stack.nginx")


def test_a_flag_that_workers_can_not_see_is_refused(run_slot: RunSlot, tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    assert run_slot("query")["readable"] is False
    refused = run_slot("green")
    assert "can't look into" in refused["msg"]
    assert list(tmp_path.iterdir()) == []


def test_every_directory_above_the_flag_counts() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        outer = Path(scratch)
        inner = outer / "inner"
        inner.mkdir(mode=0o755)
        outer.chmod(0o755)
        assert _slot.hidden_by(str(inner / "shop.green")) is None
        inner.chmod(0o750)
        assert _slot.hidden_by(str(inner / "shop.green")) == str(inner)
        outer.chmod(0o700)
        assert _slot.hidden_by(str(inner / "shop.green")) == str(outer)


# --- canaries


def test_a_canary_comes_and_goes_beside_the_live_slot(
    run_slot: RunSlot, canaries: Callable[[], list[str]], visible: None, tmp_path: Path
) -> None:
    assert run_slot("query")["canary"] == 0
    begun = run_slot("query", canary=10)
    assert (begun["changed"], begun["after"], begun["canary"]) == (True, "blue", 10)
    assert (begun["diff"]["before"], begun["diff"]["after"]) == ("blue\n", "blue\n10 % of the clients: green\n")
    assert canaries() == ["shop.canary-10-green"]
    flag = tmp_path / "run" / "shop.canary-10-green"
    assert (stat.S_IMODE(flag.stat().st_mode), stat.S_IMODE(flag.parent.stat().st_mode)) == (0o644, 0o755)
    again = run_slot("query", canary=10)
    assert (again["changed"], again["canary"]) == (False, 10)
    assert (run_slot("query")["canary"], run_slot("blue")["canary"], canaries()) == (10, 10, ["shop.canary-10-green"])
    ended = run_slot("query", canary=0)
    assert (ended["changed"], ended["after"], ended["canary"], canaries()) == (True, "blue", 0, [])


def test_a_canary_leads_to_the_slot_that_is_not_live(
    run_slot: RunSlot, canaries: Callable[[], list[str]], visible: None
) -> None:
    result = run_slot("green", canary=25)
    assert (result["after"], result["canary"], canaries()) == ("green", 25, ["shop.canary-25-blue"])


def test_a_canary_is_seen_whatever_the_umask(run_slot: RunSlot, visible: None, tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        run_slot("query", canary=1, canary_directory=str(tmp_path / "run" / "slots"))
    finally:
        os.umask(before)
    modes = [stat.S_IMODE(path.stat().st_mode) for path in sorted((tmp_path / "run").rglob("*"))]
    assert (modes, stat.S_IMODE((tmp_path / "run").stat().st_mode)) == ([0o755, 0o644], 0o755)


def test_nobody_goes_back_when_the_canary_becomes_the_live_slot(
    run_slot: RunSlot, canaries: Callable[[], list[str]], steps: list[tuple[str, str]], visible: None
) -> None:
    run_slot("query", canary=50)
    result = run_slot("green")
    assert (result["before"], result["after"], result["canary"], canaries()) == ("blue", "green", 0, [])
    assert steps == [("write", "shop.canary-50-green"), ("write", "shop.green"), ("remove", "shop.canary-50-green")]


def test_nobody_goes_back_when_a_canary_grows(
    run_slot: RunSlot, canaries: Callable[[], list[str]], steps: list[tuple[str, str]], visible: None
) -> None:
    run_slot("query", canary=5)
    assert (run_slot("query", canary=25)["canary"], canaries()) == (25, ["shop.canary-25-green"])
    assert steps[1:] == [("write", "shop.canary-25-green"), ("remove", "shop.canary-5-green")]


def test_a_flag_that_is_left_over_after_the_switch_is_no_canary(
    run_slot: RunSlot, canaries: Callable[[], list[str]], steps: list[tuple[str, str]], visible: None, tmp_path: Path
) -> None:
    run_slot("green")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "shop.canary-10-green").touch()
    assert (run_slot("query")["canary"], run_slot("green")["changed"]) == (0, False)
    steps.clear()
    # On the way back it would hold its clients in the slot that the others leave.
    run_slot("blue")
    assert (canaries(), steps) == ([], [("remove", "shop.canary-10-green"), ("remove", "shop.green")])


def test_what_a_killed_run_left_is_cleaned_up_by_asking_for_none(
    run_slot: RunSlot, canaries: Callable[[], list[str]], visible: None, tmp_path: Path
) -> None:
    (tmp_path / "run").mkdir()
    for name in ("shop.canary-5-green", "shop.canary-50-green", "shop.canary-1-blue", "blog.canary-5-green"):
        (tmp_path / "run" / name).touch()
    assert run_slot("query")["canary"] == 50
    assert run_slot("blue", canary=0)["changed"]
    assert canaries() == ["blog.canary-5-green"]


def test_a_check_starts_no_canary(run_slot: RunSlot, visible: None, tmp_path: Path) -> None:
    result = run_slot("query", canary=10, check_mode=True)
    assert (result["changed"], result["canary"], list(tmp_path.iterdir())) == (True, 10, [])


def test_a_canary_that_workers_can_not_see_is_refused(run_slot: RunSlot, tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    assert "nobody would get a canary" in run_slot("query", canary=10)["msg"]
    assert list(tmp_path.iterdir()) == []


def test_a_canary_needs_the_role_too(run_slot: RunSlot, visible: None) -> None:
    assert "apply the role slipway.stack.nginx" in run_slot("query", canary=10, directory="/nowhere/slots")["msg"]


def test_only_shares_that_nginx_knows_are_taken(run_slot: RunSlot, visible: None) -> None:
    assert "must be one of: 0, 1, 5, 10, 25, 50" in run_slot("query", canary=20)["msg"]


def test_it_tells_what_the_configuration_says_of_the_slots(run_slot: RunSlot, visible: None, tmp_path: Path) -> None:
    (tmp_path / "shop.conf").write_text("# managed\n# nginx_slots: 0a1b\nserver {}\n")
    (tmp_path / "blog.conf").write_text("server {}\n")
    noted = {site: run_slot("query", site, sites=str(tmp_path))["slots"] for site in ("shop", "blog", "newcomer")}
    assert noted == {"shop": "0a1b", "blog": "", "newcomer": ""}


def test_maintenance_comes_and_goes_and_no_switch_ends_it(run_slot: RunSlot, visible: None, tmp_path: Path) -> None:
    on = run_slot("query", maintenance=True)
    assert (on["changed"], on["maintenance"], on["after"]) == (True, True, "blue")
    assert on["diff"]["after"] == "blue\nmaintenance\n"
    assert not run_slot("query", maintenance=True)["changed"]
    assert run_slot("green", canary=10)["maintenance"]
    assert run_slot("blue")["maintenance"]
    assert (tmp_path / "shop.maintenance").exists()
    assert not run_slot("query", maintenance=False)["maintenance"]
    assert not (tmp_path / "shop.maintenance").exists()


def test_maintenance_that_nobody_would_see_is_refused(
    run_slot: RunSlot, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(_slot, "hidden_by", lambda _path: "/var/lib/slipway")
    told = run_slot("query", maintenance=True)
    assert "nobody would get the maintenance page: chmod o+x /var/lib/slipway." in told["msg"]
    assert not (tmp_path / "shop.maintenance").exists()
