# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each application leaves its own needs, and learns those of all."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.slipway.stack.plugins.modules import fragment

RunModule = Callable[..., dict[str, Any]]


def needs(directory: Path, name: str, content: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    state = {"state": "absent"} if content is None else {"content": content}
    return {"directory": str(directory), "name": name, **state, **more}


def test_two_applications_add_up(run_module: RunModule, tmp_path: Path) -> None:
    directory = tmp_path / "etc/postgres.d"
    run_module(fragment, needs(directory, "shop", {"connections": 60}))
    result = run_module(fragment, needs(directory, "blog", {"connections": 40}))
    assert result["changed"]
    assert result["merged"] == {"blog": {"connections": 40}, "shop": {"connections": 60}}
    assert result["others"] == {"shop": {"connections": 60}}
    assert directory.stat().st_mode & 0o777 == 0o755
    assert (directory / "shop.json").stat().st_mode & 0o777 == 0o644
    assert not run_module(fragment, needs(directory, "blog", {"connections": 40}))["changed"]


def test_a_strict_umask_hides_nothing_from_the_others(run_module: RunModule, tmp_path: Path) -> None:
    umask = os.umask(0o077)
    try:
        run_module(fragment, needs(tmp_path / "etc/postgres.d", "shop", {"a": 1}))
    finally:
        os.umask(umask)
    modes = [path.stat().st_mode & 0o777 for path in sorted(tmp_path.rglob("*"))]
    assert modes == [0o755, 0o755, 0o644]


@pytest.mark.parametrize("content", [{"connections": 60}, None])
def test_check_mode_merges_what_would_be(run_module: RunModule, tmp_path: Path, content: dict[str, Any] | None) -> None:
    run_module(fragment, needs(tmp_path, "shop", {"connections": 1}))
    run_module(fragment, needs(tmp_path, "blog", {"connections": 40}))
    before = (tmp_path / "shop.json").read_text()
    foreseen = run_module(fragment, needs(tmp_path, "shop", content), check_mode=True, diff=True)
    assert (tmp_path / "shop.json").read_text() == before
    assert run_module(fragment, needs(tmp_path, "shop", content), diff=True) == foreseen
    assert foreseen["merged"].get("shop") == content
    assert foreseen["diff"]["before"] == before


def test_check_mode_needs_no_directory(run_module: RunModule, tmp_path: Path) -> None:
    result = run_module(fragment, needs(tmp_path / "missing", "shop", {"a": 1}), check_mode=True)
    assert result["merged"] == {"shop": {"a": 1}}
    assert not (tmp_path / "missing").exists()


def test_the_order_of_keys_is_no_change(run_module: RunModule, tmp_path: Path) -> None:
    run_module(fragment, needs(tmp_path, "shop", {"b": 1, "a": 2}))
    assert list(json.loads((tmp_path / "shop.json").read_text())) == ["a", "b"]
    assert not run_module(fragment, needs(tmp_path, "shop", {"a": 2, "b": 1}))["changed"]


def test_a_mode_that_drifted_is_mended(run_module: RunModule, tmp_path: Path) -> None:
    run_module(fragment, needs(tmp_path, "shop", {"a": 1}, mode="0600"))
    (tmp_path / "shop.json").chmod(0o644)
    assert run_module(fragment, needs(tmp_path, "shop", {"a": 1}, mode="0600"))["changed"]
    assert (tmp_path / "shop.json").stat().st_mode & 0o777 == 0o600


def test_one_that_needs_nothing_is_gone(run_module: RunModule, tmp_path: Path) -> None:
    assert not run_module(fragment, needs(tmp_path / "missing", "shop"))["changed"]
    run_module(fragment, needs(tmp_path, "shop", {"a": 1}))
    result = run_module(fragment, needs(tmp_path, "shop"))
    assert result["changed"]
    assert result["merged"] == {}
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("text", "words"), [("{", "isn't valid JSON"), ("[1]", "holds no JSON object")])
def test_a_broken_fragment_of_another_is_named(run_module: RunModule, tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "blog.json").write_text(text)
    result = run_module(fragment, needs(tmp_path, "shop", {"a": 1}))
    assert result["failed"]
    assert f"{tmp_path}/blog.json {words}" in result["msg"]
    assert not (tmp_path / "shop.json").exists()


def test_a_broken_fragment_of_its_own_is_replaced(run_module: RunModule, tmp_path: Path) -> None:
    (tmp_path / "shop.json").write_text("{")
    assert run_module(fragment, needs(tmp_path, "shop", {"a": 1}))["merged"] == {"shop": {"a": 1}}


def test_what_is_no_fragment_is_ignored(run_module: RunModule, tmp_path: Path) -> None:
    (tmp_path / ".slipway-123-blog.json").write_text("half a fi")
    (tmp_path / "README").write_text("hello")
    assert run_module(fragment, needs(tmp_path, "shop", {"a": 1}))["others"] == {}


@pytest.mark.parametrize("name", ["../shop", "Shop", "", "a.b"])
def test_a_name_stays_in_the_directory(run_module: RunModule, tmp_path: Path, name: str) -> None:
    result = run_module(fragment, needs(tmp_path, name, {"a": 1}))
    assert "lower-case letters, digits and hyphens only" in result["msg"]
