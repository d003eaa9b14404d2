# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module utility is private to slipway.stack: it may change in any release.
"""What a schema looks like to a release, and whether a change of it takes away what an old release relies on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any

Query = Callable[[str], list[tuple[Any, ...]]]

COLUMNS = """
    SELECT n.nspname || '.' || c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
           a.atthasdef OR a.attidentity <> ''
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
      AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'
      AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')
"""
# Left behind by CREATE INDEX CONCURRENTLY when it failed: it costs each write, and serves no query. One that is being built
# right now looks the same but for its builder.
INVALID_INDEXES = """
    SELECT n.nspname, i.relname, t.relname, pg_get_indexdef(i.oid)
    FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_class t ON t.oid = x.indrelid
         JOIN pg_namespace n ON n.oid = i.relnamespace
    WHERE NOT x.indisvalid AND i.relkind = 'i'
      AND NOT EXISTS (SELECT FROM pg_stat_progress_create_index p WHERE p.index_relid = x.indexrelid)
    ORDER BY 1, 2
"""
# What a column looks like: its type, whether it must be given, and whether the database gives it.
Schema = dict[str, dict[str, tuple[str, bool, bool]]]


def read_schema(query: Query) -> Schema:
    tables: Schema = {}
    for table, column, kind, required, given in query(COLUMNS):
        tables.setdefault(table.removeprefix("public."), {})[column] = (kind, required, given)
    return tables


def fingerprint(schema: Schema) -> str:
    """A name for what a schema looks like, where the tool has none."""
    return hashlib.sha256(json.dumps(schema, sort_keys=True).encode()).hexdigest()[:12]


def broken_promises(before: Schema, after: Schema) -> list[str]:
    """What a release that knows the schema as it was can't rely on any more, one phrase each."""
    found: list[str] = []
    for table, columns in sorted(before.items()):
        if table not in after:
            found.append(f"{table} is gone")
            continue
        found += _broken_columns(table, columns, after[table])
    return found


def _broken_columns(
    table: str, before: Mapping[str, tuple[str, bool, bool]], after: Mapping[str, tuple[str, bool, bool]]
) -> list[str]:
    found: list[str] = []
    for name, (kind, required, given) in sorted(before.items()):
        if name not in after:
            found.append(f"{table}.{name} is gone")
            continue
        new_kind, new_required, new_given = after[name]
        if new_kind != kind and not _is_wider(kind, new_kind):
            found.append(f"{table}.{name} is {new_kind} and no longer {kind}")
        if (new_required and not required) or (new_required and given and not new_given):
            found.append(f"{table}.{name} must be given now")
    for name, (_kind, required, given) in sorted(after.items()):
        if name not in before and required and not given:
            found.append(f"{table}.{name} is new and must be given")
    return found


def _is_wider(before: str, after: str) -> bool:
    """Whether whatever fits into the one type fits into the other, and reads the same."""
    texts = ("character varying", "text")
    if before.startswith(texts) and after.startswith(texts):
        return after in texts or (before not in texts and _length(before) <= _length(after))
    return (before, after) in {("smallint", "integer"), ("smallint", "bigint"), ("integer", "bigint")}


def _length(kind: str) -> int:
    digits = "".join(letter for letter in kind if letter.isdigit())
    return int(digits or 0)


def invalid_indexes(query: Query) -> list[dict[str, str]]:
    """Each with the statements that mend it."""
    return [
        {
            "index": f"{schema}.{index}".removeprefix("public."),
            "table": table,
            "mend": f'DROP INDEX CONCURRENTLY "{schema}"."{index}"; then {definition.replace("INDEX", "INDEX CONCURRENTLY", 1)}',
        }
        for schema, index, table, definition in query(INVALID_INDEXES)
    ]
