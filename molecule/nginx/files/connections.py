"""Asks forty times, each time over a new connection, and tells over which connections the application was asked.

connections.py URL
"""

from __future__ import annotations

import asyncio
import json
import sys

import aiohttp


async def main() -> None:
    heard = []
    for _ in range(40):
        async with aiohttp.ClientSession() as session, session.get(sys.argv[1], ssl=False) as answer:
            heard.append((await answer.json())["connection"])
    print(json.dumps(heard))


asyncio.run(main())
