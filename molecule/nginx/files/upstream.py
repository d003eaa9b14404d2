"""An application behind the proxy: it tells what it was asked, by whom, and in which slot it runs.

upstream.py SLOT PORT
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import itertools
import json
import sys
import time
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

SLOT, PORT = sys.argv[1], int(sys.argv[2])
# RFC 6455, 1.3.
WEBSOCKET_MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
TEXT, CLOSE, LONG = 0x81, 0x88, 126
connections = itertools.count(1)


@dataclass
class Request:
    method: str
    target: str
    headers: dict[str, str]
    body_length: int
    connection: int

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    def number(self, name: str) -> int:
        return int(parse_qs(urlsplit(self.target).query)[name][0])


async def read_request(reader: asyncio.StreamReader, connection: int) -> Request:
    method, target, _version = (await reader.readuntil(b"\r\n")).decode().split()
    headers = {}
    while (line := await reader.readuntil(b"\r\n")) != b"\r\n":
        name, _, value = line.decode("latin-1").partition(":")
        headers[name.lower()] = value.strip()
    left = length = int(headers.get("content-length", "0"))
    while left:
        left -= len(await reader.readexactly(min(left, 65536)))
    return Request(method, target, headers, length, connection)


def answer(status: str, body: bytes, *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", f"X-Slot: {SLOT}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


def respond(request: Request) -> bytes:
    if request.path == "/text":
        return answer("200 OK", b"x" * request.number("size"), "Content-Type: text/plain")
    if request.path == "/health" and "fail" in request.target:
        return answer("503 Service Unavailable", b"ill", "Content-Type: text/plain")
    own = ["X-Frame-Options: DENY", "X-Request-ID: of-the-application", "Strict-Transport-Security: max-age=1"]
    body = json.dumps({"slot": SLOT, **vars(request)}).encode()
    status = "500 Internal Server Error" if request.path == f"/broken-in-{SLOT}" else "200 OK"
    return answer(status, body, "Content-Type: application/json", *(own if request.path == "/own" else []))


async def stream(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n")
    for _ in range(2):
        writer.write(f"data: {time.time()}\n\n".encode())
        await writer.drain()
        # Longer than the read timeout of an ordinary route in this scenario.
        await asyncio.sleep(5)


async def echo(request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    key = request.headers["sec-websocket-key"].encode()
    accept = base64.b64encode(hashlib.sha1(key + WEBSOCKET_MAGIC).digest()).decode()
    head = ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade"]
    writer.write("\r\n".join([*head, f"Sec-WebSocket-Accept: {accept}", "", ""]).encode())
    while True:
        kind, length = await reader.readexactly(2)
        length &= 0x7F
        if length == LONG:
            length = int.from_bytes(await reader.readexactly(2), "big")
        mask = await reader.readexactly(4)
        text = bytes(byte ^ mask[at % 4] for at, byte in enumerate(await reader.readexactly(length)))
        if kind == CLOSE:
            writer.write(bytes([CLOSE, 0]))
            return
        reply = f"{SLOT}: ".encode() + text
        writer.write(bytes([TEXT, len(reply)]) + reply)


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    connection = next(connections)
    try:
        while True:
            request = await read_request(reader, connection)
            if request.headers.get("upgrade") == "websocket":
                await echo(request, reader, writer)
                return
            if request.path == "/events":
                await stream(writer)
                return
            writer.write(respond(request))
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        return
    finally:
        writer.close()


async def main() -> None:
    server = await asyncio.start_server(serve, "127.0.0.1", PORT)
    async with server:
        await server.serve_forever()


asyncio.run(main())
