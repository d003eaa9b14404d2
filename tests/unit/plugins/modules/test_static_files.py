# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A folder for each release, and a link for each slot."""

from __future__ import annotations

import os
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.slipway.stack.plugins.module_utils._release import Layout, bundle_path, write_json
from ansible_collections.slipway.stack.plugins.modules import release_archive, static_files

Run = Callable[..., dict[str, Any]]


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    return tmp_path / "shelf"


@pytest.fixture
def bring(run_module: Callable[..., dict[str, Any]], tmp_path: Path, shelf: Path) -> Run:
    """Ask for slots, and bring the files of a release, each of which tells its release."""

    def run(slots: dict[str, str], *, new: str = "", below: str = "source", **more: Any) -> dict[str, Any]:
        archives = []
        if new:
            folder = tmp_path / f"built-{new}"
            (folder / "source/app/dist").mkdir(parents=True)
            (folder / "source/app/dist/index.html").write_text(new)
            archive = tmp_path / f"{new}.tar.gz"
            subprocess.run(["tar", "-czf", str(archive), "-C", str(folder), "source/app/dist"], check=True)
            archives.append({"release": new, "path": str(archive), "below": below})
        check_mode = more.pop("check_mode", False)
        parameters = {"root": str(shelf), "slots": slots, "archives": archives, **more}
        return run_module(static_files, parameters, check_mode=check_mode)

    return run


def page(shelf: Path, slot: str, path: str = "app/dist/index.html") -> str:
    return (shelf / slot / path).read_text()


def test_what_is_missing_is_told_and_then_brought(bring: Run, shelf: Path, tmp_path: Path) -> None:
    told = bring({"blue": "one"})
    assert (told["changed"], told["missing"]) == (False, ["one"])
    brought = bring({"blue": "one"}, new="one")
    assert (brought["changed"], brought["missing"]) == (True, [])
    assert page(shelf, "blue") == "one"
    assert not (tmp_path / "one.tar.gz").exists()
    assert bring({"blue": "one"})["changed"] is False


def test_others_may_look_into_it(bring: Run, shelf: Path) -> None:
    before = os.umask(0o077)
    try:
        bring({"blue": "one"}, new="one")
    finally:
        os.umask(before)
    for path in (shelf, shelf / "one", shelf / "one/source"):
        assert stat.S_IMODE(path.stat().st_mode) & stat.S_IXOTH


def test_where_the_application_is_below_a_folder(bring: Run, shelf: Path) -> None:
    bring({"green": "one"}, new="one", below="source/server")
    # As in directory: ../app/dist.
    assert page(shelf, "green", "../app/dist/index.html") == "one"


def test_a_slot_keeps_its_files_until_those_of_its_release_are_there(bring: Run, shelf: Path) -> None:
    bring({"blue": "one"}, new="one")
    told = bring({"blue": "two"})
    assert (told["changed"], told["missing"], page(shelf, "blue")) == (False, ["two"], "one")
    bring({"blue": "two"}, new="two")
    assert page(shelf, "blue") == "two"


def test_both_slots_have_theirs_and_what_nobody_keeps_goes(bring: Run, shelf: Path) -> None:
    bring({"blue": "one"}, new="one")
    bring({"blue": "one", "green": "two"}, new="two")
    assert (page(shelf, "blue"), page(shelf, "green")) == ("one", "two")
    bring({"blue": "three", "green": "two"}, new="three", keep=["one"])
    assert sorted(path.name for path in shelf.iterdir()) == ["blue", "green", "one", "three", "two"]
    result = bring({"blue": "three"}, keep=["two"])
    assert (result["changed"], result["removed"]) == (True, ["one"])
    assert sorted(path.name for path in shelf.iterdir()) == ["blue", "three", "two"]


def test_check_mode_tells_and_does_nothing(bring: Run, shelf: Path, tmp_path: Path) -> None:
    result = bring({"blue": "one"}, new="one", check_mode=True)
    assert result["changed"] is True
    assert not shelf.exists()
    assert (tmp_path / "one.tar.gz").exists()


def test_a_broken_archive_leaves_nothing(bring: Run, shelf: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.tar.gz").write_text("no archive")
    archive = {"release": "bad", "path": str(tmp_path / "bad.tar.gz"), "below": "source"}
    result = bring({"blue": "bad"}, archives=[archive])
    assert result["failed"]
    assert "can't be unpacked" in result["msg"]
    assert list(shelf.iterdir()) == []


# --- what is packed


@pytest.fixture
def pack(
    run_module: Callable[..., dict[str, Any]], layout: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Run:
    """Pack what the release `one` was built to."""
    monkeypatch.setattr(release_archive, "Layout", lambda *_arguments: layout)
    source = layout.release("one") / "source"
    for name in ("server/app.py", "server/__pycache__/app.pyc", "front/dist/index.html"):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_text(name)
    (layout.release("one") / "venv").mkdir()
    write_json(layout.manifest("one"), {"id": "one"})
    static = {"below": "source/server", "folders": ["../front/dist"]}
    write_json(bundle_path(layout, "one"), {"release": "one", "static": static})

    def run(content: str, release: str = "one", **more: Any) -> dict[str, Any]:
        parameters = {"name": "shop", "root": str(layout.root), "release": release, "content": content}
        return run_module(release_archive, {**parameters, "dest": str(tmp_path)}, **more)

    return run


def members(path: str) -> list[str]:
    listed = subprocess.run(["tar", "-tzf", path], check=True, capture_output=True, text=True)
    return sorted(name for name in listed.stdout.split() if not name.endswith("/"))


def test_the_source_is_packed_as_it_was_built(pack: Run) -> None:
    assert members(pack("source")["path"]) == ["./front/dist/index.html", "./server/app.py"]


def test_static_files_are_packed_alone(pack: Run, bring: Run, shelf: Path) -> None:
    packed = pack("static")
    assert (members(packed["path"]), packed["below"]) == (["source/front/dist/index.html"], "source/server")
    bring({"blue": "one"}, archives=[{"release": "one", "path": packed["path"], "below": packed["below"]}])
    assert page(shelf, "blue", "../front/dist/index.html") == "front/dist/index.html"


def test_what_is_not_complete_is_not_packed(pack: Run, layout: Layout) -> None:
    assert "isn't complete" in pack("source", "two")["msg"]
    bundle_path(layout, "one").unlink()
    assert "has no static files" in pack("static")["msg"]


def test_nothing_is_packed_in_check_mode(pack: Run) -> None:
    assert not Path(pack("source", check_mode=True)["path"]).exists()
