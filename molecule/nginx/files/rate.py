"""Asks as fast as it can, as clients of two addresses, and tells the statuses.

rate.py URL
"""

from __future__ import annotations

import asyncio
import json
import sys

import aiohttp

URL = sys.argv[1]


async def main() -> None:
    async with aiohttp.ClientSession() as session:

        async def ask(path: str, address: str) -> int:
            async with session.get(URL + path, ssl=False, headers={"X-Forwarded-For": address}) as answer:
                return answer.status

        one = [await ask("/limited", "203.0.113.50") for _ in range(10)]
        other = [await ask("/limited", "203.0.113.51") for _ in range(2)]
        hard = [await ask("/limited-hard", "203.0.113.50") for _ in range(3)]
    print(json.dumps([one, other, hard]))


asyncio.run(main())
