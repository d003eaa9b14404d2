"""HTTP/2 with many requests on a connection, without any second try."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Self

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import (
    DataReceived,
    Event,
    RemoteSettingsChanged,
    ResponseReceived,
    StreamEnded,
    StreamReset,
    WindowUpdated,
)
from h2.exceptions import ProtocolError

from .goaway import Goaway, take_frames
from .http import Failed, Request, Response, sending

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from .target import Target

PROTOCOL = "http/2"
# nginx says GOAWAY with the thousandth request of a connection, and what was sent until that arrives is refused.
# Browsers send it again, which this tool never does; so it is first to leave.
MOST_REQUESTS = 900


class Stream:
    """The answer to one request: its status, its body in pieces, then None; or how it failed."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.is_over = False
        self._arrived: asyncio.Queue[int | bytes | Failed | None] = asyncio.Queue()

    def put(self, item: int | bytes) -> None:
        self._arrived.put_nowait(item)

    def end(self, failed: Failed | None = None) -> None:
        if not self.is_over:
            self.is_over = True
            self._arrived.put_nowait(failed)

    async def status(self) -> int:
        item = await self._next()
        if not isinstance(item, int):
            raise Failed("no answer")
        return item

    async def pieces(self) -> AsyncIterator[bytes]:
        while isinstance(item := await self._next(), bytes):
            yield item

    async def _next(self) -> int | bytes | None:
        item = await self._arrived.get()
        if isinstance(item, Failed):
            raise item
        return item


class Http2:
    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        address: str,
        authority: str,
        *,
        scheme: str = "https",
        prefix: str = "",
    ) -> None:
        self.address = address
        self._reader, self._writer = reader, writer
        self._pseudo = [(":scheme", scheme), (":authority", authority)]
        self._prefix = prefix
        self._h2 = H2Connection(H2Configuration(client_side=True, header_encoding="utf-8"))
        self._streams: dict[int, Stream] = {}
        self._requests = 0
        self._is_retired = False
        self._room = asyncio.Event()
        self._h2.initiate_connection()
        self._flush()
        self._reading = asyncio.create_task(self._read())

    @classmethod
    async def open(cls, target: Target) -> Self:
        address = target.next_address()
        reader, writer = await target.connect(address, "h2")
        return cls(reader, writer, address, target.host_header, scheme=target.scheme, prefix=target.prefix)

    @property
    def is_usable(self) -> bool:
        """Whether another request may be sent, as far as anyone can know before trying."""
        return (
            not self._is_retired
            and self._requests < MOST_REQUESTS
            and self._h2.open_outbound_streams < self._h2.remote_settings.max_concurrent_streams
        )

    def retire(self) -> None:
        """Take no more requests, and close when the last one is answered."""
        self._is_retired = True
        if not self._streams:
            self.close()

    def close(self) -> None:
        self._is_retired = True
        self._writer.close()

    @asynccontextmanager
    async def request(self, request: Request) -> AsyncIterator[Response]:
        stream = self._begin(request)
        try:
            async with sending(self._send(stream, request), is_dripped=request.is_dripped):
                yield Response(await stream.status(), stream.pieces())
        finally:
            self._forget(stream)

    def _begin(self, request: Request) -> Stream:
        if self._is_retired:
            raise Failed("closed under the request")
        stream = Stream(self._h2.get_next_available_stream_id())
        pseudo = [(":method", request.method), (":path", self._prefix + request.path), *self._pseudo]
        self._h2.send_headers(stream.number, pseudo + request.headers(), end_stream=not request.body)
        self._streams[stream.number] = stream
        self._requests += 1
        self._flush()
        return stream

    async def _send(self, stream: Stream, request: Request) -> None:
        if not request.body:
            return
        async for piece in request.pieces():
            await self._send_piece(stream, piece)
        if not stream.is_over:
            self._h2.end_stream(stream.number)
            self._flush()

    async def _send_piece(self, stream: Stream, piece: bytes) -> None:
        while piece and not stream.is_over:
            room = min(self._h2.local_flow_control_window(stream.number), self._h2.max_outbound_frame_size)
            if room > 0:
                self._h2.send_data(stream.number, piece[:room])
                piece = piece[room:]
                self._flush()
                await self._writer.drain()
            else:
                self._room.clear()
                await self._room.wait()

    def _forget(self, stream: Stream) -> None:
        del self._streams[stream.number]
        if not stream.is_over:
            with suppress(ProtocolError):
                self._h2.reset_stream(stream.number)
                self._flush()
        if self._is_retired and not self._streams:
            self.close()

    def _flush(self) -> None:
        if (data := self._h2.data_to_send()) and not self._writer.is_closing():
            self._writer.write(data)

    async def _read(self) -> None:
        buffer, detail = bytearray(), ""
        try:
            while data := await self._reader.read(65536):
                buffer += data
                frames, goaway = take_frames(buffer)
                for event in self._h2.receive_data(frames):
                    self._handle(event)
                self._flush()
                if goaway:
                    self._heed(goaway)
        except (OSError, ProtocolError) as error:
            detail = f"{type(error).__name__}: {error}"
        finally:
            self.close()
            for stream in self._streams.values():
                stream.end(Failed("closed under the request", detail))
            self._room.set()

    def _heed(self, goaway: Goaway) -> None:
        for stream in self._streams.values():
            if stream.number > goaway.last_stream:
                stream.end(Failed("refused by GOAWAY", f"error {goaway.error}"))
        self.retire()

    def _handle(self, event: Event) -> None:
        if isinstance(event, WindowUpdated | RemoteSettingsChanged):
            self._room.set()
            return
        if isinstance(event, DataReceived):
            self._h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        stream = self._streams.get(getattr(event, "stream_id", 0) or 0)
        if stream is None or stream.is_over:
            return
        if isinstance(event, ResponseReceived):
            stream.put(int(_status(event.headers)))
        elif isinstance(event, DataReceived):
            stream.put(event.data)
        elif isinstance(event, StreamEnded):
            stream.end()
        elif isinstance(event, StreamReset):
            stream.end(Failed("stream reset", f"error {event.error_code}"))
            self._room.set()


def _status(headers: Iterable[tuple[str | bytes, str | bytes]]) -> int:
    return next(int(value) for name, value in headers if name in {":status", b":status"})
