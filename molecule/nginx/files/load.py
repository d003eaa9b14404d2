"""Keep-alive clients, each with a User-Agent of its own, that ask without a rest until the file is there; they tell how
it went.

load.py URL FILE
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import sys
import time

import aiohttp

URL, STOP = sys.argv[1:]
CLIENTS = 20
LONGEST_SECONDS = 180
PAUSE = 0.03


async def main() -> None:
    opened = 0
    errors: list[str] = []
    seconds: list[float] = []
    slots: list[str] = []
    journeys: list[list[str]] = []
    deadline = time.monotonic() + LONGEST_SECONDS

    async def count(*_: object) -> None:
        nonlocal opened
        opened += 1

    async def ask(session: aiohttp.ClientSession, body: bytes | None, journey: list[str]) -> None:
        try:
            async with session.request("POST" if body else "GET", URL, data=body, ssl=False) as answer:
                told = await answer.json()
                if answer.status != 200 or told["body_length"] != len(body or b""):
                    errors.append(f"{answer.status} {told}")
                slots.append(told["slot"])
                if journey[-1:] != slots[-1:]:
                    journey.append(told["slot"])
        except (TimeoutError, aiohttp.ClientError) as error:
            errors.append(repr(error))

    async def client(number: int) -> None:
        journeys.append(journey := [])
        trace = aiohttp.TraceConfig()
        trace.on_connection_create_end.append(count)
        connector = aiohttp.TCPConnector(limit=1, keepalive_timeout=LONGEST_SECONDS)
        timeout = aiohttp.ClientTimeout(total=20)
        headers = {"User-Agent": f"visitor {number}"}
        async with aiohttp.ClientSession(
            connector=connector, trace_configs=[trace], timeout=timeout, headers=headers
        ) as session:
            for body in itertools.cycle([None, b"b" * 2000]):
                if os.path.exists(STOP) or time.monotonic() > deadline:
                    return
                started = time.monotonic()
                await ask(session, body, journey)
                seconds.append(time.monotonic() - started)
                await asyncio.sleep(PAUSE)

    await asyncio.gather(*(client(number) for number in range(CLIENTS)))
    summary = {
        "requests": len(seconds),
        "errors": errors,
        "slots": sorted(set(slots)),
        "changes": sum(before != after for before, after in itertools.pairwise(slots)),
        "journeys": journeys,
        "connections": opened,
        "p99": sorted(seconds)[int(len(seconds) * 0.99)],
    }
    print(json.dumps(summary))


asyncio.run(main())
