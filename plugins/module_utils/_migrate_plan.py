# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module utility is private to slipway.stack: it may change in any release.
"""What is to be migrated, in which phase, and what may be tried again. Nothing here touches a database."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.slipway.stack.plugins.module_utils._errors import StackError

EXPAND, CONTRACT = "expand", "contract"
_MARK = re.compile(r"contract\s*:", re.IGNORECASE)
_EXCEPTION = re.compile(r"^\s*squawk-ignore\s+([\w-]+(?:\s*,\s*[\w-]+)*)\s*(?::\s*(\S.*))?$", re.MULTILINE)
# What the database calls a lock that wasn't granted in time.
_LOCK_NOT_AVAILABLE = "55P03"
_LOCK_TIMEOUT = re.compile(r"canceling statement due to lock timeout|could not obtain lock on")


@dataclass(frozen=True)
class Step:
    """One revision that is pending, or that is to be taken back."""

    revision: str
    parents: tuple[str, ...]
    message: str
    kind: str
    back: bool
    transactional: bool
    sql: str
    sql_problem: str
    # Rules of the lint that its author has an exception from, with the reason.
    exceptions: Mapping[str, str]

    def told(self) -> dict[str, Any]:
        names = ("revision", "message", "kind", "transactional", "sql", "sql_problem")
        return {name: getattr(self, name) for name in names}


def read_steps(found: Iterable[Mapping[str, Any]], contract: Sequence[str] = ()) -> list[Step]:
    """Steps as a tool describes them; contract names the revisions that bear no mark."""
    return [_read_step(each, contract) for each in found]


def _read_step(found: Mapping[str, Any], contract: Sequence[str]) -> Step:
    text = str(found["text"]).strip()
    message = text.partition("\n")[0].strip()
    exceptions: dict[str, str] = {}
    for rules, reason in _EXCEPTION.findall(text):
        if not reason:
            raise StackError(
                f"revision {found['revision']} says squawk-ignore {rules} but not why: write the reason after a colon "
                f"(squawk-ignore {rules}: nobody has read it since v1.2)."
            )
        exceptions.update({rule.strip(): reason.strip() for rule in rules.split(",")})
    return Step(
        revision=found["revision"],
        parents=tuple(found["parents"]),
        message=message,
        kind=CONTRACT if _MARK.match(message) or found.get("contract") or found["revision"] in contract else EXPAND,
        back=found["back"],
        transactional=found["transactional"],
        sql=found["sql"],
        sql_problem=found["sql_problem"],
        exceptions=exceptions,
    )


def in_phase(steps: Sequence[Step], phase: str) -> list[Step]:
    """Those steps that belong to the phase. Raises StackError where an expand revision stands on a contract one."""
    if phase == "all" or any(step.back for step in steps):
        return list(steps)
    behind: dict[str, str] = {}
    for step in steps:
        blocking = next((behind[parent] for parent in step.parents if parent in behind), "")
        if step.kind == CONTRACT:
            blocking = blocking or step.revision
        elif blocking:
            raise StackError(
                f"the expand revision {step.revision} comes after the contract revision {blocking}, which has to wait "
                f"until nothing of the old release runs: put {blocking} last, or release it before (with "
                "slipway.stack.contract) and this one after."
            )
        if blocking:
            behind[step.revision] = blocking
    if phase == CONTRACT and any(step.kind == EXPAND for step in steps):
        names = ", ".join(step.revision for step in steps if step.kind == EXPAND)
        raise StackError(f"{names} must be released first, since they are no contract revisions: run an upgrade.")
    return [step for step in steps if step.kind == phase]


def is_lock_wait(error: Mapping[str, str], output: str) -> bool:
    """Whether nothing was wrong but a lock that wasn't granted in time."""
    if error.get("sqlstate"):
        return error["sqlstate"] == _LOCK_NOT_AVAILABLE
    return bool(_LOCK_TIMEOUT.search(output))


def may_retry(steps: Sequence[Step], left: Sequence[str]) -> bool:
    """Whether what failed has left nothing behind: the first revision that is still pending runs in one transaction."""
    pending = [step for step in steps if step.revision in left]
    return bool(pending) and pending[0].transactional


def pause(attempt: int) -> float:
    """Seconds before the next attempt, so that what waited behind the migration gets through."""
    return float(min(2**attempt, 30))
