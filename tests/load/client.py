"""The visitors: some come for the first time, some keep a connection, some speak HTTP/2."""

from __future__ import annotations

import asyncio
from contextlib import closing, suppress
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from . import http1, http2
from .http import Answer, Failed, Request, exchange, named_failures
from .http1 import Http1
from .pools import Http1Pool, Http2Pool

if TYPE_CHECKING:
    from .target import Target

KEPT_CONNECTIONS = 20
MULTIPLEXED_CONNECTIONS = 4
WARM_UP = Request("GET", "/version")
WARM_UP_S = 10


class Way(Enum):
    NEW = "a connection of its own"
    KEPT = "a kept connection"
    MULTIPLEXED = "HTTP/2"


@dataclass(slots=True)
class Trace:
    """How a request went, as far as it got."""

    protocol: str = http1.PROTOCOL
    is_new: bool = True
    address: str = ""


class Client:
    def __init__(
        self, target: Target, kept: int = KEPT_CONNECTIONS, multiplexed: int = MULTIPLEXED_CONNECTIONS
    ) -> None:
        self._target = target
        self._ways = [Way.KEPT] * kept + [Way.MULTIPLEXED] * multiplexed
        self._kept = Http1Pool(target, kept)
        self._multiplexed = Http2Pool(target, multiplexed)

    @property
    def closed_while_idle(self) -> int:
        return self._kept.closed_while_idle

    async def ask(self, request: Request, way: Way, trace: Trace | None = None) -> Answer:
        trace = trace or Trace()
        with named_failures():
            match way:
                case Way.NEW:
                    return await self._ask_anew(request, trace)
                case Way.KEPT:
                    return await self._ask_kept(request, trace)
                case Way.MULTIPLEXED:
                    return await self._ask_multiplexed(request, trace)

    async def warm_up(self) -> None:
        """Open what is kept before the clock starts, so that the first requests don't pay for all at once."""
        with suppress(TimeoutError):
            async with asyncio.timeout(WARM_UP_S):
                await asyncio.gather(*(self.ask(WARM_UP, way) for way in self._ways), return_exceptions=True)

    def close(self) -> None:
        self._kept.close()
        self._multiplexed.close()

    async def _ask_anew(self, request: Request, trace: Trace) -> Answer:
        connection = await Http1.open(self._target)
        trace.address = connection.address
        with closing(connection):
            return await exchange(connection, request)

    async def _ask_kept(self, request: Request, trace: Trace) -> Answer:
        async with self._kept.lend() as (connection, trace.is_new):
            trace.address = connection.address
            return await exchange(connection, request)

    async def _ask_multiplexed(self, request: Request, trace: Trace) -> Answer:
        trace.protocol = http2.PROTOCOL
        connection, trace.is_new = await self._multiplexed.take()
        trace.address = connection.address
        return await exchange(connection, request)


async def is_reachable(target: Target, patience_s: float = 10) -> bool:
    """Whether any address answers at all, whatever it says."""
    client = Client(target)
    try:
        async with asyncio.timeout(patience_s):
            while True:
                for _address in target.addresses:
                    try:
                        await client.ask(WARM_UP, Way.NEW)
                    except Failed:
                        await asyncio.sleep(0.2)
                    else:
                        return True
    except TimeoutError:
        return False
