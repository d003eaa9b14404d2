# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One look at a systemd unit."""

from __future__ import annotations

import time
from collections.abc import Callable

from ansible_collections.slipway.stack.plugins.module_utils._health import Answer, NoAnswerError, Target, UnitState

_PROPERTIES = "LoadState,ActiveState,SubState,ActiveEnterTimestampMonotonic,NRestarts"


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
    )


def probe_unit(target: Target, run: Callable[[list[str]], tuple[int, str, str]]) -> Answer:
    """Ask systemd how a unit stands."""
    started = time.monotonic()
    code, output, error = run(["systemctl", "show", f"--property={_PROPERTIES}", "--", target.host])
    if code:
        raise NoAnswerError(error.strip() or f"exit {code} of systemctl")
    now = time.monotonic()
    return Answer(now - started, unit_state=parse_state(output, now))
