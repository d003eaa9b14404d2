# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parameters in, JSON out: releases."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.slipway.stack.plugins.module_utils._errors import StackError
from ansible_collections.slipway.stack.plugins.module_utils._release import Layout, write_json
from ansible_collections.slipway.stack.plugins.module_utils._release_build import Recipe
from ansible_collections.slipway.stack.plugins.module_utils._release_run import Worker
from ansible_collections.slipway.stack.plugins.modules import release, release_command, release_facts

RunModule = Callable[..., dict[str, Any]]


@pytest.fixture
def layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Layout:
    found = Layout("shop", tmp_path / "srv", tmp_path / "etc", tmp_path / "state", tmp_path / "units")
    for folder in (found.release("1"), found.environments):
        folder.mkdir(parents=True)
    write_json(found.manifest("1"), {"id": "1", "version": "v1"})
    for module in (release, release_facts):
        monkeypatch.setattr(module, "Layout", lambda *_: found)
    return found


def parameters(layout: Layout, **more: Any) -> dict[str, Any]:
    return {"name": "shop", "root": str(layout.root), "release": "1", "user": "root", **more}


def test_a_complete_release_is_not_built_again(layout: Layout, run_module: RunModule) -> None:
    result = run_module(release, parameters(layout))
    assert (result["changed"], result["manifest"]["version"]) == (False, "v1")


def test_check_mode_says_what_would_be_built(layout: Layout, run_module: RunModule) -> None:
    result = run_module(release, parameters(layout, release="2"), check_mode=True)
    assert result["changed"] is True
    assert not layout.release("2").exists()


def test_to_go_live_is_no_part_of_a_build(layout: Layout, run_module: RunModule) -> None:
    assert "Unsupported parameters" in run_module(release, parameters(layout, state="live"))["msg"]


class PretendedBuild:
    """Leaves a folder, fails for the package that is broken, and tells whether it stood back for others."""

    def __init__(self, layout: Layout, worker: Worker, recipe: Recipe, _uv: Path) -> None:
        self._path = layout.release(recipe.release_id)
        self._yields = worker.yields
        self._fails = recipe.package == "broken"

    def run(self) -> dict[str, Any]:
        self._path.mkdir()
        if self._fails:
            raise StackError("uv gave up", output="no such package")
        return {"id": self._path.name, "yields": self._yields}


@pytest.fixture
def pretended_builds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(release, "Build", PretendedBuild)
    monkeypatch.setattr(release, "install_uv", lambda _version: Path("/uv"))


@pytest.mark.parametrize("keeps", [False, True])
def test_what_could_not_be_built_is_kept_only_where_that_is_wanted(
    layout: Layout, run_module: RunModule, pretended_builds: None, keeps: bool
) -> None:
    result = run_module(release, parameters(layout, release="2", package="broken", keep_failed=keeps))
    assert (result["failed"], result["msg"], result["output"]) == (True, "uv gave up", "no such package")
    assert layout.release("2").exists() is keeps


def test_a_build_stands_back_for_a_live_release(layout: Layout, run_module: RunModule, pretended_builds: None) -> None:
    tarball = layout.root / "2.tar.gz"
    tarball.touch()
    built = run_module(release, parameters(layout, release="2", tarball=str(tarball)))
    assert (built["changed"], built["manifest"]["yields"], tarball.exists()) == (True, False, False)
    write_json(layout.live, {"slot": "blue", "release": "2"})
    assert run_module(release, parameters(layout, release="3"))["manifest"]["yields"] is True


def test_facts_are_no_change(layout: Layout, run_module: RunModule) -> None:
    result = run_module(release_facts, {"name": "shop", "root": str(layout.root)})
    assert (result["changed"], result["release_ids"]) == (False, ["1"])


def test_check_mode_runs_no_command(run_module: RunModule) -> None:
    wanted = {"name": "shop", "user": "root", "command": "exit 1", "directory": "/"}
    assert run_module(release_command, wanted, check_mode=True)["changed"] is True
