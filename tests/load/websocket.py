"""A WebSocket that asks for an echo every second."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, NoReturn

import websockets
from websockets.exceptions import ConnectionClosed, WebSocketException

from .http import Failed

if TYPE_CHECKING:
    from collections.abc import Callable

    from .target import Target

INTERVAL_S = 1
LATE_S = 5
# What RFC 6455 calls an end without a goodbye.
ABNORMAL = 1006


async def live(target: Target, opened: Callable[[], None]) -> NoReturn:
    address = target.next_address()
    scheme = {"https": "wss", "http": "ws"}[target.scheme]
    context = target.tls("http/1.1")
    try:
        websocket = await websockets.connect(
            f"{scheme}://{target.host_header}{target.prefix}/ws",
            host=address,
            port=target.port,
            ssl=context,
            server_hostname=target.name if context else None,
            ping_interval=None,
            close_timeout=2,
        )
    except WebSocketException as error:
        raise Failed("not opened", str(error)) from error
    opened()
    number = 0
    try:
        while True:
            number += 1
            await _echo(websocket, str(number))
            await _pause(websocket)
    except ConnectionClosed as error:
        code, reason = (error.rcvd.code, error.rcvd.reason) if error.rcvd else (ABNORMAL, "")
        raise Failed(f"closed {code}", reason) from error
    finally:
        await websocket.close()


async def _echo(websocket: websockets.ClientConnection, text: str) -> None:
    await websocket.send(text)
    try:
        async with asyncio.timeout(LATE_S):
            echo = await websocket.recv()
    except TimeoutError:
        raise Failed("echo late", f"not there after {LATE_S} s") from None
    if echo != text:
        raise Failed("wrong echo", str(echo)[:200])


async def _pause(websocket: websockets.ClientConnection) -> None:
    """Until the next echo is due, or the connection is closed, so that a cut is seen when it happens."""
    with suppress(TimeoutError):
        async with asyncio.timeout(INTERVAL_S):
            await websocket.wait_closed()
