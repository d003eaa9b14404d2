# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One migration, with a tool and a database that are made up."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.slipway.stack.plugins.module_utils import _migrate
from ansible_collections.slipway.stack.plugins.module_utils._errors import StackError
from ansible_collections.slipway.stack.plugins.module_utils._migrate import Migration, Wish
from ansible_collections.slipway.stack.plugins.module_utils._migrate_schema import Column, Schema
from ansible_collections.slipway.stack.plugins.module_utils._migrate_tool import ToolError

LOCKED = ToolError("the database said: canceling statement due to lock timeout", {"sqlstate": "55P03"}, "")
REFUSED = ToolError("the database said: contains null values", {"sqlstate": "23502"}, "")
KILLED = ToolError("its process was killed", {}, "", gone=True)
INVALID = {"index": "by_name", "table": "items", "mend": "DROP INDEX CONCURRENTLY by_name; then CREATE it"}
Tables = dict[str, dict[str, Column]]
NAME: dict[str, Column] = {"name": ("text", True, False)}


class Tool:
    """Has revisions 1, 2, ..., of which some were run, and fails as often as it is told to."""

    def __init__(self, *docs: str, at: int = 0, failures: Sequence[ToolError] = (), transactional: bool = True) -> None:
        self.docs, self.at, self.failures, self.transactional = docs, at, list(failures), transactional
        self.runs = 0

    database = "shop"

    def has_time_for(self, _seconds: float) -> bool:
        return True

    def plan(self, _state: str) -> dict[str, Any]:
        steps = [
            {
                "revision": str(number),
                "parents": [str(number - 1)],
                "text": doc,
                "back": False,
                "transactional": self.transactional,
                "sql": f"CREATE INDEX by_name ON items (name) -- {number}",
                "sql_problem": "",
            }
            for number, doc in enumerate(self.docs, 1)
            if number > self.at
        ]
        return {
            "database": self.database,
            "before": [str(self.at)] if self.at else [],
            "unknown": [],
            "target": ["9"],
            "steps": steps,
        }

    def run(self, _state: str, revisions: list[str], _targets: Any, **_more: bool) -> tuple[list[str], str]:
        self.runs += 1
        if self.failures:
            raise self.failures.pop(0)
        self.at = int(revisions[-1])
        return [str(self.at)], "INFO upgraded"


class Session:
    """A database whose schema follows its revision."""

    def __init__(self, tool: Tool, *schemas: Tables, invalid: Sequence[Sequence[dict[str, str]]] = ()) -> None:
        self.tool, self.schemas, self.invalid = tool, schemas or ({"items": NAME},), list(invalid)
        self.ended: list[str] = []

    @contextlib.contextmanager
    def locked(self, _application: str, _wait: float) -> Iterator[float]:
        yield 0.0

    def read_schema(self) -> Schema:
        return Schema(self.schemas[min(self.tool.at, len(self.schemas) - 1)])

    def invalid_indexes(self) -> Sequence[dict[str, str]]:
        return self.invalid.pop(0) if self.invalid else []

    def database(self) -> str:
        return "shop"

    def server_version(self) -> int:
        return 17

    patience = "3s"

    def lock_timeout(self) -> str:
        return self.patience

    def end_leftovers(self, mark: str, **_more: bool) -> list[str]:
        self.ended.append(mark)
        return ["SELECT pg_sleep(99)"]


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_migrate.time, "sleep", lambda _seconds: None)


def migrate(tool: Tool, session: Session | None = None, told: list[str] | None = None, **wishes: Any) -> dict[str, Any]:
    wish = {"application": "shop", "state": "head", "phase": "all", "contract": [], "lint": "off", "retries": 3}
    more = {
        "squawk_version": "0",
        "lock_wait": 1,
        "own_login": True,
        "mark": "m",
        "check_mode": False,
        "since": Schema({}),
        "is_copy": False,
    }
    asked = Wish(**{**wish, **more, "named_by_schema": False, **wishes})  # type: ignore[arg-type]
    return Migration(asked, tool, tool, session, told.append if told is not None else lambda _text: None).run()  # type: ignore[arg-type]


def test_it_moves_once_and_then_finds_nothing_to_do() -> None:
    tool = Tool("a", "b")
    session = Session(tool)
    done = migrate(tool, session)
    assert (done["changed"], done["before"], done["after"], done["kind"]) == (True, "", "2", "expand")
    again = migrate(tool, session)
    assert (again["changed"], again["before"], again["after"], again["kind"]) == (False, "2", "2", "none")
    assert tool.runs == 1


def test_check_mode_tells_what_would_run_and_runs_nothing() -> None:
    tool = Tool("a", at=0)
    told = migrate(tool, Session(tool), check_mode=True)
    assert told["changed"]
    assert [step["revision"] for step in told["pending"]] == ["1"]
    assert "CREATE INDEX" in told["sql"]
    assert tool.runs == 0


def test_contract_revisions_are_left_waiting() -> None:
    tool = Tool("a", "contract: b")
    done = migrate(tool, Session(tool), phase="expand")
    assert (done["after"], [step["revision"] for step in done["waiting"]]) == ("1", ["2"])


def test_what_was_seen_counts_for_more_than_what_a_revision_says() -> None:
    tool = Tool("drops a column without saying so")
    done = migrate(tool, Session(tool, {"items": NAME}, {"items": {}}))
    assert (done["kind"], done["breaking"]) == ("contract", ["items.name is gone"])


@pytest.mark.parametrize(("accepted", "kind"), [("", "contract"), ("nobody reads the log", "expand")])
def test_what_the_lint_says_counts_where_the_schema_shows_nothing(
    accepted: str, kind: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    finding = {
        "revision": "2",
        "rule": "ban-truncate-cascade",
        "sql": "TRUNCATE log CASCADE;",
        "message": "",
        "advice": "",
        "serious": not accepted,
        "breaking": True,
        "accepted": accepted,
    }
    (tmp_path / "0" / "bin").mkdir(parents=True)
    (tmp_path / "0" / "bin" / "squawk").touch()
    monkeypatch.setattr(_migrate.lint, "HOME", tmp_path)
    monkeypatch.setattr(_migrate.lint, "check", lambda *_arguments, **_more: [finding])
    tool = Tool("a", "b", at=1)
    done = migrate(tool, Session(tool), lint="warn")
    assert done["kind"] == kind
    assert done["breaking"] == ([] if accepted else ["2 has `TRUNCATE log CASCADE;` (ban-truncate-cascade)"])


@pytest.mark.parametrize(
    ("lint", "sql", "serious", "kind"),
    [
        ("warn", "ALTER TABLE items ADD note text;", False, "expand"),
        ("warn", "ALTER TABLE items ALTER code TYPE bigint;", True, "unknown"),
        ("warn", "", False, "unknown"),
        ("off", "ALTER TABLE items ADD note text;", False, "unknown"),
    ],
)
def test_without_a_database_to_look_at_only_what_was_read_is_known(
    lint: str, sql: str, serious: bool, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    finding = {"serious": True, "breaking": False, "accepted": "", "revision": "2", "rule": "r", "line": 1, "sql": sql}
    monkeypatch.setattr(_migrate.Migration, "_squawk", lambda _self: Path("squawk"))
    monkeypatch.setattr(_migrate.lint, "check", lambda *_arguments, **_more: [finding] if serious else [])
    monkeypatch.setattr(_migrate.lint, "told", lambda _finding: "")
    tool = Tool("a", "b")
    plan = {**tool.plan("head"), "before": ["1"]}
    plan["steps"] = [{**plan["steps"][1], "sql": sql}]
    tool.plan = lambda _state: plan  # type: ignore[method-assign]
    assert migrate(tool, lint=lint)["kind"] == kind


def test_a_lock_that_was_not_granted_is_tried_again() -> None:
    tool = Tool("a", failures=[LOCKED, LOCKED])
    assert migrate(tool, Session(tool))["attempts"] == 3


def test_it_gives_up_after_some_attempts() -> None:
    tool = Tool("a", failures=[LOCKED] * 9)
    with pytest.raises(StackError, match=r"longer than the lock_timeout, 3 times.*still at its beginning") as caught:
        migrate(tool, Session(tool), retries=2)
    assert (tool.runs, caught.value.details["attempts"]) == (3, 3)


def test_nothing_else_is_tried_again() -> None:
    tool = Tool("a", "b", at=1, failures=[REFUSED])
    with pytest.raises(
        StackError, match=r"to 2 failed: the database said: contains null values\. The database is still at 1"
    ):
        migrate(tool, Session(tool))
    assert tool.runs == 1


def test_what_may_have_left_something_behind_is_never_tried_again() -> None:
    tool = Tool("a", failures=[LOCKED], transactional=False)
    session = Session(tool, invalid=[[], [INVALID]])
    with pytest.raises(StackError, match=r"doesn't run in one transaction.*index by_name of items invalid: DROP INDEX"):
        migrate(tool, session)
    assert tool.runs == 1


def test_an_invalid_index_is_never_taken_for_the_one_that_is_wanted() -> None:
    tool = Tool("a")
    with pytest.raises(StackError, match="would leave it so: DROP INDEX CONCURRENTLY by_name; then run this again"):
        migrate(tool, Session(tool, invalid=[[INVALID]]))
    assert tool.runs == 0


def test_an_invalid_index_after_the_run_is_a_failure() -> None:
    tool = Tool("a")
    with pytest.raises(StackError, match="The migration ran, but the index by_name of items is invalid"):
        migrate(tool, Session(tool, invalid=[[], [INVALID]]))


def test_where_no_sql_can_be_read_any_invalid_index_is_in_the_way() -> None:
    tool = Tool("a")
    plan = tool.plan("head")
    plan["steps"][0]["sql"] = ""
    tool.plan = lambda _state: plan  # type: ignore[method-assign]
    with pytest.raises(StackError, match="the pending revisions may leave it so: DROP INDEX CONCURRENTLY by_name"):
        migrate(tool, Session(tool, invalid=[[INVALID]]))
    assert tool.runs == 0


def test_an_invalid_index_that_was_known_is_told_of_again() -> None:
    tool, told = Tool("a"), list[str]()
    other = {**INVALID, "index": "by_size"}
    migrate(tool, Session(tool, invalid=[[other], [other]]), told)
    assert [text for text in told if "by_size of items is invalid" in text]


def test_a_role_that_waits_without_end_is_told_of() -> None:
    tool, told = Tool("a"), list[str]()
    session = Session(tool)
    session.patience = "0"
    migrate(tool, session, told)
    assert ["lock_timeout = '3s'" in text and "app_migrate_url" in text for text in told] == [True]


def test_what_goes_on_in_the_database_is_ended() -> None:
    tool = Tool("a", at=0, failures=[KILLED])
    session = Session(tool)
    with pytest.raises(StackError, match=r"What went on in the database was ended: SELECT pg_sleep\(99\)"):
        migrate(tool, session)
    assert session.ended == ["m"]


def test_a_database_that_is_newer_is_left_alone() -> None:
    tool = Tool("a")
    plan = {**tool.plan("head"), "unknown": ["7"]}
    tool.plan = lambda _state: plan  # type: ignore[method-assign]
    with pytest.raises(StackError, match="at revision 7, which this release doesn't have"):
        migrate(tool, Session(tool))
    told = migrate(tool, Session(tool), ahead=True)
    assert (told["unknown"], told["changed"], told["kind"], told["pending"], tool.runs) == (["7"], False, "none", [], 0)


def test_a_command_without_revisions_is_judged_by_the_schema() -> None:
    tool = Tool("a")
    session = Session(tool, {"items": NAME}, {"items": {**NAME, "note": ("text", False, False)}})
    tool.run = lambda *_arguments, **_more: ([], "")  # type: ignore[method-assign]
    same = migrate(tool, session, named_by_schema=True)
    assert (same["changed"], same["kind"]) == (False, "none")
    tool.run = lambda *_arguments, **_more: (setattr(tool, "at", 1), ([], ""))[1]  # type: ignore[method-assign]
    plan = tool.plan("head")
    tool.plan = lambda _state: {**plan, "before": []}  # type: ignore[method-assign]
    moved = migrate(tool, session, named_by_schema=True)
    assert (moved["changed"], moved["kind"]) == (True, "expand")


def test_what_an_application_did_itself_is_seen() -> None:
    tool = Tool(at=1)
    session = Session(tool, {"items": NAME}, {"items": {**NAME, "note": ("text", False, False)}})
    told = migrate(tool, session, state="current", named_by_schema=True, since=Schema({"items": NAME}))
    assert (told["changed"], told["kind"], told["before"] == told["after"]) == (False, "expand", False)
    same = migrate(tool, session, state="current", named_by_schema=True, since=Schema.heard(told["schema"]))
    assert (same["kind"], same["before"] == same["after"]) == ("none", True)
    less = migrate(tool, session, state="current", since=Schema({**told["schema"]["tables"], "jobs": NAME}))
    assert (less["kind"], less["breaking"]) == ("contract", ["jobs is gone"])


def test_only_the_copy_is_touched() -> None:
    tool = Tool("a")
    assert migrate(tool, Session(tool), is_copy=True)["changed"]
    for elsewhere, told in (
        ("live", "leads to live, and not where DATABASE_URL does"),
        ("", "A command can't be tried"),
    ):
        tool = Tool("a")
        tool.database = elsewhere
        with pytest.raises(StackError, match=told):
            migrate(tool, Session(tool), is_copy=True)
        assert tool.runs == 0
