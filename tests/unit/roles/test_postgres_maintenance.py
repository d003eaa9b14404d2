# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What maintenance does, and what it says where PostgreSQL refuses."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).parents[3] / "roles" / "postgres" / "files" / "maintenance.py"
Run = Callable[..., int]


@pytest.fixture
def maintenance() -> ModuleType:
    specification = importlib.util.spec_from_file_location("maintenance", SCRIPT)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


class Server:
    """Answers in the place of psql."""

    def __init__(self, maintenance: ModuleType) -> None:
        self.said: list[tuple[str, str, str]] = []
        self.tables: list[str] = []
        self.invalid: list[str] = []
        self.refuses = ""
        self._failure = maintenance.Failure
        self._lists = {maintenance.TABLES: lambda: self.tables, maintenance.INVALID: lambda: self.invalid}

    def psql(self, database: str, statement: str, lock_timeout: str = "0") -> list[str]:
        if statement in self._lists:
            return self._lists[statement]()
        words = statement.splitlines()[-1]
        if self.refuses and self.refuses in words:
            raise self._failure("canceling statement due to lock timeout")
        self.said.append((database, words, lock_timeout))
        return []


@pytest.fixture
def server(maintenance: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Server:
    answering = Server(maintenance)
    monkeypatch.setattr(maintenance, "psql", answering.psql)
    return answering


@pytest.fixture
def run(maintenance: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    def run_job(**job: object) -> int:
        file = tmp_path / "job.json"
        file.write_text(json.dumps({"databases": ["shop"], "lock_timeout": "5s", **job}))
        monkeypatch.setattr(sys, "argv", ["maintenance", "night", str(file)])
        return int(maintenance.main())

    return run_job


def test_each_database_gets_its_turn_and_a_line(server: Server, run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(task="vacuum_analyze", databases=["shop", "blog"]) == 0
    assert server.said == [(name, "VACUUM (ANALYZE, SKIP_LOCKED);", "5s") for name in ("shop", "blog")]
    assert [line.split(" after ")[0] for line in capsys.readouterr().out.splitlines()] == [
        "night in shop is done",
        "night in blog is done",
    ]


def test_a_table_that_is_locked_keeps_no_other_from_its_turn(
    server: Server, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    server.tables, server.refuses = ["public.a", "public.b"], "public.a"
    assert run(task="reindex_concurrently") == 1
    assert [said[1] for said in server.said] == ["REINDEX TABLE CONCURRENTLY public.b;"]
    out = capsys.readouterr().out
    assert (
        "<3>night in shop: reindex_concurrently of public.a wasn't done: canceling statement due to lock timeout."
        in out
    )
    assert "ended with 1 problem(s) after" in out


def test_an_invalid_index_is_a_failure(server: Server, run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    server.invalid = ["items_name_ccnew"]
    assert run(task="sql", sql="SELECT 1;") == 1
    assert "invalid indexes: items_name_ccnew." in capsys.readouterr().out
