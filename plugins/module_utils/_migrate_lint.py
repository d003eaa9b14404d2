# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module utility is private to slipway.stack: it may change in any release.
"""What squawk finds in the SQL of revisions before it is run."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.slipway.stack.plugins.module_utils._command import run_bounded
from ansible_collections.slipway.stack.plugins.module_utils._errors import StackError
from ansible_collections.slipway.stack.plugins.module_utils._index_program import install_program
from ansible_collections.slipway.stack.plugins.module_utils._migrate_plan import CONTRACT, Step

HOME = Path("/opt/slipway/squawk")
_SECONDS = 60
# What takes away something that the running release reads or writes. Of a contract revision it is the purpose.
_BREAKING = {
    "ban-drop-column",
    "ban-drop-table",
    "ban-drop-database",
    "ban-truncate-cascade",
    "renaming-column",
    "renaming-table",
    "adding-required-field",
}
# What keeps visitors waiting for as long as a table is read or written.
_BLOCKING = {
    "adding-field-with-default",
    "adding-foreign-key-constraint",
    "adding-not-nullable-field",
    "adding-serial-primary-key-field",
    "changing-column-type",
    "constraint-missing-not-valid",
    "disallowed-unique-constraint",
    "require-concurrent-index-creation",
    "require-concurrent-index-deletion",
    "require-concurrent-partition-attach",
    "require-concurrent-partition-detach",
    "require-concurrent-reindex",
}
# The role's settings do it, or it is a matter of taste.
_SILENT = {
    "ban-char-field",
    "ban-uncommitted-transaction",
    "prefer-bigint-over-int",
    "prefer-bigint-over-smallint",
    "prefer-identity",
    "prefer-repack",
    "prefer-robust-stmts",
    "prefer-text-field",
    "prefer-timestamptz",
    "prefer-timestamp-tz",
    "require-lock-timeout",
    "require-statement-timeout",
    "require-timeout-settings",
    "transaction-nesting",
}
_TABLE = re.compile(
    r"""^(?:ALTER\s+TABLE\s+(?:IF\s+EXISTS\s+)?(?:ONLY\s+)?|DROP\s+TABLE\s+(?:IF\s+EXISTS\s+)?|"""
    r"""CREATE\s+(?:UNIQUE\s+)?INDEX\s.*?\sON\s+(?:ONLY\s+)?)(?P<name>(?:"[^"]+"|[\w.])+)""",
    re.IGNORECASE,
)
_MADE = re.compile(r"""\bCREATE\s+TABLE\s+(?:IF\s+NOT\s+EXISTS\s+)?(?P<name>(?:"[^"]+"|[\w.])+)""", re.IGNORECASE)
_ADVICE = {
    "ban-drop-column": "Release what doesn't use it first, then drop it in a contract revision.",
    "ban-drop-table": "Release what doesn't use it first, then drop it in a contract revision.",
    "renaming-column": "Add the new column, write to both, and drop the old one in a later contract revision.",
    "renaming-table": "Make a view under the old name, or copy in steps.",
    "changing-column-type": "Add a column of the new type, fill it in batches, and change over to it.",
}


def install(version: str) -> Path:
    return install_program(HOME, "squawk", "squawk-cli", version)


def check(
    squawk: Path, steps: Sequence[Step], *, postgres: int, tables: Collection[str] | None
) -> list[dict[str, Any]]:
    """What is to be said of each revision, where it is known about tables that there are."""
    findings: list[dict[str, Any]] = []
    for step in steps:
        if step.sql:
            findings += read_findings(step, _ask(squawk, step, postgres))
    if tables is None:
        return findings
    made = {_bare(found["name"]) for step in steps for found in _MADE.finditer(step.sql)}
    # A name may stand without its schema, which the session's search_path says.
    new = made - {table.rpartition(".")[2] for table in tables}
    return [finding for finding in findings if _concerns(finding["sql"], new)]


def _concerns(statement: str, new: Collection[str]) -> bool:
    """Nobody waits for a table that these revisions are about to make."""
    found = _TABLE.search(statement)
    return found is None or _bare(found["name"]) not in new


def _bare(name: str) -> str:
    """A table's own name, as PostgreSQL knows it: in lower case where it isn't quoted."""
    last = str(re.findall(r'"[^"]+"|[^."]+', name)[-1])
    return last[1:-1] if last.startswith('"') else last.lower()


def _ask(squawk: Path, step: Step, postgres: int) -> str:
    words = [str(squawk), "--reporter=json", "--stdin-filepath=revision.sql"]
    if postgres:
        words.append(f"--pg-version={postgres}")
    try:
        done = run_bounded(words, input=step.sql, capture_output=True, text=True, timeout=_SECONDS)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise StackError(f"squawk can't be run: {error}.") from error
    if done.returncode not in (0, 1):
        raise StackError(f"squawk failed with exit status {done.returncode}: {done.stderr.strip()[:300]}.")
    return str(done.stdout)


def read_findings(step: Step, answer: str) -> list[dict[str, Any]]:
    lines = step.sql.splitlines()
    found = []
    for each in json.loads(answer or "[]"):
        rule = each["rule_name"]
        if rule in _SILENT:
            continue
        # squawk counts from 0.
        line = lines[each["line"]].strip() if each["line"] < len(lines) else ""
        expected = step.kind == CONTRACT and rule in _BREAKING
        found.append(
            {
                "revision": step.revision,
                "rule": rule,
                "line": each["line"] + 1,
                "sql": line,
                "message": each["message"],
                "advice": _ADVICE.get(rule) or each.get("help") or "",
                "serious": rule in _BREAKING | _BLOCKING and not expected and rule not in step.exceptions,
                "breaking": rule in _BREAKING,
                "accepted": "a contract revision is for that" if expected else step.exceptions.get(rule, ""),
            }
        )
    return found


def told(finding: Mapping[str, Any]) -> str:
    """One line for people."""
    accepted = f" Accepted: {finding['accepted']}." if finding["accepted"] else ""
    advice = f" {finding['advice']}" if finding["advice"] else ""
    return f"{finding['revision']}: {finding['rule']}: `{finding['sql']}`. {finding['message']}{advice}{accepted}"
