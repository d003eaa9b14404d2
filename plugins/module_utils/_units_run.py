# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module utility is private to slipway.stack: it may change in any release.
"""Bring units to their wanted states, as few calls of systemctl as it takes."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.slipway.stack.plugins.module_utils import _units as logic
from ansible_collections.slipway.stack.plugins.module_utils._errors import StackError
from ansible_collections.slipway.stack.plugins.module_utils._journal import last_lines


@dataclass(frozen=True)
class Options:
    """How it is done."""

    check_mode: bool = False
    diff: bool = False
    daemon_reload: str = "auto"
    wait: float = 0
    journal_lines: int = 20


def converge(entries: Iterable[Mapping[str, Any]], call: logic.Run, options: Options) -> dict[str, Any]:
    """Raises StackError where a unit doesn't reach its state."""
    wanted = logic.parse_wanted(entries)
    names = [want.name for want in wanted]
    if not names:
        return {"changed": False, "units": [], "unknown_units": [], "daemon_reloaded": False}
    before = logic.show(names, call)
    choice = options.daemon_reload
    reload_manager = choice == "always" or (choice == "auto" and logic.needs_daemon_reload(wanted, before))
    if reload_manager and not options.check_mode:
        reload_daemon(call)
        before = logic.show(names, call)
    logic.refuse_impossible(wanted, before, check_mode=options.check_mode)
    if options.check_mode:
        after = {want.name: logic.predict(want, before[want.name]) for want in wanted}
    else:
        units = _apply(wanted, before, call, options)
        after = {name: unit.summary() for name, unit in units.items()}
    reports = [_report(want, before[want.name], after[want.name]) for want in wanted]
    result: dict[str, Any] = {
        "changed": any(each["changed"] for each in reports),
        "units": reports,
        "unknown_units": [
            want.name for want in wanted if not before[want.name].is_known and logic.wants_it_to_exist(want)
        ],
        "daemon_reloaded": reload_manager,
    }
    if options.diff:
        result["diff"] = [logic.diff_of(each) for each in reports if each["changed"]]
    return result


def reload_daemon(call: logic.Run) -> None:
    code, _out, err = call(["systemctl", "daemon-reload"])
    if code != 0:
        raise StackError(f"systemctl daemon-reload failed: {err.strip()}")


def _apply(
    wanted: list[logic.Wanted], before: dict[str, logic.Unit], call: logic.Run, options: Options
) -> dict[str, logic.Unit]:
    steps = logic.steps(wanted, before)
    if not steps:
        return before
    complaints = [complaint for complaint in (logic.perform(step, call) for step in steps) if complaint]
    started = logic.started_by(steps)
    after = logic.await_up(wanted, started, call, options.wait, time.monotonic, time.sleep)
    failure = logic.failure(started, after, complaints, lambda name: last_lines(name, options.journal_lines, call))
    if failure:
        raise failure
    return after


def _report(want: logic.Wanted, before: logic.Unit, after: dict[str, str]) -> dict[str, Any]:
    verbs = logic.actions(want, before)
    return {
        "name": want.name,
        "changed": bool(verbs),
        "actions": verbs,
        "before": before.summary(),
        "after": after,
    }
