# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What becomes of a tool's answer, and of its request."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.slipway.stack.plugins.module_utils import _migrate_tool
from ansible_collections.slipway.stack.plugins.module_utils._migrate_agent import describe
from ansible_collections.slipway.stack.plugins.module_utils._migrate_tool import Service, Tool, ToolError, sentence


class DatabaseError(Exception):
    """As a driver raises it."""

    def __init__(self, message: str, sqlstate: str) -> None:
        super().__init__(message)
        self.sqlstate = sqlstate


def without_systemd(
    _unit: str, command: str, properties: dict[str, str], files: list[str], environment: dict[str, str]
) -> list[str]:
    words = [f"{name}={value}" for name, value in environment.items()]
    read = "".join(f"set -a; . {path}; set +a; " for path in files)
    return ["env", "-C", properties["WorkingDirectory"], *words, "/bin/sh", "-c", f"{read}{command}"]


def tool(folder: Path, command: str, *, seconds: float = 30, secrets: dict[str, str] | None = None) -> Tool:
    service = Service("shop", "shop", str(folder), secret_environment=secrets or {}, wrap=without_systemd)
    settings = {"tool": "command", "command": command, "current_command": "cat revision", "target_command": "echo two"}
    return Tool(service, settings, time.monotonic() + seconds)


def test_a_command_is_asked_where_it_is_and_what_is_wanted(tmp_path: Path) -> None:
    (tmp_path / "revision").write_text("noise\none\n\n")
    found = tool(tmp_path, "true").plan("head")
    assert (found["before"], found["target"]) == (["one"], ["two"])
    assert [step["revision"] for step in found["steps"]] == ["two"]
    (tmp_path / "revision").write_text("two\n")
    assert tool(tmp_path, "true").plan("head")["steps"] == []


def test_a_command_migrates_with_the_credentials_for_it(tmp_path: Path) -> None:
    secret = "p\"a$s`s\\'1"
    after, output = tool(tmp_path, 'echo "$URL" >revision; echo done', secrets={"URL": secret}).run(
        "head", ["two"], ["two"], back=False
    )
    assert after == [secret]
    assert "done" in output


def test_a_failure_says_how_and_quotes_the_last_line(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match="failed with exit status 3: no such table") as caught:
        tool(tmp_path, "echo no such table >&2; exit 3").run("head", ["two"], ["two"], back=False)
    assert not caught.value.gone


def test_what_takes_too_long_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = _migrate_tool.run_bounded
    monkeypatch.setattr(
        _migrate_tool,
        "run_bounded",
        lambda words, **more: None if words[0] == "systemctl" else run(words, **more),
    )
    with pytest.raises(ToolError, match="took longer than 1 s and was ended") as caught:
        tool(tmp_path, "sleep 20", seconds=1).run("head", ["two"], ["two"], back=False)
    assert caught.value.gone


def test_what_is_killed_is_said_to_be(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match="was killed or ended without an answer") as caught:
        tool(tmp_path, "kill -9 $PPID").run("head", ["two"], ["two"], back=False)
    assert caught.value.gone


def test_a_tool_ends_with_who_started_it(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; sys.path[:0] = %r; "
        "from ansible_collections.slipway.stack.tests.unit.plugins.module_utils import test_migrate_tool as t; "
        "t.tool(Path(%r), 'echo $$ >pid; sleep 60').run('head', ['two'], ['two'], back=False)"
    )
    starter = subprocess.Popen(["python3", "-c", program % (_search_path(), str(tmp_path))])
    pid = tmp_path / "pid"
    _wait(lambda: pid.exists() and pid.read_text().strip())
    agent = int(Path(f"/proc/{pid.read_text().strip()}/stat").read_text().split()[3])
    starter.kill()
    starter.wait()
    _wait(lambda: not Path(f"/proc/{agent}").exists() or "Z" in Path(f"/proc/{agent}/stat").read_text().split()[2])
    os.kill(int(pid.read_text()), 9)


def _search_path() -> list[str]:
    return sys.path


def _wait(condition: Any) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_the_database_has_the_word() -> None:
    inner = DatabaseError('column "owner" contains null values\nDETAIL: more', "23502")
    outer = RuntimeError("(asyncpg) something\n[SQL: ALTER TABLE]")
    outer.__cause__ = inner
    found = describe(outer)
    assert found["sqlstate"] == "23502"
    assert sentence(found) == 'the database said: column "owner" contains null values'


@pytest.mark.parametrize(
    ("error", "told"),
    [
        ({"kind": "config", "message": "alembic.ini"}, "the release has no alembic.ini: set app_migrate_config"),
        ({"kind": "heads", "message": "a, b"}, "more than one head (a, b): merge them"),
        ({"kind": "tool", "message": "alembic"}, "alembic isn't installed in the release"),
        ({"type": "KeyError", "message": "'SECRET_KEY'"}, "KeyError: 'SECRET_KEY'"),
    ],
)
def test_each_trouble_is_one_sentence(error: dict[str, str], told: str) -> None:
    assert told in sentence({"kind": "", "type": "", "sqlstate": "", **error})


def test_a_request_holds_no_secret(tmp_path: Path) -> None:
    seen: list[list[str]] = []

    def wrap(*arguments: Any) -> list[str]:
        seen.append([json.dumps(arguments[4]), arguments[1]])
        return ["true"]

    service = Service("shop", "shop", str(tmp_path), secret_environment={"URL": "s3cret-value"}, wrap=wrap)
    settings = {"tool": "command", "command": "true", "current_command": "", "target_command": ""}
    with pytest.raises(ToolError):
        Tool(service, settings, time.monotonic() + 9).plan("head")
    assert "s3cret-value" not in str(seen)
