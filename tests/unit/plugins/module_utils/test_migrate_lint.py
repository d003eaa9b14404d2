# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What squawk finds, as the one who migrates is told."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from ansible_collections.slipway.stack.plugins.module_utils._migrate_lint import check, read_findings, told
from ansible_collections.slipway.stack.plugins.module_utils._migrate_plan import Step

SQL = "BEGIN;\nALTER TABLE items DROP COLUMN code;\nCOMMIT;\n"


def step(kind: str = "expand", exceptions: Mapping[str, str] | None = None, sql: str = SQL) -> Step:
    return Step("r1", (), "drop it", kind, False, True, sql, "", exceptions or {})


def answer(*rules: str, line: int = 1) -> str:
    return json.dumps([{"rule_name": rule, "line": line, "message": "It may break.", "help": None} for rule in rules])


def finding(rule: str, **more: Any) -> dict[str, Any]:
    (found,) = read_findings(step(**more), answer(rule))
    return found


def test_a_finding_shows_the_line_that_it_is_about() -> None:
    found = finding("ban-drop-column")
    assert (found["line"], found["sql"]) == (2, "ALTER TABLE items DROP COLUMN code;")
    assert "r1: ban-drop-column: `ALTER TABLE items DROP COLUMN code;`. It may break. Release what" in told(found)


@pytest.mark.parametrize(
    ("rule", "serious"),
    [
        ("ban-drop-column", True),
        ("renaming-table", True),
        ("adding-required-field", True),
        ("require-concurrent-index-creation", True),
        ("changing-column-type", True),
        ("ban-drop-not-null", False),
    ],
)
def test_what_blocks_or_breaks_is_serious(rule: str, serious: bool) -> None:
    assert finding(rule)["serious"] is serious


def test_taste_is_not_mentioned() -> None:
    assert read_findings(step(), answer("prefer-text-field", "require-lock-timeout", "prefer-robust-stmts")) == []


def test_a_contract_revision_takes_away_on_purpose_but_may_not_block() -> None:
    assert not finding("ban-drop-column", kind="contract")["serious"]
    assert finding("require-concurrent-index-deletion", kind="contract")["serious"]


def test_an_exception_is_accepted_with_its_reason() -> None:
    found = finding("ban-drop-column", exceptions={"ban-drop-column": "nobody reads it"})
    assert not found["serious"]
    assert told(found).endswith("Accepted: nobody reads it.")


@pytest.mark.parametrize(
    ("statement", "remains"),
    [
        ("ALTER TABLE items DROP COLUMN code;", True),
        ('ALTER TABLE ONLY "public"."items" DROP COLUMN code;', True),
        ("CREATE INDEX i ON fresh (name);", False),
        ('ALTER TABLE "fresh" ADD CONSTRAINT c UNIQUE (name);', False),
        ('ALTER TABLE app."my-fresh" DROP COLUMN code;', False),
        # It stands in a schema that the search_path says, or is written otherwise.
        ("ALTER TABLE Items DROP COLUMN code;", True),
        ("ALTER TABLE orders DROP COLUMN code;", True),
        ("DROP TABLE elsewhere;", True),
        ("TRUNCATE items CASCADE;", True),
    ],
)
def test_nobody_waits_for_a_table_that_is_about_to_be_made(
    statement: str, remains: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "ansible_collections.slipway.stack.plugins.module_utils._migrate_lint._ask",
        lambda *_arguments: answer("ban-drop-column", line=0),
    )
    made = '\nCREATE TABLE fresh (id int);\nCREATE TABLE IF NOT EXISTS app."my-fresh" (id int);\nCREATE TABLE orders (id int);'
    tables = {"items": {}, "app.orders": {}}
    found = check(None, [step(sql=statement + made)], postgres=17, tables=tables)  # type: ignore[arg-type]
    assert bool(found) is remains
