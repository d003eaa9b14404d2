# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module utility is private to slipway.stack: it may change in any release.
"""What visitors met, counted from the access log that the role nginx writes, reading no more of it than needed."""

from __future__ import annotations

import contextlib
import json
import math
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO, Any

from ansible_collections.slipway.stack.plugins.module_utils._errors import StackError

SLOTS = ("blue", "green")
_PERCENTILES = (50, 95, 99)
_UPGRADED = 101
_LIMITED = 429
# nginx writes 0 where no answer was begun.
_GONE = (0, 499)
_FAILED_FROM = 500
# nginx's workers ask for the time once in each round of events, so lines are in order but for the length of a slow round.
_DISORDER_S = 10.0
_BLOCK = 64 * 1024
_LONGEST_LINE = 1024 * 1024
_TRIES = 3


@dataclass(frozen=True)
class Request:
    """What one line of the log says."""

    ended: float
    status: int
    milliseconds: int
    slot: str


@dataclass(frozen=True)
class Window:
    """Which requests count: those that ended at `since` or later, and before `until`."""

    since: float
    until: float = math.inf
    slot: str | None = None

    def covers(self, moment: float) -> bool:
        return self.since <= moment < self.until

    def has(self, request: Request) -> bool:
        return self.covers(request.ended) and self.slot in (None, request.slot)


@dataclass
class Tally:
    """Requests, and how they ended."""

    requests: int = 0
    failed: int = 0
    gone: int = 0
    limited: int = 0
    by_status: Counter[int] = field(default_factory=Counter)
    durations: Counter[int] = field(default_factory=Counter)

    def add(self, request: Request) -> None:
        self.requests += 1
        self.failed += request.status >= _FAILED_FROM
        self.gone += request.status in _GONE
        self.limited += request.status == _LIMITED
        self.by_status[request.status] += 1
        # How long a WebSocket was open says nothing of how long anyone waited.
        if request.status != _UPGRADED:
            self.durations[request.milliseconds] += 1

    def as_dict(self) -> dict[str, Any]:
        return {
            "requests": self.requests,
            "failed": self.failed,
            "gone": self.gone,
            "limited": self.limited,
            **{f"p{percent}_ms": percentile(self.durations, percent) for percent in _PERCENTILES},
        }


def count(path: str, window: Window) -> dict[str, Any]:
    """Count a window's requests in a log, and in the one that was rotated last where the window begins there."""
    total, by_slot, unread = Tally(), {slot: Tally() for slot in SLOTS}, 0
    with _opened(path, window.since) as logs:
        for log in logs:
            for request in _requests(log, window):
                if request is None:
                    unread += 1
                    continue
                total.add(request)
                if request.slot in by_slot:
                    by_slot[request.slot].add(request)
        complete = _reach_back(path, logs, window.since)
    return {
        "total": total.as_dict(),
        "by_slot": {slot: tally.as_dict() for slot, tally in by_slot.items()},
        "by_status": {str(status): number for status, number in sorted(total.by_status.items())},
        "unread": unread,
        "files": [log.name for log in logs],
        "complete": complete,
    }


def percentile(counted: Counter[int], percent: int) -> int | None:
    """The smallest value that at least so many per cent of all values don't exceed."""
    rank = math.ceil(counted.total() * percent / 100)
    for value in sorted(counted):
        rank -= counted[value]
        if rank <= 0:
            return value
    return None


def parse(line: bytes) -> Request | None:
    try:
        content = json.loads(line.decode(errors="replace"))
        return Request(
            ended=_number(content["msec"]),
            status=int(content["status"]),
            milliseconds=round(_number(content["request_time"]) * 1000),
            slot=str(content.get("slot", "")),
        )
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
        return None


def _number(value: Any) -> float:
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(value)
    return number


def _requests(log: IO[bytes], window: Window) -> Iterator[Request | None]:
    """A window's requests, and None for each line among them that can't be read."""
    seek(log, window.since)
    latest = window.since
    while line := log.readline(_LONGEST_LINE):
        request = parse(line)
        if request is None:
            # What has no end yet is still being written.
            if line.endswith(b"\n") and window.covers(latest):
                yield None
            continue
        latest = request.ended
        if latest > window.until + _DISORDER_S:
            return
        if window.has(request):
            yield request


def seek(log: IO[bytes], since: float) -> None:
    """Go to a line before which all are older, not far from the first that isn't."""
    moment = since - _DISORDER_S
    low, high = 0, os.fstat(log.fileno()).st_size
    while high - low > _BLOCK:
        middle = (low + high) // 2
        start, request = _first_request(log, middle, high)
        if request is None or request.ended >= moment:
            high = middle
        else:
            low = start
    log.seek(low)


def _first_request(log: IO[bytes], offset: int, limit: int) -> tuple[int, Request | None]:
    """The first readable line that begins between two offsets, and where it does."""
    log.seek(offset)
    if offset:
        log.readline(_LONGEST_LINE)
    while (start := log.tell()) < limit:
        line = log.readline(_LONGEST_LINE)
        request = parse(line)
        if request or not line:
            return start, request
    return limit, None


def _begins(log: IO[bytes]) -> float:
    """When the first request of a log ended. One that has none begins after everything."""
    request = _first_request(log, 0, os.fstat(log.fileno()).st_size)[1]
    return request.ended if request else math.inf


@contextlib.contextmanager
def _opened(path: str, since: float) -> Iterator[list[IO[bytes]]]:
    """The logs to read, the oldest first."""
    with contextlib.ExitStack() as stack:
        for _try in range(_TRIES):
            current = _open(path, stack)
            older = None
            if current is None or _begins(current) > since - _DISORDER_S:
                older = _open(f"{path}.1", stack)
            # A rotation between the two would have a log read twice, or not at all.
            if _is_still(path, current):
                yield [log for log in (older, current) if log]
                return
        raise StackError(f"{path} was rotated {_TRIES} times while it was being opened: try again.")


def _open(path: str, stack: contextlib.ExitStack) -> IO[bytes] | None:
    try:
        return stack.enter_context(open(path, "rb", buffering=_BLOCK))
    except FileNotFoundError:
        return None


def _is_still(path: str, log: IO[bytes] | None) -> bool:
    try:
        there = os.stat(path)
    except FileNotFoundError:
        return log is None
    return log is not None and os.path.samestat(there, os.fstat(log.fileno()))


def _reach_back(path: str, logs: list[IO[bytes]], since: float) -> bool:
    """Whether no request after `since` is in a log that wasn't read."""
    if not logs:
        return False
    if _begins(logs[0]) <= since:
        return True
    not_read = 2 if logs[0].name == f"{path}.1" else 1
    return not any(os.path.exists(f"{path}.{not_read}{suffix}") for suffix in ("", ".gz"))
