"""Items in Redis: a cache that is away makes reads slower, never wrong and never fail."""

from __future__ import annotations

import logging

from redis.asyncio import Redis
from redis.exceptions import RedisError

logger = logging.getLogger(__name__)


class Cache:
    def __init__(self, url: str, prefix: str, ttl: int) -> None:
        self._redis = Redis.from_url(url, socket_timeout=1, socket_connect_timeout=1, decode_responses=True)
        self._prefix = prefix
        self._ttl = ttl

    async def get(self, key: str) -> str | None:
        try:
            return await self._redis.get(self._key(key))
        except (RedisError, OSError) as error:
            logger.warning("cache can't be read", extra={"reason": str(error)})
            return None

    async def put(self, key: str, value: str) -> None:
        try:
            await self._redis.set(self._key(key), value, ex=self._ttl)
        except (RedisError, OSError) as error:
            logger.warning("cache can't be written", extra={"reason": str(error)})

    async def forget(self, key: str) -> None:
        try:
            await self._redis.delete(self._key(key))
        except (RedisError, OSError) as error:
            logger.warning("cache can't be written", extra={"reason": str(error)})

    async def ping(self) -> None:
        await self._redis.ping()

    async def close(self) -> None:
        await self._redis.aclose()

    def _key(self, key: str) -> str:
        return f"{self._prefix}:{key}"
