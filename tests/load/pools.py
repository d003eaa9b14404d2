"""Connections that are kept: each asked for in turn, so that all of them live long and idle between requests."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import asynccontextmanager
from itertools import count
from typing import TYPE_CHECKING

from .http1 import Http1
from .http2 import Http2

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from .target import Target


class Http1Pool:
    """One request at a time on each. A lost one is replaced when its turn comes; where all are busy, one more opens."""

    def __init__(self, target: Target, size: int) -> None:
        self.closed_while_idle = 0
        self._target = target
        self._size = size
        self._idle: deque[Http1 | None] = deque([None] * size)

    @asynccontextmanager
    async def lend(self) -> AsyncIterator[tuple[Http1, bool]]:
        """Give a connection, and whether it is a new one."""
        connection = self._idle.popleft() if self._idle else None
        try:
            if connection and connection.is_usable:
                yield connection, False
                return
            if connection:
                self.closed_while_idle += 1
                connection.close()
                connection = None
            connection = await Http1.open(self._target)
            yield connection, True
        finally:
            self._take_back(connection)

    def close(self) -> None:
        for connection in filter(None, self._idle):
            connection.close()

    def _take_back(self, connection: Http1 | None) -> None:
        is_kept = connection and connection.is_usable and len(self._idle) < self._size
        if connection and not is_kept:
            connection.close()
        if len(self._idle) < self._size:
            self._idle.append(connection if is_kept else None)


class Http2Pool:
    """Many requests at a time on each; one that is lost or worn out is replaced when its turn comes."""

    def __init__(self, target: Target, size: int) -> None:
        self._target = target
        self._turns = count()
        self._places: list[asyncio.Task[Http2] | None] = [None] * size

    async def take(self) -> tuple[Http2, bool]:
        """Return a connection, and whether it is a new one."""
        place = next(self._turns) % len(self._places)
        opening = self._places[place]
        is_new = opening is None or (opening.done() and not _is_usable(opening))
        if opening is None or is_new:
            _retire(opening)
            opening = self._places[place] = asyncio.create_task(Http2.open(self._target))
        # Others wait for the same connection, so that the timeout of one must not cancel it.
        return await asyncio.shield(opening), is_new

    def close(self) -> None:
        for opening in self._places:
            if connection := _opened(opening):
                connection.close()


def _opened(opening: asyncio.Task[Http2] | None) -> Http2 | None:
    if opening is None or not opening.done() or opening.cancelled() or opening.exception():
        return None
    return opening.result()


def _is_usable(opening: asyncio.Task[Http2]) -> bool:
    connection = _opened(opening)
    return connection is not None and connection.is_usable


def _retire(opening: asyncio.Task[Http2] | None) -> None:
    if connection := _opened(opening):
        connection.retire()
