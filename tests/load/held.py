"""Connections that are held open, and opened again when they are cut."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NoReturn

from .clock import now
from .http import Failed, named_failures

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from .record import Record

AGAIN_AFTER_S = 0.5


async def hold(
    what: str, number: int, live: Callable[[Callable[[], None]], Awaitable[NoReturn]], record: Record
) -> None:
    """Let `live` go on for ever; it says when it is open, and raises Failed when it no longer is."""
    cut_at: float | None = None
    opened_at: float | None = None

    def opened() -> None:
        nonlocal cut_at, opened_at
        opened_at = now()
        record.open(what, None if cut_at is None else opened_at - cut_at)
        cut_at = None

    # Neither all handshakes nor all echoes at the same moment.
    await asyncio.sleep(number / 10 % 1)
    while True:
        opened_at = None
        try:
            with named_failures():
                await live(opened)
        except Failed as failed:
            at = now()
            record.cut(what, number, at, None if opened_at is None else at - opened_at, failed)
            cut_at = cut_at or at
        await asyncio.sleep(AGAIN_AFTER_S)
