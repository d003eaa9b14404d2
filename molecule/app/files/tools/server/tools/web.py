"""A web process that can be looked into and made to hang."""

from __future__ import annotations

import os
import time
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

state = {"live": 200}


async def health(request: Request) -> JSONResponse:
    version = Path("VERSION").read_text().strip()
    return JSONResponse({"status": "healthy", "version": version, "pid": os.getpid(), "port": os.environ["PORT"]})


async def live(request: Request) -> JSONResponse:
    return JSONResponse({}, state["live"])


async def degrade(request: Request) -> JSONResponse:
    state["live"] = 503
    return JSONResponse({})


async def environment(request: Request) -> JSONResponse:
    return JSONResponse(dict(os.environ))


async def hang(request: Request) -> JSONResponse:
    time.sleep(600)
    return JSONResponse({})


def create_app() -> Starlette:
    handlers = {
        "/health": health,
        "/live": live,
        "/degrade": degrade,
        "/environment": environment,
        "/hang": hang,
    }
    return Starlette(routes=[Route(path, handler) for path, handler in handlers.items()])
