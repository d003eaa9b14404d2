# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an older release can't rely on any more, by the schema before and after."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.slipway.stack.plugins.module_utils._migrate_schema import (
    Schema,
    broken_promises,
    fingerprint,
    invalid_indexes,
    read_schema,
)

NAME = ("text", True, False)
CODE = ("text", False, False)
BEFORE: Schema = {"items": {"name": NAME, "code": CODE}}


def items(**columns: tuple[str, bool, bool]) -> Schema:
    return {"items": {"name": NAME, "code": CODE, **columns}}


@pytest.mark.parametrize(
    "after",
    [
        BEFORE,
        items(note=("text", False, False)),
        items(count=("integer", True, True)),
        {**BEFORE, "jobs": {"id": ("uuid", True, False)}},
        items(name=("text", False, False)),
    ],
    ids=["nothing", "a column", "one that the database gives", "a table", "one that needn't be given any more"],
)
def test_what_is_added_troubles_nobody(after: Schema) -> None:
    assert broken_promises(BEFORE, after) == []


@pytest.mark.parametrize(
    ("after", "broken"),
    [
        ({}, ["items is gone"]),
        ({"items": {"name": NAME}}, ["items.code is gone"]),
        ({"items": {"name": NAME, "renamed": CODE}}, ["items.code is gone"]),
        (items(owner=("text", True, False)), ["items.owner is new and must be given"]),
        (items(code=("text", True, False)), ["items.code must be given now"]),
        (items(code=("integer", False, False)), ["items.code is integer and no longer text"]),
    ],
)
def test_what_is_taken_away_is_named(after: Schema, broken: list[str]) -> None:
    assert broken_promises(BEFORE, after) == broken


@pytest.mark.parametrize(
    ("before", "after", "fits"),
    [
        ("integer", "bigint", True),
        ("bigint", "integer", False),
        ("character varying(40)", "character varying(80)", True),
        ("character varying(80)", "character varying(40)", False),
        ("character varying(80)", "text", True),
        ("text", "character varying(80)", False),
        ("numeric(8,2)", "text", False),
    ],
)
def test_a_wider_type_holds_what_the_narrower_held(before: str, after: str, fits: bool) -> None:
    broken = broken_promises({"t": {"c": (before, False, False)}}, {"t": {"c": (after, False, False)}})
    assert (broken == []) is fits


def test_a_schema_is_read_without_the_name_of_the_usual_one() -> None:
    rows = [("public.items", "name", "text", True, False), ("audit.log", "id", "bigint", True, True)]
    assert read_schema(lambda _query: rows) == {
        "items": {"name": ("text", True, False)},
        "audit.log": {"id": ("bigint", True, True)},
    }


def test_a_fingerprint_changes_with_the_schema_alone() -> None:
    assert fingerprint(BEFORE) == fingerprint({"items": {"code": CODE, "name": NAME}})
    assert fingerprint(BEFORE) != fingerprint(items(note=("text", False, False)))


def test_an_invalid_index_comes_with_its_mend() -> None:
    rows: list[tuple[Any, ...]] = [("public", "by_name", "items", "CREATE INDEX by_name ON public.items (name)")]
    (index,) = invalid_indexes(lambda _query: rows)
    assert index["index"] == "by_name"
    assert index["mend"] == (
        'DROP INDEX CONCURRENTLY "public"."by_name"; then CREATE INDEX CONCURRENTLY by_name ON public.items (name)'
    )
