"""Says something over a WebSocket a number of times, with a silence in between, and tells what came back.

websocket.py URL SILENCE TIMES [FILE]

FILE is made when the first answer has come.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import aiohttp

URL, SILENCE, TIMES, FILES = sys.argv[1], float(sys.argv[2]), int(sys.argv[3]), sys.argv[4:]


async def main() -> None:
    heard: list[str | None] = []
    async with aiohttp.ClientSession() as session, session.ws_connect(URL, ssl=False) as websocket:
        for number in range(TIMES):
            if number:
                await asyncio.sleep(SILENCE)
            try:
                await websocket.send_str(str(number))
                answer = await websocket.receive()
            except ConnectionError:
                heard.append(None)
                break
            for file in FILES:
                Path(file).touch()
            heard.append(answer.data if answer.type == aiohttp.WSMsgType.TEXT else None)
    print(json.dumps(heard))


asyncio.run(main())
