# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One revision and one tarball of it, by the parameters of a task."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.slipway.stack.plugins.action import source
from ansible_collections.slipway.stack.plugins.action.source import resolve
from ansible_collections.slipway.stack.plugins.module_utils._errors import StackError

COLLECTIONS = Path(source.__file__).parents[5]
NONE_GIVEN = {"repository": None, "archive": None, "directory": None, "package": None}


@pytest.fixture
def parameters(tmp_path: Path) -> dict[str, Any]:
    project = tmp_path / "project"
    (project / "backend").mkdir(parents=True)
    (project / "backend/main.py").write_text("x = 1\n")
    common = {"version": "", "checksum": "", "subdirectory": "", "deploy_key": "", "fetch": True}
    return {**NONE_GIVEN, **common, "directory": str(project), "cache": str(tmp_path / "cache")}


def test_the_same_source_is_the_same_revision_and_tarball(parameters: dict[str, Any]) -> None:
    result = resolve(parameters)
    assert not result["changed"]
    with tarfile.open(result["tarball"]) as tar:
        assert "backend/main.py" in tar.getnames()
    assert resolve(parameters) == result
    assert "tarball" not in resolve({**parameters, "fetch": False})


def test_a_folder_that_is_not_in_the_source_is_refused(parameters: dict[str, Any]) -> None:
    assert resolve({**parameters, "subdirectory": "backend/"})["tarball"]
    with pytest.raises(StackError, match="subdirectory frontend isn't in the source"):
        resolve({**parameters, "subdirectory": "frontend"})


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [("version=v1", "one of the following is required"), ("package=a directory=/", "mutually exclusive")],
)
def test_exactly_one_source_is_needed(tmp_path: Path, arguments: str, complaint: str) -> None:
    settings = tmp_path / "ansible.cfg"
    settings.touch()
    done = subprocess.run(
        [sys.executable, "-m", "ansible.cli.adhoc", "localhost", "-m", "slipway.stack.source", "-a", arguments],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "ANSIBLE_CONFIG": str(settings), "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS)},
    )
    assert done.returncode != 0
    assert complaint in done.stdout + done.stderr
