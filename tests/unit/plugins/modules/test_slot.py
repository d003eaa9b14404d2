# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The flag comes and goes in one step, and is never taken for something that it isn't."""

from __future__ import annotations

import stat
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.slipway.stack.plugins.module_utils import _slot
from ansible_collections.slipway.stack.plugins.modules import slot

RunSlot = Callable[..., dict[str, Any]]


@pytest.fixture
def visible(monkeypatch: pytest.MonkeyPatch) -> None:
    """Directories of tests are for their owner alone."""
    monkeypatch.setattr(_slot, "hidden_by", lambda _path: None)


@pytest.fixture
def run_slot(run_module: Callable[..., dict[str, Any]], tmp_path: Path) -> RunSlot:
    def run(state: str, site: str = "shop", *, check_mode: bool = False) -> dict[str, Any]:
        arguments = {"site": site, "state": state, "directory": str(tmp_path)}
        return run_module(slot, arguments, check_mode=check_mode, diff=True)

    return run


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
