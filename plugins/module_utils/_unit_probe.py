# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a systemd unit stands, and whether it ever will."""

from __future__ import annotations

import time
from collections.abc import Callable

from ansible_collections.slipway.stack.plugins.module_utils._health import (
    Answer,
    NoAnswerError,
    Target,
    UnitState,
)

Run = Callable[[list[str]], tuple[int, str, str]]

_PROPERTIES = "LoadState,ActiveState,SubState,ActiveEnterTimestampMonotonic,NRestarts,Result"
# One crash may be an accident, such as a port that isn't free yet.
_RESTARTS_OF_A_LOOP = 2


def parse_state(output: str, now_s: float) -> UnitState:
    """Read what C(systemctl show) printed; raise NoAnswerError where systemd knows no such unit."""
    values = dict(line.partition("=")[::2] for line in output.splitlines())
    if values.get("LoadState") == "not-found":
        raise NoAnswerError("no such unit")
    entered_s = int(values.get("ActiveEnterTimestampMonotonic") or 0) / 1_000_000
    return UnitState(
        active=values.get("ActiveState", "unknown"),
        sub=values.get("SubState", "unknown"),
        uptime_s=now_s - entered_s if entered_s else 0,
        restarts=int(values.get("NRestarts") or 0),
        result=values.get("Result", "success"),
    )


def look_at(unit: str, run: Run) -> UnitState:
    """Ask systemd how a unit stands."""
    code, output, error = run(["systemctl", "show", f"--property={_PROPERTIES}", "--", unit])
    if code:
        raise NoAnswerError(error.strip() or f"exit {code} of systemctl")
    return parse_state(output, time.monotonic())


def probe_unit(target: Target, run: Run) -> Answer:
    """One try at a unit."""
    started = time.monotonic()
    state = look_at(target.host, run)
    return Answer(time.monotonic() - started, unit_state=state)


class CrashWatch:
    """Tells a unit that crashes whenever it is started from one that is slow to start."""

    def __init__(self, unit: str, run: Run) -> None:
        self._unit = unit
        self._run = run
        self._restarts_before: int | None = None

    def __call__(self, is_over: bool) -> str:
        """Why the unit won't come up, or didn't when the time is over; empty while it may."""
        try:
            state = look_at(self._unit, self._run)
        except NoAnswerError:
            return ""
        if state.active == "failed":
            return f"{self._unit} has failed (Result={state.result})"
        # It was restarted by someone else where systemd counts from the beginning again.
        if self._restarts_before is None or state.restarts < self._restarts_before:
            self._restarts_before = state.restarts
        restarts = state.restarts - self._restarts_before
        if restarts < (1 if is_over else _RESTARTS_OF_A_LOOP):
            return ""
        often = "once" if restarts == 1 else f"{restarts} times"
        return f"{self._unit} crashed and was restarted {often} meanwhile (Result={state.result})"
