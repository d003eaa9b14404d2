"""Uploads of any size: the body is hashed as it comes, and kept where UPLOAD_DIR says so."""

from __future__ import annotations

import hashlib
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from uuid import uuid4

import anyio
from fastapi import APIRouter, HTTPException, Request, status
from fastapi import Path as PathParameter
from fastapi.responses import FileResponse

from app.services import WithServices

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

router = APIRouter(tags=["uploads"])


class Draft:
    """A file that gets its final name only when it is complete."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._path = anyio.Path(directory / f".{uuid4().hex}.part")

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[anyio.AsyncFile[bytes]]:
        await anyio.Path(self._directory).mkdir(parents=True, exist_ok=True)
        try:
            async with await self._path.open("wb") as file:
                yield file
        except BaseException:
            with anyio.CancelScope(shield=True):
                await self._path.unlink(missing_ok=True)
            raise

    async def keep_as(self, name: str) -> None:
        await self._path.rename(self._directory / name)


async def _hash(request: Request, file: anyio.AsyncFile[bytes] | None) -> tuple[int, str]:
    size, digest = 0, hashlib.sha256()
    async for chunk in request.stream():
        size += len(chunk)
        digest.update(chunk)
        if file is not None:
            await file.write(chunk)
    return size, digest.hexdigest()


@router.post("/upload")
async def upload(request: Request, services: WithServices) -> dict[str, Any]:
    directory = services.settings.upload_dir
    if directory is None:
        size, sha256 = await _hash(request, None)
    else:
        draft = Draft(directory)
        async with draft.writing() as file:
            size, sha256 = await _hash(request, file)
        await draft.keep_as(sha256)
    return {"size": size, "sha256": sha256, "kept": directory is not None}


@router.get("/uploads/{sha256}")
async def download(
    sha256: Annotated[str, PathParameter(pattern="^[0-9a-f]{64}$")], services: WithServices
) -> FileResponse:
    directory = services.settings.upload_dir
    if directory is None or not await anyio.Path(directory / sha256).is_file():
        raise HTTPException(status.HTTP_404_NOT_FOUND, "There is no such upload.")
    return FileResponse(directory / sha256, media_type="application/octet-stream")
