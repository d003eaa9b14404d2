"""Harm on request; served only by a process that misbehaves on purpose."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from app import misbehaviour

router = APIRouter(tags=["sabotage"])
hoard: list[bytearray] = []


@router.post("/hang")
async def hang(seconds: Annotated[float, Query(gt=0)] = 3600) -> dict[str, float]:
    """On the event loop itself: this process answers nobody until then."""
    misbehaviour.hang_for(seconds)
    return {"hung_for": seconds}


@router.post("/exit")
async def leave(code: Annotated[int, Query(ge=0, le=255)] = 1) -> None:
    """Without a goodbye, as when the kernel kills a process."""
    misbehaviour.exit_now(code)


@router.post("/hog")
async def hog(mb: Annotated[int, Query(ge=1, le=65536)] = 100) -> dict[str, int]:
    """Takes memory, writes to it so that it counts, and never gives it back."""
    block = bytearray(mb * 1024 * 1024)
    block[::4096] = b"\1" * len(block[::4096])
    hoard.append(block)
    return {"hoarded_mb": sum(map(len, hoard)) // (1024 * 1024)}
