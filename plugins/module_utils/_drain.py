# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module utility is private to slipway.stack: it may change in any release.
"""Whether anybody is still connected to a slot that is about to get another release."""

from __future__ import annotations

import contextlib
import datetime
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

_ESTABLISHED = "01"
_POLL_S = 0.5
TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))


def connections(ports: Collection[int], tables: Iterable[Path] = TABLES) -> int:
    """Connections that somebody holds to one of these ports of this host."""
    found = 0
    for table in tables:
        with contextlib.suppress(FileNotFoundError):
            for line in table.read_text(encoding="ascii").splitlines()[1:]:
                local, state = line.split()[1], line.split()[3]
                found += state == _ESTABLISHED and int(local.rpartition(":")[2], 16) in ports
    return found


def held_for_long(
    promises: Mapping[str, Mapping[str, Any]],
    since: str,
    waits: float,
    now: datetime.datetime,
    count: Callable[[Collection[int]], int] = connections,
) -> dict[str, Any]:
    """Who is still connected to a slot that was left at C(since), and may be for longer than a rollout waits."""
    left = {unit: promise for unit, promise in promises.items() if promise["seconds"] > waits}
    left = {unit: promise for unit, promise in left.items() if seconds_left(since, promise["seconds"], now) > 0}
    held = {unit: number for unit, promise in left.items() if (number := count({promise["port"]}))}
    if not held:
        return {}
    longest = datetime.timedelta(seconds=max(left[unit]["seconds"] for unit in held))
    until = datetime.datetime.fromisoformat(since) + longest
    return {"units": sorted(held), "connections": sum(held.values()), "until": until.isoformat()}


def seconds_left(since: str, drain: float, now: datetime.datetime) -> float:
    """How much of its time to drain a slot has that was left at C(since), an ISO date."""
    return drain - (now - datetime.datetime.fromisoformat(since)).total_seconds()


def wait(ports: Collection[int], seconds: float) -> None:
    """Return once nobody is connected any more, or the time is over."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and connections(ports):
        time.sleep(_POLL_S)
