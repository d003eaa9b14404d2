"""The clock that starts requests, whatever became of those before."""

from __future__ import annotations

import asyncio
import itertools
import time
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Callable

# Epoch seconds that no correction of the wall clock disturbs, so that one unit serves for latencies and for marks.
_EPOCH = time.time() - time.monotonic()


def now() -> float:
    return _EPOCH + time.monotonic()


async def open_loop(rate: float, launch: Callable[[int, float], object]) -> NoReturn:
    """Launch the n-th request when it is due; one that is late is launched at once and keeps its due time."""
    start = now()
    for number in itertools.count():
        due = start + number / rate
        await asyncio.sleep(max(0.0, due - now()))
        launch(number, due)
    raise AssertionError("a count never ends")
