"""Jobs: work that a request only asks for. Also the ticks of the scheduler, which asks by the clock."""

from __future__ import annotations

import asyncio
import time
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID, uuid4

from fastapi import APIRouter, HTTPException, Query, Response, status
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert

from app.database import Database
from app.jobs import QueueAway
from app.models import Job, Tick
from app.services import WithDatabase, WithQueue

POLL_S = 0.1

router = APIRouter(tags=["jobs"])


class NewJob(BaseModel):
    id: UUID | None = None
    seconds: float = Field(default=0, ge=0, le=3600, description="how long the job takes")


class JobReport(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: UUID
    queue: str
    state: str
    seconds: float
    runs: int = Field(description="more than 1 when it was run again")
    worker: str | None
    result: dict[str, Any] | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


class TickReport(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    beat_host: str
    beat_pid: int
    worker: str
    sent_at: datetime
    stored_at: datetime


@router.post("/jobs", status_code=status.HTTP_202_ACCEPTED)
async def enqueue_job(new: NewJob, response: Response, database: WithDatabase, queue: WithQueue) -> JobReport:
    """202 when the job is in the queue, 200 when one with this id was there already and is left alone."""
    job_id = new.id or uuid4()
    record = insert(Job).values(id=job_id, queue=queue.name, seconds=new.seconds).on_conflict_do_nothing()
    async with database.transaction() as session:
        is_new = (await session.execute(record.returning(Job.id))).scalar_one_or_none() is not None
    if is_new:
        try:
            await queue.put(job_id)
        except QueueAway:
            async with database.transaction() as session:
                await session.execute(delete(Job).where(Job.id == job_id))
            raise
    else:
        response.status_code = status.HTTP_200_OK
    return await _report(database, job_id)


@router.get("/jobs/{job_id}")
async def await_job(
    job_id: UUID, database: WithDatabase, wait: Annotated[float, Query(ge=0, le=60, description="seconds")] = 0
) -> JobReport:
    """Answers at once, or when the job is done, or after `wait` seconds; no connection is held meanwhile."""
    deadline = time.monotonic() + wait
    while True:
        report = await _report(database, job_id)
        if report.state == "done" or time.monotonic() >= deadline:
            return report
        await asyncio.sleep(POLL_S)


@router.get("/ticks")
async def list_ticks(database: WithDatabase, limit: Annotated[int, Query(ge=1, le=1000)] = 100) -> list[TickReport]:
    """The newest first, each with the scheduler that it came from."""
    async with database.transaction() as session:
        ticks = await session.scalars(select(Tick).order_by(Tick.sent_at.desc()).limit(limit))
        return [TickReport.model_validate(tick) for tick in ticks]


async def _report(database: Database, job_id: UUID) -> JobReport:
    async with database.transaction() as session:
        job = await session.get(Job, job_id)
    if job is None:
        raise HTTPException(status.HTTP_404_NOT_FOUND, "There is no such job.")
    return JobReport.model_validate(job)
