# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module utility is private to slipway.stack: it may change in any release.
"""Brings a host to a stage of a deployment, and notes what became of it."""

from __future__ import annotations

import datetime
import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.slipway.stack.plugins.module_utils import _deployment as logic
from ansible_collections.slipway.stack.plugins.module_utils import _drain, _files, _units, _units_run
from ansible_collections.slipway.stack.plugins.module_utils._errors import StackError
from ansible_collections.slipway.stack.plugins.module_utils._release import (
    Layout,
    append_to_ledger,
    bundle_path,
    make_live,
    prunable,
    read_json,
    read_ledger,
    remove_release,
)
from ansible_collections.slipway.stack.plugins.module_utils._replacement import FirstAnswer
from ansible_collections.slipway.stack.plugins.module_utils._rollout import other

# Beside a live release, a new one that starts gets a fifth of the usual weight until it is healthy.
LOW_WEIGHT = ("CPUWeight=20", "IOWeight=20")
USUAL_WEIGHT = ("CPUWeight=", "IOWeight=")
_FILE_DEFAULTS = {"state": "file", "owner": "root", "group": "root", "force": True}
_UNIT_DEFAULTS = {"state": None, "enabled": None}


@dataclass(frozen=True)
class Record:
    """What is noted when a release is made live."""

    outcome: str
    ledger: Mapping[str, Any]
    wanted: Mapping[str, Any] | None
    warm: int | None
    keep: int


class Executor:
    """Does on this host what a stage asks for, or in check mode tells what it would do."""

    def __init__(self, layout: Layout, call: _units.Run, wait: float, *, check_mode: bool, diff: bool) -> None:
        self.layout = layout
        self.call = call
        self.options = _units_run.Options(check_mode=check_mode, diff=diff, wait=wait)
        self.host = logic.Host(layout, self.release_of)

    def release_of(self, names: Iterable[str]) -> dict[str, str]:
        """The release of each unit that runs, by the environment of its main process."""
        names = list(names)
        if not names:
            return {}
        code, out, err = self.call(["systemctl", "show", "--property=MainPID", "--value", "--", *names])
        if code:
            raise StackError(f"systemctl could not show the units: {err.strip() or out.strip()}")
        pids = [line for line in out.splitlines() if line]
        found = {name: _release_of_process(pid) for name, pid in zip(names, pids, strict=True)}
        return {name: release for name, release in found.items() if release}

    def store(self, bundle: logic.Bundle) -> dict[str, Any]:
        """Keep what it takes to run this release again."""
        content = json.dumps(bundle.content, indent=2, sort_keys=True) + "\n"
        path = str(bundle_path(self.layout, bundle.release))
        # Its units are shown by the stage that writes them; here they would be shown a second time, as JSON.
        return {**self._write([{"path": path, "content": content, "mode": "0600"}]), "diff": []}

    def start(self, bundle: logic.Bundle, slot: str, *, anew: bool, answers: bool) -> dict[str, Any]:
        result = self._perform(
            logic.starting(self.host, bundle, slot, anew=anew),
            # A release that is kept to go back to has proven itself, and is wanted at once.
            weight=LOW_WEIGHT if anew and self.layout.live.exists() else (),
            weighed=bundle.units(slot, logic.ROUTED),
        )
        if answers and not self.options.check_mode:
            self._first_answers(bundle.targets(slot, exclusive=False))
        return result

    def _first_answers(self, targets: Iterable[Mapping[str, Any]]) -> list[tuple[str, float]]:
        """When each process answered for the first time; all are asked at once."""
        answers = [FirstAnswer(target, self.call) for target in targets]
        return [(answer.unit, answer.wait()) for answer in answers]

    def work(self, bundle: logic.Bundle, slot: str, *, anew: bool) -> dict[str, Any]:
        return self._perform(
            logic.working(self.host, bundle, slot, anew=anew),
            weight=USUAL_WEIGHT,
            weighed=bundle.units(slot, logic.ROUTED),
        )

    def replace(self, bundle: logic.Bundle, slot: str, *, anew: bool) -> dict[str, Any]:
        """Ends as soon as the new processes answer, and tells for how long nobody did."""
        running = self.release_of(bundle.exclusive(slot, logic.ROUTED))
        began = time.monotonic()
        result = self._perform(logic.replacing(self.host, bundle, slot, anew=anew))
        if self.options.check_mode:
            return {**result, "pauses": []}
        came_at = self._first_answers(bundle.targets(slot, exclusive=True))
        pauses = [
            {"name": name, "seconds": round(max(at for unit, at in came_at if unit == name) - began, 1)}
            for name, release in running.items()
            if anew or release != bundle.release
        ]
        return {**result, "pauses": pauses}

    def serve(self, bundle: logic.Bundle, slot: str, record: Record) -> dict[str, Any]:
        # Back to a release, or on from a run that was cut off, nothing went before that gave it its full weight.
        result = self._perform(
            logic.serving(self.host, bundle, slot),
            weight=() if self._is_live(bundle, slot) else USUAL_WEIGHT,
            weighed=bundle.units(slot, logic.ROUTED),
        )
        recorded = self._record(bundle, slot, record)
        retired = self._retire(bundle, other(slot), record.warm)
        return {**result, **recorded, "changed": result["changed"] or recorded["changed"] or retired}

    def stop(self, release: str, slot: str, ledger: Mapping[str, Any], *, remove: bool) -> dict[str, Any]:
        """A release that was live once is never removed here: it may be gone back to."""
        result = self._perform(logic.stopping(self.host, slot))
        was_live = any(
            entry.get("outcome") == "live" and entry.get("release") == release for entry in read_ledger(self.layout)
        )
        removes = remove and not was_live and self.layout.release(release).exists()
        if not self.options.check_mode:
            if ledger:
                append_to_ledger(self.layout, {"outcome": "failed", "release": release, "slot": slot, **ledger})
            if removes:
                remove_release(self.layout, release)
        return {
            **result,
            "changed": result["changed"] or removes,
            "removed": [release] if removes else [],
            "targets": [],
            "smoke": {},
        }

    def _perform(
        self, stage: logic.Stage, *, weight: tuple[str, ...] = (), weighed: Iterable[str] = ()
    ) -> dict[str, Any]:
        results = [
            self._units(stage.stop),
            {"changed": self._finish(stage.finish), "diff": []},
            self._write(stage.files),
        ]
        if weight and not self.options.check_mode:
            self._weigh(weighed, weight)
        results.append(self._units(stage.units))
        return {
            "changed": any(result["changed"] for result in results),
            "diff": [part for result in results for part in result.get("diff", [])],
        }

    def let_drain(self, slot: str, release: str) -> None:
        """Visitors who were left in this slot a moment ago keep their connections for as long as they were promised."""
        live, left = read_json(self.layout.live), read_json(self.layout.slot(slot))
        is_live = (live.get("slot"), left.get("release")) == (slot, release)
        if self.options.check_mode or not left or not live or is_live:
            return
        seconds = float(read_json(bundle_path(self.layout, left["release"])).get("retire", {}).get("drain", 0))
        # The record still names this slot where a run ended between its switch and its record: nobody knows when that was.
        if live["slot"] != slot:
            seconds = _drain.seconds_left(live["since"], seconds, datetime.datetime.now(datetime.UTC))
        _drain.wait({port for ports in left["ports"].values() for port in ports}, seconds)

    def _units(self, entries: list[dict[str, Any]]) -> dict[str, Any]:
        return _units_run.converge([_UNIT_DEFAULTS | entry for entry in entries], self.call, self.options)

    def _write(self, files: list[dict[str, Any]]) -> dict[str, Any]:
        wanted = _files.parse_wanted(_FILE_DEFAULTS | entry for entry in files)
        changes = _files.plan(wanted, [], check_mode=self.options.check_mode)
        if not self.options.check_mode:
            _files.apply(changes, self.call, None)
        return {"changed": bool(changes), "diff": _files.diff_of(changes) if self.options.diff else []}

    def _finish(self, names: list[str]) -> bool:
        """Tell workers to end once they have done the jobs that they have."""
        if not names:
            return False
        running = [name for name, unit in _units.show(names, self.call).items() if unit.active == "active"]
        if running and not self.options.check_mode:
            self._must(["systemctl", "stop", "--no-block", "--", *running])
        return bool(running)

    def _weigh(self, names: Iterable[str], weight: tuple[str, ...]) -> None:
        for name in names:
            self._must(["systemctl", "set-property", "--runtime", name, *weight])

    def _is_live(self, bundle: logic.Bundle, slot: str) -> bool:
        live = read_json(self.layout.live)
        return (live.get("slot"), live.get("release")) == (slot, bundle.release)

    def _record(self, bundle: logic.Bundle, slot: str, record: Record) -> dict[str, Any]:
        before = read_json(self.layout.live)
        moved = not self._is_live(bundle, slot) or not self.layout.current.exists()
        wanted = before.get("wanted", {}) if record.wanted is None else dict(record.wanted)
        if not self.options.check_mode:
            if moved and not self.layout.manifest(bundle.release).exists():
                raise StackError(f"release {bundle.release} isn't complete, so it can't be live: build it first.")
            if moved or wanted != before.get("wanted"):
                make_live(self.layout, slot, bundle.release, wanted)
            if moved or record.outcome == "failed":
                entry = {"release": bundle.release, "slot": slot, "before": before, "wanted": wanted.get("version", "")}
                append_to_ledger(self.layout, {**entry, "outcome": record.outcome, **record.ledger})
        removed = prunable(self.layout, record.keep, slot, bundle.release)
        if not self.options.check_mode:
            for name in removed:
                remove_release(self.layout, name)
        changed = moved or bool(removed) or wanted != before.get("wanted")
        return {"changed": changed, "moved": moved, "removed": removed}

    def _retire(self, bundle: logic.Bundle, slot: str, warm: int | None) -> bool:
        """Let the host itself stop the other slot, whatever becomes of the controller."""
        routed = self.host.processes(slot)[logic.ROUTED]
        retirement = [unit["name"] for unit in logic.unretired(self.layout.name, slot)]
        units = _units.show([*retirement, *routed], self.call)
        if not any(units[name].active not in ("inactive", "failed") for name in routed):
            return False
        if warm is None and any(units[name].active == "active" for name in retirement):
            return False
        retire = bundle.content["retire"]
        # nginx has chosen the slot for uploads that haven't reached it yet: no connection tells of them.
        seconds = retire["warm"] if warm is None else max(warm, retire["drain"])
        if not self.options.check_mode:
            self._units(logic.unretired(self.layout.name, slot))
            options = [
                f"--unit={logic.retirement(self.layout.name, slot)}",
                f"--on-active={seconds}",
                "--timer-property=AccuracySec=1s",
                f"--property=SyslogIdentifier={self.layout.name}-retire",
            ]
            program = [
                "/usr/bin/python3",
                retire["program"],
                str(self.layout.live),
                str(self.layout.slot(slot)),
            ]
            self._must(["systemd-run", "--quiet", "--collect", *options, *program])
        return True

    def _must(self, words: list[str]) -> None:
        code, out, err = self.call(words)
        if code:
            raise StackError(f"{' '.join(words)} failed: {err.strip() or out.strip()}")


def _release_of_process(pid: str) -> str:
    """What the process was started with; empty where there's none."""
    try:
        variables = Path("/proc", pid, "environ").read_bytes().split(b"\0") if pid not in ("", "0") else []
    except OSError:
        return ""
    return next((each[12:].decode(errors="replace") for each in variables if each.startswith(b"APP_RELEASE=")), "")
