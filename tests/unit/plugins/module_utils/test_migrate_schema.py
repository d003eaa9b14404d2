# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an older release can't rely on any more, by the schema before and after."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.slipway.stack.plugins.module_utils._migrate_schema import (
    COLUMNS,
    Column,
    Rule,
    Schema,
    broken_promises,
    fingerprint,
    invalid_indexes,
    read_schema,
)

NAME = ("text", True, False)
CODE = ("text", False, False)
BEFORE = Schema({"items": {"name": NAME, "code": CODE}})


def items(**columns: Column) -> Schema:
    return Schema({"items": {"name": NAME, "code": CODE, **columns}})


@pytest.mark.parametrize(
    "after",
    [
        BEFORE,
        items(note=("text", False, False)),
        items(count=("integer", True, True)),
        Schema({**BEFORE.tables, "jobs": {"id": ("uuid", True, False)}}),
        items(name=("text", False, False)),
    ],
    ids=["nothing", "a column", "one that the database gives", "a table", "one that needn't be given any more"],
)
def test_what_is_added_troubles_nobody(after: Schema) -> None:
    assert broken_promises(BEFORE, after) == []


@pytest.mark.parametrize(
    ("after", "broken"),
    [
        (Schema({}), ["items is gone"]),
        (Schema({"items": {"name": NAME}}), ["items.code is gone"]),
        (Schema({"items": {"name": NAME, "renamed": CODE}}), ["items.code is gone"]),
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
    broken = broken_promises(Schema({"t": {"c": (before, False, False)}}), Schema({"t": {"c": (after, False, False)}}))
    assert (broken == []) is fits


def keeping_to(definition: str, kind: str, *names: str, **columns: Column) -> Schema:
    return Schema(items(**columns).tables, {"items": {definition: Rule(kind, sorted(names))}})


@pytest.mark.parametrize(
    "after",
    [
        keeping_to("CHECK (name <> '')", "c", "name"),
        keeping_to("CHECK (note <> code)", "c", "note", "code", note=("text", False, False)),
        keeping_to("CHECK (now() < '2030-01-01')", "c"),
        keeping_to("UNIQUE (name)", "u", "name"),
        keeping_to("UNIQUE INDEX ON items USING btree (lower(name))", "u"),
        keeping_to("UNIQUE (size)", "u", "size", size=("integer", True, True)),
        keeping_to("FOREIGN KEY (code) REFERENCES codes(code)", "f", "code"),
        keeping_to("EXCLUDE USING gist (name WITH =)", "x", "name"),
    ],
    ids=lambda after: next(iter(after.rules["items"])),
)
def test_a_rule_that_could_refuse_what_the_old_release_writes_is_named(after: Schema) -> None:
    (definition,) = after.rules["items"]
    assert broken_promises(BEFORE, after) == [f"items has to keep to {definition}"]


@pytest.mark.parametrize(
    "after",
    [
        keeping_to("CHECK (size > 0)", "c", "size", size=("integer", True, True)),
        keeping_to("UNIQUE (slug)", "u", "slug", slug=("text", False, False)),
        keeping_to("FOREIGN KEY (owner) REFERENCES users(id)", "f", "owner", owner=("integer", False, False)),
        Schema(BEFORE.tables, {"jobs": {"UNIQUE (name)": Rule("u", ["name"])}}),
    ],
)
def test_a_rule_for_what_the_old_release_never_writes_troubles_nobody(after: Schema) -> None:
    assert broken_promises(BEFORE, after) == []


def test_a_rule_that_was_there_or_asks_for_less_troubles_nobody() -> None:
    before = keeping_to("PRIMARY KEY (code)", "p", "code")
    assert broken_promises(before, before) == []
    assert broken_promises(before, keeping_to("PRIMARY KEY (name, code)", "p", "name", "code")) == []
    assert broken_promises(before, items()) == []


def test_a_schema_is_read_without_the_name_of_the_usual_one() -> None:
    columns = [("public.items", "name", "text", True, False), ("audit.log", "id", "bigint", True, True)]
    rules = [("public.items", "UNIQUE (name, code)", "u", ["name", "code"])]
    found = read_schema(lambda query: columns if query is COLUMNS else rules)
    assert found == Schema(
        {"items": {"name": ("text", True, False)}, "audit.log": {"id": ("bigint", True, True)}},
        {"items": {"UNIQUE (name, code)": Rule("u", ["code", "name"])}},
    )
    assert Schema.heard(json.loads(json.dumps(found.told()))) == found
    assert Schema.heard({}) == Schema({})


def test_a_fingerprint_changes_with_the_schema_alone() -> None:
    assert fingerprint(BEFORE) == fingerprint(Schema({"items": {"code": CODE, "name": NAME}}))
    assert fingerprint(BEFORE) != fingerprint(items(note=("text", False, False)))
    assert fingerprint(BEFORE) != fingerprint(keeping_to("UNIQUE (name)", "u", "name"))
    assert fingerprint(Schema({})) == ""


def test_an_invalid_index_comes_with_its_mend() -> None:
    rows: list[tuple[Any, ...]] = [("public", "by_name", "items", "CREATE INDEX by_name ON public.items (name)")]
    (index,) = invalid_indexes(lambda _query: rows)
    assert index["index"] == "by_name"
    assert index["mend"] == (
        'DROP INDEX CONCURRENTLY "public"."by_name"; then CREATE INDEX CONCURRENTLY by_name ON public.items (name)'
    )
