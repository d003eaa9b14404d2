"""The web process: `app.main:app`, or the factory `app.main:create_app`."""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.middleware.trustedhost import TrustedHostMiddleware

from app import metrics
from app.boot import boot, refuse
from app.database import DatabaseAway
from app.jobs import QueueAway
from app.logs import request_id
from app.middleware import CatchErrors, Observe, OtherPaths, Sabotage, UnderRootPath
from app.routes import inspection, items, jobs, pages, probes, sabotage, search, streams, uploads
from app.services import NotConfigured, Services, create_services
from app.settings import ConfigurationError, names_in

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

logger = logging.getLogger("app")


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    services: Services = app.state.services
    services.saboteur.at_start()
    await asyncio.sleep(services.saboteur.plan.start_slowly)
    await services.start()
    logger.info("started", extra={"version": services.version, "slot": services.settings.app_slot})
    yield
    await services.close()
    logger.info("stopped")


async def answer_unavailable(request: Request, error: Exception) -> JSONResponse:
    """Says that trying again helps, in contrast to an error of this application."""
    logger.warning("unavailable", extra={"path": request.url.path, "reason": f"{type(error).__name__}: {error}"})
    body = {"detail": f"{type(error).__name__}: {error}", "request_id": request_id.get()}
    return JSONResponse(body, status_code=503, headers={"Retry-After": "1"})


def create_app() -> FastAPI:
    settings, saboteur = boot()
    try:
        services = create_services(settings, saboteur)
    except ConfigurationError as error:
        refuse(error)
    app = FastAPI(title="Dinghy", version=services.version, lifespan=lifespan)
    app.state.services = services
    metrics.INFO.labels(services.version, settings.app_env, settings.app_slot or "").set(1)

    for prefix in dict.fromkeys(("", settings.api_prefix)):
        for module in (probes, items, search, jobs, streams, uploads, pages, inspection):
            app.include_router(module.router, prefix=prefix)
    if saboteur.plan.sabotage:
        app.include_router(sabotage.router)

    for error_class in (DatabaseAway, QueueAway, NotConfigured):
        app.add_exception_handler(error_class, answer_unavailable)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=names_in(settings.allowed_hosts))
    app.add_middleware(Sabotage, saboteur=saboteur)
    app.add_middleware(CatchErrors)
    app.add_middleware(UnderRootPath, root_path=settings.root_path)
    app.add_middleware(OtherPaths, aliases=settings.path_aliases)
    app.add_middleware(Observe, log=settings.access_log)
    return app


app = create_app()
