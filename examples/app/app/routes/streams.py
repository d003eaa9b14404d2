"""Connections that last."""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Query, WebSocket, WebSocketDisconnect
from fastapi.responses import StreamingResponse

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

router = APIRouter(tags=["streams"])


@router.websocket("/ws")
async def echo(websocket: WebSocket) -> None:
    await websocket.accept()
    try:
        while True:
            message = await websocket.receive()
            if message["type"] == "websocket.disconnect":
                return
            if (text := message.get("text")) is not None:
                await websocket.send_text(text)
            else:
                await websocket.send_bytes(message["bytes"])
    except WebSocketDisconnect:
        return


@router.get("/events")
async def events(
    count: Annotated[int, Query(ge=1, le=1_000_000)] = 10,
    interval_ms: Annotated[int, Query(ge=0, le=3_600_000)] = 1000,
) -> StreamingResponse:
    """Each event says when it was made, so that a client sees whether something on the way held it back.

    There is deliberately no X-Accel-Buffering header: that a proxy passes events on is for the proxy to prove.
    """

    async def stream() -> AsyncIterator[str]:
        for number in range(count):
            if number:
                await asyncio.sleep(interval_ms / 1000)
            yield f"id: {number}\ndata: {json.dumps({'number': number, 'created_at': time.time()})}\n\n"

    return StreamingResponse(stream(), media_type="text/event-stream", headers={"Cache-Control": "no-cache"})


@router.get("/slow")
async def slow(ms: Annotated[int, Query(ge=0, le=3_600_000)] = 1000) -> dict[str, int]:
    await asyncio.sleep(ms / 1000)
    return {"slept_ms": ms}
