# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module utility is private to slipway.stack: it may change in any release.

from __future__ import annotations

import glob
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.slipway.stack.plugins.module_utils._errors import StackError

Run = Callable[[list[str]], tuple[int, str, str]]
Clock = Callable[[], float]
Sleep = Callable[[float], None]

PROPERTIES = (
    "LoadState",
    "ActiveState",
    "SubState",
    "UnitFileState",
    "NeedDaemonReload",
    "Result",
    "ExecMainCode",
    "ExecMainStatus",
    "Type",
    "ConditionResult",
    "FragmentPath",
    "DropInPaths",
)
SEARCH_PATH = ("/etc/systemd/system", "/run/systemd/system", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system")
_UNIT_NAME = re.compile(
    r"[A-Za-z0-9:_.\\-]+(?:@[A-Za-z0-9:_.\\-]+)?"
    r"\.(?:service|socket|timer|target|path|mount|automount|swap|slice|scope|device)"
)
_RUNNING = ("active", "reloading", "refreshing")
_STOPPED = ("inactive", "failed")
# Nothing remains to be enabled about these: they have no [Install] section, or another unit's link starts them.
_AS_GOOD_AS_ENABLED = ("enabled", "static", "alias", "generated", "indirect", "transient")
_LINKED_INTO_BOOT = ("enabled", "enabled-runtime")
_EXITED_BY_ITSELF = "1"
_POLL_S = 0.2


@dataclass(frozen=True)
class Wanted:
    name: str
    state: str | None
    enabled: bool | None


@dataclass(frozen=True)
class Unit:
    """One unit as systemd reports it."""

    name: str
    load: str
    active: str
    sub: str
    enabled: str
    needs_reload: bool
    result: str
    exit_code: str
    exit_status: str
    type: str
    conditions_met: bool
    fragment: str
    drop_ins: tuple[str, ...]

    @property
    def is_known(self) -> bool:
        return self.load != "not-found"

    @property
    def is_up(self) -> bool:
        """A oneshot that is inactive has done its work; whatever else isn't running after its start has failed."""
        done = self.type == "oneshot" and self.active == "inactive" and self.result == "success"
        return self.active in _RUNNING or (done and self.conditions_met)

    def summary(self) -> dict[str, str]:
        return {"load": self.load, "active": self.active, "sub": self.sub, "enabled": self.enabled}


@dataclass(frozen=True)
class Step:
    """One call of systemctl for all units that need the same."""

    verb: str
    names: list[str]


def parse_wanted(entries: Iterable[Mapping[str, Any]]) -> list[Wanted]:
    wanted = [Wanted(entry["name"], entry["state"], entry["enabled"]) for entry in entries]
    seen: set[str] = set()
    for unit in wanted:
        if not _UNIT_NAME.fullmatch(unit.name):
            raise StackError(
                f"{unit.name!r} isn't the full name of a unit: give it with its suffix and, "
                "for a template, its instance, as in app-web@blue.service."
            )
        if unit.name in seen:
            raise StackError(f"{unit.name} is listed twice in units.")
        seen.add(unit.name)
    return wanted


def show(names: Sequence[str], run: Run) -> dict[str, Unit]:
    code, out, err = run(["systemctl", "show", f"--property={','.join(PROPERTIES)}", "--", *names])
    blocks = [_properties(block) for block in out.strip("\n").split("\n\n")]
    if code != 0 or len(blocks) != len(names):
        raise StackError(f"systemctl could not show the units: {err.strip() or out.strip()}")
    return {name: _unit(name, block) for name, block in zip(names, blocks, strict=True)}


def _properties(block: str) -> dict[str, str]:
    return dict(line.partition("=")[::2] for line in block.splitlines() if "=" in line)


def _unit(name: str, properties: Mapping[str, str]) -> Unit:
    return Unit(
        name=name,
        load=properties.get("LoadState", ""),
        active=properties.get("ActiveState", ""),
        sub=properties.get("SubState", ""),
        enabled=properties.get("UnitFileState", ""),
        needs_reload=properties.get("NeedDaemonReload") == "yes",
        result=properties.get("Result", "success"),
        exit_code=properties.get("ExecMainCode", ""),
        exit_status=properties.get("ExecMainStatus", ""),
        type=properties.get("Type", ""),
        conditions_met=properties.get("ConditionResult") != "no",
        fragment=properties.get("FragmentPath", ""),
        drop_ins=tuple(properties.get("DropInPaths", "").split()),
    )


def needs_daemon_reload(
    wanted: Iterable[Wanted], units: Mapping[str, Unit], search_path: Sequence[str] = SEARCH_PATH
) -> bool:
    return any(_is_outdated(units[want.name], search_path) for want in wanted if wants_it_to_exist(want))


def _is_outdated(unit: Unit, search_path: Sequence[str]) -> bool:
    """Whether systemd has something else in memory than what lies on the disk.

    NeedDaemonReload overlooks a drop-in directory, or an overriding unit file, that is new since the last reload.
    """
    if unit.load == "masked":
        return False
    if unit.needs_reload or unit.load != "loaded":
        return True
    drop_ins = {os.path.basename(path) for path in unit.drop_ins}
    fragments = _fragments_on_disk(unit.name, search_path)
    overridden = bool(fragments and unit.fragment) and os.path.realpath(fragments[0]) != os.path.realpath(unit.fragment)
    return overridden or not _drop_ins_on_disk(unit.name, search_path) <= drop_ins


def _fragments_on_disk(name: str, search_path: Sequence[str]) -> list[str]:
    candidates = [os.path.join(directory, each) for each in _names_and_template(name) for directory in search_path]
    return [path for path in candidates if os.path.isfile(path)]


def _drop_ins_on_disk(name: str, search_path: Sequence[str]) -> set[str]:
    patterns = (
        os.path.join(directory, f"{each}.d", "*.conf")
        for each in _names_and_template(name)
        for directory in search_path
    )
    found = (path for pattern in patterns for path in glob.glob(pattern))
    return {os.path.basename(path) for path in found if os.path.realpath(path) != os.devnull}


def _names_and_template(name: str) -> list[str]:
    prefix, at, rest = name.partition("@")
    return [name, f"{prefix}@.{rest.rpartition('.')[2]}"] if at else [name]


def wants_it_to_exist(wanted: Wanted) -> bool:
    return wanted.enabled is True or wanted.state in ("started", "restarted", "reloaded")


def refuse_impossible(wanted: Iterable[Wanted], units: Mapping[str, Unit], *, check_mode: bool) -> None:
    for want in wanted:
        unit = units[want.name]
        if not wants_it_to_exist(want) or unit.load == "loaded":
            continue
        if unit.load == "masked":
            raise StackError(f"{want.name} is masked: unmask it first (systemctl unmask {want.name}).")
        if unit.is_known:
            raise StackError(f"{want.name} can't be loaded ({unit.load}): systemd-analyze verify {want.name} says why.")
        if not check_mode:
            raise StackError(f"{want.name} doesn't exist on this host.")


def actions(want: Wanted, unit: Unit) -> list[str]:
    """The systemctl verbs that bring one unit from what it is to what it shall be."""
    verbs = []
    if want.enabled is True and unit.enabled not in _AS_GOOD_AS_ENABLED:
        verbs.append("enable")
    if want.enabled is False and unit.enabled in _LINKED_INTO_BOOT:
        verbs.append("disable")
    running = unit.active in _RUNNING
    if want.state == "stopped" and unit.active not in _STOPPED:
        verbs.append("stop")
    elif want.state == "started" and not running:
        verbs.append("start")
    elif want.state == "restarted":
        verbs.append("restart")
    elif want.state == "reloaded":
        verbs.append("reload" if running else "start")
    return verbs


def steps(wanted: Iterable[Wanted], units: Mapping[str, Unit]) -> list[Step]:
    by_verb: dict[str, list[str]] = {
        verb: [] for verb in ("enable", "disable", "stop", "reset-failed", "start", "restart", "reload")
    }
    for want in wanted:
        verbs = actions(want, units[want.name])
        for verb in verbs:
            by_verb[verb].append(want.name)
        # A unit that crashed too often refuses to start for a while, even after its cause is mended.
        if units[want.name].result == "start-limit-hit" and {"start", "restart"} & set(verbs):
            by_verb["reset-failed"].append(want.name)
    return [Step(verb, names) for verb, names in by_verb.items() if names]


def predict(want: Wanted, unit: Unit) -> dict[str, str]:
    """What summary() would say after the actions, as far as anyone can know."""
    after = unit.summary()
    verbs = actions(want, unit)
    if not unit.is_known and verbs:
        return dict.fromkeys(after, "unknown")
    if "enable" in verbs or "disable" in verbs:
        after["enabled"] = "enabled" if "enable" in verbs else "disabled"
    if "stop" in verbs:
        after.update(active="inactive", sub="dead")
    elif {"start", "restart"} & set(verbs) and unit.active not in _RUNNING:
        after.update(active="unknown" if unit.type == "oneshot" else "active", sub="unknown")
    return after


def perform(step: Step, run: Run) -> str:
    """Run one step; returns what systemctl complained about. Which unit failed is looked up by the caller."""
    code, out, err = run(["systemctl", step.verb, "--", *step.names])
    if code == 0:
        return ""
    complaint = err.strip() or out.strip() or f"exit status {code}"
    if step.verb in ("enable", "disable", "stop", "reset-failed"):
        raise StackError(f"systemctl {step.verb} {' '.join(step.names)} failed: {complaint}")
    return complaint


def await_up(
    wanted: Sequence[Wanted], started: Iterable[str], run: Run, wait: float, clock: Clock, sleep: Sleep
) -> dict[str, Unit]:
    """The units as soon as each started one is up or has failed, or else as they are when the time is over."""
    deadline = clock() + wait
    while True:
        units = show([want.name for want in wanted], run)
        undecided = [name for name in started if not units[name].is_up and units[name].active not in _STOPPED]
        if not undecided or clock() >= deadline:
            return units
        sleep(_POLL_S)


def started_by(steps_done: Iterable[Step]) -> dict[str, str]:
    """Which units shall be running after the steps, each with the verb that was to bring it there."""
    return {
        name: step.verb for step in steps_done if step.verb in ("start", "restart", "reload") for name in step.names
    }


def failure(
    started: Mapping[str, str],
    units: Mapping[str, Unit],
    complaints: Sequence[str],
    journal_of: Callable[[str], list[str]],
) -> StackError | None:
    complaint = " ".join(complaints)
    failed = [name for name in started if not units[name].is_up or name in complaint]
    if not failed:
        return StackError(f"systemctl failed: {complaint}") if complaints else None
    reports = [
        {
            "name": name,
            "result": units[name].result,
            "exit_status": units[name].exit_status,
            "journal": journal_of(name),
        }
        for name in failed
    ]
    message = "\n".join(
        "\n".join([failure_sentence(units[name], started[name], complaint), *each["journal"]])
        for name, each in zip(failed, reports, strict=True)
    )
    return StackError(message, failed_units=reports)


def failure_sentence(unit: Unit, verb: str, complaint: str) -> str:
    if unit.is_up:
        return f"{unit.name} did not {verb}: {complaint}"
    ended = ""
    if unit.exit_code not in ("", "0"):
        how = "exited with status" if unit.exit_code == _EXITED_BY_ITSELF else "was ended by signal"
        ended = f", its main process {how} {unit.exit_status}"
    if not unit.conditions_met:
        ended += ", a condition in its unit file isn't met"
    return f"{unit.name} did not {verb}: it is {unit.active} ({unit.sub}), Result={unit.result}{ended}."


def diff_of(report: Mapping[str, Any]) -> dict[str, str]:
    actions_taken = f"actions: {', '.join(report['actions'])}\n"
    return {
        "before_header": report["name"],
        "after_header": report["name"],
        "before": _as_lines(report["before"]),
        "after": _as_lines(report["after"]) + actions_taken,
    }


def _as_lines(state: Mapping[str, str]) -> str:
    return "".join(f"{key}: {value}\n" for key, value in state.items())
