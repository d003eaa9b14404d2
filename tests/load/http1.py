"""HTTP/1.1 without any second try. The usual clients repeat a request whose connection was closed under it."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Self

import h11

from .http import Failed, Request, Response, sending

if TYPE_CHECKING:
    import asyncio
    from collections.abc import AsyncIterator

    from .target import Target

PROTOCOL = "http/1.1"


class Http1:
    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, address: str, host: str, prefix: str = ""
    ) -> None:
        self.address = address
        self._reader, self._writer = reader, writer
        self._host, self._prefix = host, prefix
        self._h11 = h11.Connection(h11.CLIENT)
        self._is_answering = False

    @classmethod
    async def open(cls, target: Target) -> Self:
        address = target.next_address()
        reader, writer = await target.connect(address, PROTOCOL)
        return cls(reader, writer, address, target.host_header, target.prefix)

    @property
    def is_usable(self) -> bool:
        """Whether another request may be sent, as far as anyone can know before trying."""
        return self._h11.our_state is h11.IDLE and not self._reader.at_eof() and not self._writer.is_closing()

    def close(self) -> None:
        self._writer.close()

    @asynccontextmanager
    async def request(self, request: Request) -> AsyncIterator[Response]:
        async with sending(self._send(request), is_dripped=request.is_dripped):
            head = await self._event()
            while isinstance(head, h11.InformationalResponse):
                head = await self._event()
            if not isinstance(head, h11.Response):
                raise Failed("no answer", repr(head))
            self._is_answering = True
            yield Response(head.status_code, self._pieces())
        if self._h11.our_state is h11.DONE and self._h11.their_state is h11.DONE:
            self._h11.start_next_cycle()
            self._is_answering = False

    async def _send(self, request: Request) -> None:
        headers = [("host", self._host), *request.headers()]
        await self._write(h11.Request(method=request.method, target=self._prefix + request.path, headers=headers))
        async for piece in request.pieces():
            await self._write(h11.Data(data=piece))
        await self._write(h11.EndOfMessage())

    async def _write(self, event: h11.Event) -> None:
        if data := self._h11.send(event):
            self._writer.write(data)
            await self._writer.drain()

    async def _pieces(self) -> AsyncIterator[bytes]:
        while isinstance(event := await self._event(), h11.Data):
            yield bytes(event.data)

    async def _event(self) -> object:
        try:
            event = self._h11.next_event()
            while event is h11.NEED_DATA:
                self._h11.receive_data(await self._reader.read(65536))
                event = self._h11.next_event()
        except h11.RemoteProtocolError as error:
            if self._reader.at_eof():
                raise self._closed() from error
            raise Failed("not HTTP", str(error)) from error
        except ConnectionResetError as error:
            # The request came when the server had closed it already.
            raise self._closed() from error
        if isinstance(event, h11.ConnectionClosed):
            raise self._closed()
        return event

    def _closed(self) -> Failed:
        return Failed("closed in the answer" if self._is_answering else "closed under the request")
