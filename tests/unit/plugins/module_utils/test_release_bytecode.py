# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the release before has compiled isn't compiled again."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from ansible_collections.slipway.stack.plugins.module_utils._release_bytecode import PROGRAM


def compiled(path: Path) -> Path:
    return Path(importlib.util.cache_from_source(str(path)))


@pytest.fixture
def before(tmp_path: Path) -> Path:
    return make(tmp_path, "before")


@pytest.fixture
def release(tmp_path: Path, before: Path) -> Path:
    return make(tmp_path, "release")


def make(tmp_path: Path, name: str) -> Path:
    """A release with one package that is linked to the cache and one that is its own."""
    cached = tmp_path / "cached.py"
    if not cached.exists():
        cached.write_text("def where():\n    return where.__code__.co_filename\n")
    packages = tmp_path / name / "venv" / "lib" / "python3" / "site-packages"
    packages.mkdir(parents=True)
    (packages / "linked.py").hardlink_to(cached)
    (packages / "own.py").write_text(f"NAME = {name!r}\n")
    source = tmp_path / name / "source"
    source.mkdir()
    (source / "broken.py").write_text("{{ a template }}")
    (source / "app.py").write_text("VALUE = 1\n")
    subprocess.run(
        [sys.executable, "-c", PROGRAM, tmp_path / name / "venv", source, tmp_path / "before" / "venv"], check=True
    )
    return tmp_path / name


def test_all_is_compiled_the_first_time(before: Path) -> None:
    packages = before / "venv" / "lib" / "python3" / "site-packages"
    assert compiled(packages / "linked.py").exists()
    assert compiled(packages / "own.py").exists()
    assert compiled(before / "source" / "app.py").exists()


def test_what_is_the_same_file_is_not_compiled_again(release: Path, before: Path) -> None:
    old, new = (root / "venv" / "lib" / "python3" / "site-packages" for root in (before, release))
    assert compiled(new / "linked.py").samefile(compiled(old / "linked.py"))
    assert not compiled(new / "own.py").samefile(compiled(old / "own.py"))


def test_code_that_was_compiled_before_tells_its_own_path(release: Path) -> None:
    packages = release / "venv" / "lib" / "python3" / "site-packages"
    program = f"import sys; sys.path.insert(0, {str(packages)!r}); import linked, own; print(linked.where(), own.NAME)"
    told = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout
    assert told.split() == [str(packages / "linked.py"), "release"]
