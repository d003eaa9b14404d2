"""How the parts are that this process depends on."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from app.services import Services

logger = logging.getLogger(__name__)

OK = "ok"
AWAY = "away"
NOT_CONFIGURED = "not configured"


async def state_of(part: str, ping: Callable[[], Awaitable[None]] | None, timeout_s: float) -> str:
    if ping is None:
        return NOT_CONFIGURED
    try:
        async with asyncio.timeout(timeout_s):
            await ping()
    except Exception as error:
        # Whatever is wrong with a part, the answer is that it is away and not an error of the health route.
        logger.warning("%s is away", part, extra={"reason": f"{type(error).__name__}: {error}"})
        return AWAY
    return OK


async def database_state(services: Services) -> str:
    ping = services.database.ping if services.database else None
    return await state_of("database", ping, services.settings.health_timeout)


async def redis_state(services: Services) -> str:
    ping = services.cache.ping if services.cache else None
    return await state_of("redis", ping, services.settings.health_timeout)


async def parts(services: Services) -> dict[str, str]:
    database, redis = await asyncio.gather(database_state(services), redis_state(services))
    return {"database": database, "redis": redis}
