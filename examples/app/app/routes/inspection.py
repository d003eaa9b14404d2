"""What the process sees: proofs that proxy and environment hand on what they should."""

from __future__ import annotations

import os
import socket
from typing import Any

from fastapi import APIRouter, HTTPException, Request, status
from fastapi.responses import RedirectResponse

from app.services import WithServices
from app.settings import names_in

router = APIRouter(tags=["inspection"])


@router.get("/whoami")
async def whoami(request: Request, services: WithServices) -> dict[str, Any]:
    return {
        "client": request.client.host if request.client else None,
        "scheme": request.url.scheme,
        "host": request.headers.get("host"),
        "path": request.url.path,
        "root_path": request.scope.get("root_path", ""),
        "url": str(request.url),
        "http_version": request.scope.get("http_version"),
        "hostname": socket.gethostname(),
        "pid": os.getpid(),
        "slot": services.settings.app_slot,
        "version": services.version,
    }


@router.get("/redirect")
async def redirect(request: Request) -> RedirectResponse:
    """To an absolute address, which is right only when scheme, host and prefix came through the proxy."""
    return RedirectResponse(request.url_for("whoami"))


@router.get("/env/{name}")
async def environment(name: str, services: WithServices) -> dict[str, str | None]:
    """Only what ECHO_ENV names; everything else is nobody's business."""
    if name not in names_in(services.settings.echo_env):
        raise HTTPException(status.HTTP_404_NOT_FOUND, "ECHO_ENV doesn't name this variable.")
    return {"name": name, "value": os.environ.get(name)}


@router.get("/error")
async def error() -> None:
    raise RuntimeError("This route always fails, on purpose.")
