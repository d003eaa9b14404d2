"""What both versions of HTTP have in common: a request, its response, and how either fails."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine, Iterator
    from contextlib import AbstractAsyncContextManager

USER_AGENT = "slipway-load"


class Failed(Exception):
    """What a visitor would have noticed: a short reason to count by, and what else is known."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    path: str
    body: bytes = b""
    content_type: str = "application/json"
    piece: int = 65536
    pause_s: float = 0

    @property
    def is_dripped(self) -> bool:
        return self.pause_s > 0

    async def pieces(self) -> AsyncIterator[bytes]:
        for start in range(0, len(self.body), self.piece):
            await asyncio.sleep(self.pause_s)
            yield self.body[start : start + self.piece]

    def headers(self) -> list[tuple[str, str]]:
        headers = [("user-agent", USER_AGENT), ("accept", "*/*")]
        if self.method == "POST":
            headers += [("content-type", self.content_type), ("content-length", str(len(self.body)))]
        return headers


@dataclass(frozen=True, slots=True)
class Response:
    status: int
    pieces: AsyncIterator[bytes]


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes


class Connection(Protocol):
    address: str

    def request(self, request: Request) -> AbstractAsyncContextManager[Response]: ...

    def close(self) -> None: ...


async def exchange(connection: Connection, request: Request) -> Answer:
    async with connection.request(request) as response:
        return Answer(response.status, b"".join([piece async for piece in response.pieces]))


@asynccontextmanager
async def sending(body: Coroutine[None, None, None], *, is_dripped: bool) -> AsyncIterator[None]:
    """Send the body, a dripped one while the answer is awaited: a server may answer before it has all of it."""
    if not is_dripped:
        await body
        yield
        return
    task = asyncio.create_task(body)
    try:
        yield
    finally:
        task.cancel()
        # Why a body couldn't be sent, the answer or its absence says.
        with suppress(asyncio.CancelledError, OSError):
            await task


@contextmanager
def named_failures() -> Iterator[None]:
    """Turn what the system says into a reason that can be counted."""
    try:
        yield
    except TimeoutError as error:
        raise Failed("timeout", str(error)) from error
    except ConnectionRefusedError as error:
        raise Failed("connection refused", str(error)) from error
    except (ConnectionResetError, BrokenPipeError, ConnectionAbortedError) as error:
        raise Failed("connection reset", str(error)) from error
    except ssl.SSLError as error:
        raise Failed("TLS", str(error)) from error
    except OSError as error:
        raise Failed(error.strerror or type(error).__name__, str(error)) from error
