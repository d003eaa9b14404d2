"""Asks as many clients, told apart by their User-Agent, and tells which slot each of them got.

share.py URL CLIENTS
"""

from __future__ import annotations

import asyncio
import json
import sys

import aiohttp

URL, CLIENTS = sys.argv[1], int(sys.argv[2])


async def main() -> None:
    connector = aiohttp.TCPConnector(limit=20)
    async with aiohttp.ClientSession(connector=connector) as session:

        async def ask(number: int) -> str:
            async with session.get(URL, ssl=False, headers={"User-Agent": f"client {number}"}) as answer:
                return (await answer.json())["slot"]

        slots = await asyncio.gather(*(ask(number) for number in range(CLIENTS)))
    print(json.dumps(slots))


asyncio.run(main())
