# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module utility is private to slipway.stack: it may change in any release.
"""How the slot of a canary fares beside the live one, from nginx's access log as it grows."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import IO

from ansible_collections.slipway.stack.plugins.module_utils._errors import StackError
from ansible_collections.slipway.stack.plugins.module_utils._request_log import (
    SLOTS,
    Request,
    Tally,
    Window,
    parse,
    seek,
)

INTERVAL_S = 1.0


@dataclass(frozen=True)
class Budget:
    """By how many per cent of its requests a canary may fail more than the live slot does, of at least so many."""

    percent: float
    requests: int

    def is_exceeded(self, canary: Tally, live: Tally) -> bool:
        """Fewer requests than needed are judged as if all that are still to come went well."""
        share = 100 * canary.failed / max(canary.requests, self.requests)
        return share - percentage(live) > self.percent


def percentage(tally: Tally) -> float:
    return 100 * tally.failed / tally.requests if tally.requests else 0.0


class GrowingLog:
    """The requests that are written to an access log, also while it is rotated."""

    def __init__(self, path: str, since: float, stack: contextlib.ExitStack) -> None:
        self._path = path
        self._stack = stack
        self._window = Window(since)
        self._files: list[IO[bytes]] = []
        self._follow()
        if not self._files:
            raise StackError(f"{path} doesn't exist, so a canary can't be watched.")
        seek(self._files[0], since)

    def news(self) -> Iterator[Request]:
        """What was written since the last time."""
        self._follow()
        for file in self._files:
            for line in _complete_lines(file):
                request = parse(line)
                if request and self._window.has(request):
                    yield request

    def _follow(self) -> None:
        # nginx's workers go on with the file that was rotated until they are told, so it is read on.
        with contextlib.suppress(FileNotFoundError):
            there = os.stat(self._path)
            if not self._files or not os.path.samestat(there, os.fstat(self._files[-1].fileno())):
                self._files.append(_open(self._path, self._stack))


def _open(path: str, stack: contextlib.ExitStack) -> IO[bytes]:
    return stack.enter_context(open(path, "rb"))


def _complete_lines(file: IO[bytes]) -> Iterator[bytes]:
    while line := file.readline():
        if not line.endswith(b"\n"):
            file.seek(-len(line), os.SEEK_CUR)
            return
        yield line


@dataclass(frozen=True)
class Outcome:
    """What the slots met while they were watched."""

    exceeded: bool
    by_slot: dict[str, Tally]
    seconds: float


def watch(
    log: GrowingLog,
    slot: str,
    budget: Budget,
    seconds: float,
    clock: Callable[[], float],
    sleep: Callable[[float], None],
) -> Outcome:
    """Count until the time is over, or until the slot has used up its budget."""
    by_slot = {each: Tally() for each in SLOTS}
    live = next(tally for each, tally in by_slot.items() if each != slot)
    begin = clock()
    while True:
        elapsed = clock() - begin
        for request in log.news():
            if request.slot in by_slot:
                by_slot[request.slot].add(request)
        exceeded = budget.is_exceeded(by_slot[slot], live)
        if exceeded or elapsed >= seconds:
            return Outcome(exceeded, by_slot, elapsed)
        sleep(min(INTERVAL_S, seconds - elapsed))
