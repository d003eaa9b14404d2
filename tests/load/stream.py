"""A stream of server-sent events, one a second."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, NoReturn

from .http import Connection, Failed, Request
from .http1 import Http1
from .http2 import Http2

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from .target import Target

SILENCE_S = 5
EVENTS = Request("GET", "/events?count=1000000&interval_ms=1000")


async def live(target: Target, number: int, opened: Callable[[], None]) -> NoReturn:
    """Browsers hold such streams over either version of HTTP, so every other one is HTTP/2."""
    connection: Connection = await (Http2 if number % 2 else Http1).open(target)
    try:
        async with connection.request(EVENTS) as response:
            if response.status != 200:
                raise Failed(f"status {response.status}")
            opened()
            await _follow(_numbers(response.pieces))
    finally:
        connection.close()


async def _follow(numbers: AsyncIterator[int]) -> NoReturn:
    expected = 0
    while True:
        try:
            async with asyncio.timeout(SILENCE_S):
                number = await anext(numbers)
        except TimeoutError:
            raise Failed("silent", f"no event for {SILENCE_S} s") from None
        except StopAsyncIteration:
            raise Failed("ended", f"after event {expected - 1}") from None
        if number != expected:
            raise Failed("event missing", f"{number} came for {expected}")
        expected += 1


async def _numbers(pieces: AsyncIterator[bytes]) -> AsyncIterator[int]:
    rest = b""
    async for piece in pieces:
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            if line.startswith(b"data:"):
                yield int(json.loads(line[5:])["number"])
