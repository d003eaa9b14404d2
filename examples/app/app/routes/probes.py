"""For proxies, watchdogs and rollouts: is this process alive, ready, healthy, and which release is it?"""

from __future__ import annotations

import os
from typing import Any

from fastapi import APIRouter, Response, status

from app import health, metrics
from app.services import WithServices

router = APIRouter(tags=["probes"])


@router.get("/live")
async def live() -> dict[str, str]:
    """Only says that the event loop turns: what restarts a process must not depend on other machines."""
    return {"status": "alive"}


@router.get("/ready")
async def ready(services: WithServices, response: Response) -> dict[str, str]:
    """Without its database a process is of no use to a proxy; without Redis it is only slower."""
    database = await health.database_state(services)
    if services.saboteur.is_unhealthy or database == health.AWAY:
        response.status_code = status.HTTP_503_SERVICE_UNAVAILABLE
        return {"status": "not ready", "database": database}
    return {"status": "ready", "database": database}


@router.get("/health")
async def healthy(services: WithServices, response: Response) -> dict[str, Any]:
    parts = await health.parts(services)
    overall = "degraded" if health.AWAY in parts.values() else "healthy"
    if services.saboteur.is_unhealthy:
        overall = "unhealthy"
        response.status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    return {"status": overall, "parts": parts, **_identity(services)}


@router.get("/version")
async def version(services: WithServices) -> dict[str, Any]:
    return _identity(services)


@router.get("/metrics")
async def prometheus() -> Response:
    body, media_type = metrics.render()
    return Response(body, media_type=media_type)


def _identity(services: WithServices) -> dict[str, Any]:
    return {
        "version": services.version,
        "environment": services.settings.app_env,
        "slot": services.settings.app_slot,
        "pid": os.getpid(),
    }
