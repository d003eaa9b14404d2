from __future__ import annotations

import asyncio
import time
from itertools import pairwise

import pytest

from .clock import open_loop


@pytest.mark.asyncio
async def test_a_stall_moves_no_due_time() -> None:
    dues: list[float] = []

    def launch(number: int, due: float) -> None:
        dues.append(due)
        if number == 2:
            time.sleep(0.2)

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5):
            await open_loop(50, launch)
    assert len(dues) >= 15
    assert all(abs(later - earlier - 0.02) < 1e-6 for earlier, later in pairwise(dues))
