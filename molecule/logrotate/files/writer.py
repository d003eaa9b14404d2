"""Writes numbered lines to a file until it is ended; opens the file anew on SIGHUP."""

from __future__ import annotations

import signal
import sys
import time
from typing import Any

LINES_AT_ONCE = 20
PAUSE = 0.01

asked: set[int] = set()


def note(number: int, _frame: Any) -> None:
    asked.add(number)


def write(path: str, number: int) -> int:
    """Write until the file is to be opened anew; return the next number."""
    with open(path, "a", buffering=1, encoding="ascii") as stream:
        while not asked:
            for _ in range(LINES_AT_ONCE):
                stream.write(f"{number}\n")
                number += 1
            time.sleep(PAUSE)
    return number


signal.signal(signal.SIGHUP, note)
signal.signal(signal.SIGTERM, note)
following = 1
while signal.SIGTERM not in asked:
    asked.clear()
    following = write(sys.argv[1], following)
