"""Whether each POST that was answered is stored, once."""

from __future__ import annotations

import asyncio
import json
from collections import Counter, deque
from itertools import count
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from .client import Way
from .http import Failed, Request

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .client import Client

PAGE = 1000
PATIENCE_S = 30
EXAMPLES = 10


class Posts:
    """The names of the items carry the token. They have no key that would let the application see a repeated POST."""

    def __init__(self) -> None:
        self.prefix = f"load-{uuid4().hex}-"
        self._numbers = count()
        self._answered: list[str] = []
        self._last_ids: deque[str] = deque(maxlen=100)

    def next_token(self) -> str:
        return f"{self.prefix}{next(self._numbers)}"

    def answered(self, token: str, item_id: str) -> None:
        self._answered.append(token)
        self._last_ids.append(item_id)

    def some_id(self, number: int) -> str | None:
        return self._last_ids[number % len(self._last_ids)] if self._last_ids else None

    def judge(self, stored: Mapping[str, int]) -> dict[str, Any]:
        """A POST that failed for the client may be stored or not, but no more than once either."""
        lost = [token for token in self._answered if token not in stored]
        doubled = [token for token, times in stored.items() if times > 1]
        return {
            "answered": len(self._answered),
            "stored": len(stored),
            "lost": len(lost),
            "doubled": len(doubled),
            "examples": (lost + doubled)[:EXAMPLES],
        }

    async def verdict(self, client: Client) -> dict[str, Any]:
        try:
            stored = await self.read_back(client)
        except Failed as failed:
            return {"verified": False, "reason": failed.reason, "answered": len(self._answered)}
        return {"verified": True, **self.judge(stored)}

    async def read_back(self, client: Client) -> Counter[str]:
        """How often each token is stored: rows of its name, and arrivals of each."""
        stored: Counter[str] = Counter()
        after = ""
        while page := await _patiently(client, f"/items?prefix={self.prefix}&limit={PAGE}{after}"):
            for item in page:
                stored[item["name"]] += item["arrivals"]
            after = f"&after={page[-1]['id']}"
        return stored


async def _patiently(client: Client, path: str) -> list[dict[str, Any]]:
    """This is no measurement any more, so it may try again."""
    failed = Failed("timeout")
    try:
        async with asyncio.timeout(PATIENCE_S):
            while True:
                try:
                    answer = await client.ask(Request("GET", path), Way.NEW)
                    if answer.status == 200:
                        page: list[dict[str, Any]] = json.loads(answer.body)
                        return page
                    failed = Failed(f"status {answer.status}")
                except Failed as error:
                    failed = error
                await asyncio.sleep(0.5)
    except TimeoutError:
        raise failed from None
