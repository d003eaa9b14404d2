from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, Event, RequestReceived, StreamEnded

from . import http2
from .client import Client, Trace, Way
from .http import Failed, Request

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from .conftest import Handler
    from .target import Target

    Serve = Callable[[Handler], Awaitable[Target]]

pytestmark = pytest.mark.asyncio
GET = Request("GET", "/version")


class Server:
    """Answers in batches, when so many requests have come; `last` is the last stream of a connection that it takes."""

    def __init__(self, batch: int = 1, last: int | None = None, *, says_goaway: bool = True) -> None:
        self.batch, self.last, self.says_goaway = batch, last, says_goaway
        self.connections = self.requests = self.body = 0

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        h2 = H2Connection(H2Configuration(client_side=False))
        h2.initiate_connection()
        waiting: list[int] = []
        while data := await reader.read(65536):
            for event in h2.receive_data(data):
                self._note(event, h2)
                if isinstance(event, StreamEnded):
                    waiting.append(event.stream_id)
            if self.last and waiting and waiting[-1] > self.last:
                if not self.says_goaway:
                    return
                writer.write(bytes((0, 0, 8, 7, 0, 0, 0, 0, 0)) + self.last.to_bytes(4, "big") + bytes(4))
                waiting = [stream for stream in waiting if stream <= self.last]
                await asyncio.sleep(0.05)
                self._answer(waiting, h2)
            elif len(waiting) >= self.batch:
                self._answer(waiting, h2)
            writer.write(h2.data_to_send())

    def _note(self, event: Event, h2: H2Connection) -> None:
        if isinstance(event, RequestReceived):
            self.requests += 1
        elif isinstance(event, DataReceived):
            self.body += len(event.data)
            h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)

    def _answer(self, streams: list[int], h2: H2Connection) -> None:
        while streams:
            h2.send_headers(streams[0], [(":status", "200")])
            h2.send_data(streams.pop(0), b"{}", end_stream=True)


async def ask(client: Client, request: Request = GET) -> str:
    trace = Trace()
    try:
        async with asyncio.timeout(2):
            answer = await client.ask(request, Way.MULTIPLEXED, trace)
    except Failed as failed:
        return failed.reason
    assert (answer.status, answer.body) == (200, b"{}")
    return "new" if trace.is_new else "kept"


async def test_requests_share_a_connection(serve: Serve) -> None:
    server = Server(batch=10)
    client = Client(await serve(server), multiplexed=1)
    answers = await asyncio.gather(*(ask(client) for _number in range(10)))
    assert (answers, server.connections) == (["new"] + ["kept"] * 9, 1)
    client.close()


async def test_after_goaway_what_was_taken_is_answered_and_what_was_not_is_a_failure(serve: Serve) -> None:
    server = Server(batch=10, last=3)
    client = Client(await serve(server), multiplexed=1)
    answers = await asyncio.gather(*(ask(client) for _number in range(3)))
    assert answers == ["new", "kept", "refused by GOAWAY"]
    assert server.requests == 3
    server.batch = 1
    assert await ask(client) == "new"
    client.close()


async def test_a_connection_that_is_closed_fails_all_its_requests_and_is_replaced_by_the_next(serve: Serve) -> None:
    server = Server(batch=10, last=3, says_goaway=False)
    client = Client(await serve(server), multiplexed=1)
    answers = await asyncio.gather(*(ask(client) for _number in range(3)))
    assert answers == ["closed under the request"] * 3
    server.batch = 1
    assert await ask(client) == "new"
    assert server.requests == 4
    client.close()


async def test_a_worn_out_connection_is_replaced_before_the_server_ends_it(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http2, "MOST_REQUESTS", 3)
    client = Client(await serve(Server()), multiplexed=1)
    assert [await ask(client) for _number in range(7)] == ["new", "kept", "kept"] * 2 + ["new"]
    client.close()


async def test_a_body_waits_for_the_room_that_the_server_gives(serve: Serve) -> None:
    server = Server()
    client = Client(await serve(server), multiplexed=1)
    assert await ask(client, Request("POST", "/upload", bytes(300_000))) == "new"
    assert server.body == 300_000
    client.close()
