"""What wraps every request. Plain ASGI, since the base class of Starlette for it would buffer streams."""

from __future__ import annotations

import asyncio
import logging
import re
import time
import uuid
from typing import TYPE_CHECKING

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse

from app import metrics
from app.logs import request_id

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from app.misbehaviour import Saboteur

REQUEST_ID_HEADER = "X-Request-ID"
ACCEPTABLE_REQUEST_ID = re.compile(r"[\w.:-]{1,128}", re.ASCII)
PROBES = ("/health", "/live", "/ready", "/version", "/metrics")

access = logging.getLogger("app.access")
errors = logging.getLogger("app.errors")


def proposed_or_new_id(headers: Headers) -> str:
    proposed = headers.get(REQUEST_ID_HEADER, "")
    return proposed if ACCEPTABLE_REQUEST_ID.fullmatch(proposed) else uuid.uuid4().hex


class Observe:
    """Names the request, counts it, and leaves one line in the log when its answer is complete."""

    def __init__(self, app: ASGIApp, *, log: bool) -> None:
        self._app = app
        self._log = log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        current = proposed_or_new_id(Headers(scope=scope))
        token = request_id.set(current)
        status = 0
        started = time.perf_counter()

        async def send_named(message: Message) -> None:
            nonlocal status
            if message["type"] in {"http.response.start", "websocket.accept"}:
                MutableHeaders(scope=message).append(REQUEST_ID_HEADER, current)
                status = message.get("status", 101)
            await send(message)

        try:
            with metrics.IN_FLIGHT.track_inprogress():
                await self._app(scope, receive, send_named)
        finally:
            self._report(scope, status, time.perf_counter() - started)
            request_id.reset(token)

    def _report(self, scope: Scope, status: int, seconds: float) -> None:
        method = scope.get("method", "WEBSOCKET")
        route = getattr(scope.get("route"), "path", "unmatched")
        metrics.REQUESTS.labels(method, route, status).inc()
        metrics.DURATION.labels(method, route).observe(seconds)
        if self._log:
            client = scope.get("client")
            # The query stays out of the log: this is where tokens travel.
            event = {
                "method": method,
                "path": scope["path"],
                "status": status,
                "duration_ms": round(seconds * 1000, 1),
                "client": client[0] if client else None,
            }
            access.info("request", extra=event)


class CatchErrors:
    """Gives an error that no code expected a number that the person who saw it and the log have in common."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        answering = False

        async def send_watched(message: Message) -> None:
            nonlocal answering
            answering = True
            await send(message)

        try:
            await self._app(scope, receive, send_watched)
        except Exception:
            error_id = uuid.uuid4().hex
            metrics.ERRORS.inc()
            errors.exception("unhandled error", extra={"error_id": error_id})
            if answering:
                # The status has gone out already; only a cut connection still tells the client.
                raise
            body = {"detail": "Internal Server Error", "error_id": error_id, "request_id": request_id.get()}
            await JSONResponse(body, status_code=500)(scope, receive, send)


class Sabotage:
    """Lets requests fail or wait where the misbehaviour of this process says so; probes go on as if all were well."""

    def __init__(self, app: ASGIApp, *, saboteur: Saboteur) -> None:
        self._app = app
        self._saboteur = saboteur

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not scope["path"].endswith(PROBES):
            self._saboteur.count_request()
            if self._saboteur.plan.slow_down:
                await asyncio.sleep(self._saboteur.plan.slow_down)
            if self._saboteur.fails_this_request:
                raise RuntimeError("This process fails requests on purpose.")
        await self._app(scope, receive, send)


class UnderRootPath:
    """For servers that can't be told the prefix which a proxy strips: the links of the application need it."""

    def __init__(self, app: ASGIApp, *, root_path: str) -> None:
        self._app = app
        self._root_path = root_path.rstrip("/")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._root_path and scope["type"] != "lifespan":
            scope["root_path"] = self._root_path
        await self._app(scope, receive, send)


class OtherPaths:
    """Answers on the paths of the application that this one stands in for."""

    def __init__(self, app: ASGIApp, *, aliases: dict[str, str]) -> None:
        self._app = app
        self._aliases = aliases

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if (path := self._aliases.get(scope.get("path", ""))) is not None:
            scope["path"], scope["raw_path"] = path, path.encode()
        await self._app(scope, receive, send)
