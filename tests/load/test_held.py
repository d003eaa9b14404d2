from __future__ import annotations

import asyncio
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

import pytest
import websockets

from . import stream, websocket
from .held import AGAIN_AFTER_S, hold
from .http import Failed
from .record import STREAM, WEBSOCKET, Record
from .target import Target

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

    from .conftest import Handler

    Serve = Callable[[Handler], Awaitable[Target]]

pytestmark = pytest.mark.asyncio
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


def event(number: int) -> bytes:
    data = b'data: {"number": %d}\n\n' % number
    return b"%x\r\n%s\r\n" % (len(data), data)


async def until(is_so: Callable[[], bool], going: Coroutine[None, None, None]) -> None:
    task = asyncio.create_task(going)
    async with asyncio.timeout(10):
        while not is_so():
            await asyncio.wait([task], timeout=0.01)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def end_of_stream(serve: Serve, *pieces: bytes) -> str:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.writelines((HEAD, *pieces))
        await writer.drain()
        if not pieces[-1].endswith(b"\r\n"):
            await reader.read()

    with pytest.raises(Failed) as caught:
        await stream.live(await serve(answer), 0, lambda: None)
    return caught.value.reason


async def test_a_stream_that_ends_is_told_from_one_that_is_cut(serve: Serve) -> None:
    assert await end_of_stream(serve, event(0), event(1), b"0\r\n\r\n") == "ended"
    assert await end_of_stream(serve, event(0), event(1)) == "closed in the answer"


async def test_a_missing_event_is_noticed(serve: Serve) -> None:
    assert await end_of_stream(serve, event(0), event(2)) == "event missing"


async def test_silence_is_noticed(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "SILENCE_S", 0.1)
    assert await end_of_stream(serve, event(0), b"half a piece") == "silent"


async def test_a_websocket_that_is_closed_is_recorded_with_its_code_and_opened_again() -> None:
    record = Record()

    async def echo(connection: websockets.ServerConnection) -> None:
        async for message in connection:
            await connection.send(message)
            if not record.cuts:
                await connection.close(1012, "restart")

    async with websockets.serve(echo, "127.0.0.1", 0) as server:
        target = Target("http://load.test", ["127.0.0.1"], next(iter(server.sockets)).getsockname()[1])
        await until(
            lambda: record.opened.get(WEBSOCKET) == 2, hold(WEBSOCKET, 0, partial(websocket.live, target), record)
        )
    assert [(cut.reason, cut.detail, cut.was_open) for cut in record.cuts] == [("closed 1012", "restart", True)]
    assert len(record.away_s[WEBSOCKET]) == 1
    assert record.away_s[WEBSOCKET][0] >= AGAIN_AFTER_S


async def test_an_echo_that_is_late_counts_as_a_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket, "LATE_S", 0.1)

    async def say_nothing(connection: websockets.ServerConnection) -> None:
        await connection.wait_closed()

    async with websockets.serve(say_nothing, "127.0.0.1", 0) as server:
        target = Target("http://load.test", ["127.0.0.1"], next(iter(server.sockets)).getsockname()[1])
        with pytest.raises(Failed, match="echo late"):
            await websocket.live(target, lambda: None)


async def test_what_can_not_be_opened_is_tried_again_and_is_no_cut(serve: Serve) -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n")

    record, target = Record(), await serve(refuse)
    for what, live in ((WEBSOCKET, partial(websocket.live, target)), (STREAM, partial(stream.live, target, 0))):
        record.cuts.clear()
        await until(lambda: len(record.cuts) == 2, hold(what, 0, live, record))
        assert [(cut.what, cut.was_open) for cut in record.cuts] == [(what, False)] * 2
    assert record.opened == {}
