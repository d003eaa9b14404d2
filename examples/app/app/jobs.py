"""Jobs and their books: one row for each job, whose `runs` shows when one was run twice."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import time
from typing import TYPE_CHECKING, Protocol
from uuid import UUID

from sqlalchemy import func, select, update

from app.models import Job

if TYPE_CHECKING:
    from app.database import Database

logger = logging.getLogger(__name__)


class QueueAway(Exception):
    """The job couldn't be handed to the queue."""


class JobQueue(Protocol):
    name: str

    async def start(self) -> None: ...

    async def put(self, job_id: UUID) -> None: ...

    async def close(self) -> None: ...


def this_process() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"


async def run_job(database: Database, job_id: UUID) -> None:
    """Counts the run before it starts, so that even a job that kills its process leaves a trace."""
    count = (
        update(Job)
        .where(Job.id == job_id)
        .values(state="running", runs=Job.runs + 1, worker=this_process(), started_at=func.clock_timestamp())
        .returning(Job.seconds)
    )
    async with database.transaction() as session:
        seconds = (await session.execute(count)).scalar_one_or_none()
    if seconds is None:
        logger.warning("job is unknown", extra={"job": str(job_id)})
        return
    started = time.monotonic()
    await asyncio.sleep(seconds)
    result = {"slept": round(time.monotonic() - started, 3)}
    async with database.transaction() as session:
        finish = update(Job).where(Job.id == job_id)
        await session.execute(finish.values(state="done", result=result, finished_at=func.clock_timestamp()))
    logger.info("job done", extra={"job": str(job_id), **result})


class InProcessQueue:
    """One job after the other inside the web process, as small applications do it.

    Two such processes at once take up each other's unfinished jobs: this is what must not overlap in a rollout.
    """

    name = "inproc"

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: asyncio.Queue[UUID] = asyncio.Queue()
        self._runner: asyncio.Task[None] | None = None
        self._stopping = asyncio.Event()

    async def start(self) -> None:
        unfinished = select(Job.id).where(Job.queue == self.name, Job.state != "done").order_by(Job.created_at)
        async with self._database.transaction() as session:
            for job_id in await session.scalars(unfinished):
                self._waiting.put_nowait(job_id)
        self._runner = asyncio.create_task(self._run())

    async def put(self, job_id: UUID) -> None:
        self._waiting.put_nowait(job_id)

    async def close(self) -> None:
        """Finishes the job at hand; those that wait stay in the database for the next process."""
        self._stopping.set()
        if self._runner is not None:
            await self._runner

    async def _run(self) -> None:
        stopping = asyncio.create_task(self._stopping.wait())
        while not self._stopping.is_set():
            arrival = asyncio.create_task(self._waiting.get())
            await asyncio.wait({arrival, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if self._stopping.is_set():
                arrival.cancel()
                return
            try:
                await run_job(self._database, arrival.result())
            except Exception:
                logger.exception("job failed", extra={"job": str(arrival.result())})
