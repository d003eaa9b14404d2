# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module utility is private to slipway.stack: it may change in any release.
"""What a schema looks like to a release, and whether a change of it takes away what an old release relies on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass, field
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
# What rows have to keep to: constraints, and unique indexes that back none. Of an expression no column is told.
RULES = """
    SELECT n.nspname || '.' || c.relname, regexp_replace(r.definition, ' NOT VALID$', ''), r.kind,
           ARRAY(SELECT a.attname::text FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum = ANY (r.columns))
    FROM (SELECT conrelid, pg_get_constraintdef(oid), contype::text, conkey
          FROM pg_constraint WHERE contype IN ('c', 'f', 'p', 'u', 'x')
          UNION ALL
          SELECT x.indrelid, regexp_replace(pg_get_indexdef(x.indexrelid), '^CREATE UNIQUE INDEX .+? ON ', 'UNIQUE INDEX ON '),
                 CASE WHEN x.indpred IS NULL THEN 'u' ELSE 'x' END,
                 CASE WHEN 0 = ANY (x.indkey) THEN '{}' ELSE x.indkey::int2[] END
          FROM pg_index x
          WHERE x.indisunique AND NOT EXISTS (SELECT FROM pg_constraint o WHERE o.conindid = x.indexrelid AND o.contype IN ('p', 'u', 'x')))
         AS r (relation, definition, kind, columns)
         JOIN pg_class c ON c.oid = r.relation JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'
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
Column = tuple[str, bool, bool]
_UNIQUE, _FOREIGN = ("p", "u"), "f"


@dataclass(frozen=True)
class Rule:
    """What rows have to keep to. The kind is PostgreSQL's letter for it."""

    kind: str
    columns: list[str]


@dataclass(frozen=True)
class Schema:
    """The columns of each table, and its rules by their definitions."""

    tables: dict[str, dict[str, Column]]
    rules: dict[str, dict[str, Rule]] = field(default_factory=dict)

    def told(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def heard(cls, told: Mapping[str, Any]) -> Schema:
        """From what was told; empty from nothing."""
        return cls(
            {
                table: {
                    name: (str(kind), bool(required), bool(given)) for name, (kind, required, given) in columns.items()
                }
                for table, columns in told.get("tables", {}).items()
            },
            {
                table: {definition: Rule(**rule) for definition, rule in rules.items()}
                for table, rules in told.get("rules", {}).items()
            },
        )


def read_schema(query: Query) -> Schema:
    schema = Schema({})
    for table, column, kind, required, given in query(COLUMNS):
        schema.tables.setdefault(table.removeprefix("public."), {})[column] = (kind, required, given)
    for table, definition, kind, columns in query(RULES):
        schema.rules.setdefault(table.removeprefix("public."), {})[definition] = Rule(kind, sorted(columns))
    return schema


def fingerprint(schema: Schema) -> str:
    """A name for what a schema looks like, where the tool has none. Nothing has none."""
    told = json.dumps(schema.told(), sort_keys=True)
    return hashlib.sha256(told.encode()).hexdigest()[:12] if schema.tables else ""


def broken_promises(before: Schema, after: Schema) -> list[str]:
    """What a release that knows the schema as it was can't rely on any more, one phrase each."""
    found: list[str] = []
    for table, columns in sorted(before.tables.items()):
        if table not in after.tables:
            found.append(f"{table} is gone")
            continue
        found += _broken_columns(table, columns, after.tables[table])
        known = before.rules.get(table, {})
        found += [
            f"{table} has to keep to {definition}"
            for definition, rule in sorted(after.rules.get(table, {}).items())
            if definition not in known and _may_refuse(rule, columns, after.tables[table], known.values())
        ]
    return found


def _may_refuse(rule: Rule, before: Mapping[str, Column], after: Mapping[str, Column], known: Collection[Rule]) -> bool:
    """Whether a rule could refuse rows of who knows neither it nor the columns that are new."""
    new = [name for name in rule.columns if name not in before]
    if rule.kind in _UNIQUE and any(
        each.kind in _UNIQUE and set(each.columns) <= set(rule.columns) for each in known if each.columns
    ):
        return False
    if rule.kind in (*_UNIQUE, _FOREIGN):
        # What isn't given there is null, which is like nothing else and refers to nothing.
        return not any(not after[name][1] and not after[name][2] for name in new)
    return not rule.columns or len(new) < len(rule.columns)


def _broken_columns(table: str, before: Mapping[str, Column], after: Mapping[str, Column]) -> list[str]:
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
