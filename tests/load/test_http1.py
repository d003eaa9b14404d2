from __future__ import annotations

import asyncio
import socket
import struct
from typing import TYPE_CHECKING

import pytest

from .client import Client, Trace, Way, is_reachable
from .http import Failed, Request
from .target import Target

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from .conftest import Handler

    Serve = Callable[[Handler], Awaitable[Target]]

pytestmark = pytest.mark.asyncio
GET = Request("GET", "/version")
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"


class Server:
    """Answers each request of a connection with the next of these; None closes instead."""

    def __init__(self, *answers: bytes | None) -> None:
        self.answers = answers
        self.requests: list[bytes] = []
        self.connections = 0

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        for answer in self.answers:
            self.requests.append(await reader.readuntil(b"\r\n\r\n"))
            if answer is None:
                return
            writer.write(answer)


async def test_a_kept_connection_that_is_closed_under_a_request_is_a_failure_and_nothing_is_sent_again(
    serve: Serve,
) -> None:
    server = Server(OK, None)
    client = Client(await serve(server), kept=1)
    await client.ask(GET, Way.KEPT)
    trace = Trace()
    with pytest.raises(Failed) as caught:
        await client.ask(GET, Way.KEPT, trace)
    assert caught.value.reason == "closed under the request"
    assert not trace.is_new
    assert len(server.requests) == 2


async def test_a_kept_connection_that_is_reset_under_a_request_is_the_same(serve: Serve) -> None:
    async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK)
        await reader.readuntil(b"\r\n\r\n")
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    client = Client(await serve(reset), kept=1)
    await client.ask(GET, Way.KEPT)
    with pytest.raises(Failed, match="closed under the request"):
        await client.ask(GET, Way.KEPT)


async def test_a_connection_that_was_closed_while_idle_is_replaced_and_counted(serve: Serve) -> None:
    client = Client(await serve(Server(OK)), kept=1)
    await client.ask(GET, Way.KEPT)
    await asyncio.sleep(0.05)
    trace = Trace()
    assert (await client.ask(GET, Way.KEPT, trace)).status == 200
    assert trace.is_new
    assert client.closed_while_idle == 1
    client.close()


@pytest.mark.parametrize("says_so", [True, False])
async def test_each_connection_that_was_closed_is_replaced_by_one(serve: Serve, *, says_so: bool) -> None:
    last = OK.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n") if says_so else OK
    server = Server(OK, last)
    client = Client(await serve(server), kept=5)
    for _number in range(15):
        await client.ask(GET, Way.KEPT)
        await asyncio.sleep(0.01)
    assert server.connections == 10
    assert client.closed_while_idle == (0 if says_so else 5)
    client.close()


async def test_an_answer_that_ends_too_early_is_a_failure(serve: Serve) -> None:
    client = Client(await serve(Server(OK.replace(b": 2", b": 20"))))
    with pytest.raises(Failed) as caught:
        await client.ask(GET, Way.NEW)
    assert caught.value.reason == "closed in the answer"


async def test_a_server_may_refuse_a_body_before_it_has_all_of_it(serve: Serve) -> None:
    client = Client(await serve(Server(OK.replace(b"200 OK", b"413 Too Large"))))
    dripped = Request("POST", "/upload", b"x" * 100, piece=1, pause_s=0.05)
    async with asyncio.timeout(2):
        assert (await client.ask(dripped, Way.NEW)).status == 413


async def test_a_port_where_nobody_listens_is_named_so(serve: Serve) -> None:
    target = await serve(Server(OK))
    away = Target("http://load.test", ["127.0.0.9"], target.port)
    with pytest.raises(Failed) as caught:
        await Client(away).ask(GET, Way.NEW)
    assert caught.value.reason == "connection refused"
    assert not await is_reachable(away, patience_s=0.3)
    assert await is_reachable(target, patience_s=0.3)
