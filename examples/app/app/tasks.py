"""The Celery application: `celery -A app.tasks:celery worker` runs jobs, `… beat` lets the clock tick."""

from __future__ import annotations

import asyncio
import os
import socket
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from celery import Celery
from celery.signals import before_task_publish, setup_logging
from kombu.exceptions import OperationalError
from sqlalchemy.dialects.postgresql import insert

from app.boot import boot, refuse
from app.database import Database, create_engine
from app.jobs import QueueAway, run_job, this_process
from app.models import Tick
from app.settings import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

settings, _ = boot()
if settings.broker_url is None:
    refuse(ConfigurationError("Neither CELERY_BROKER_URL nor REDIS_URL is set: Celery needs a broker."))

celery = Celery(settings.app_name, broker=settings.broker_url)
celery.conf.update(
    task_default_queue=settings.celery_queue,
    # The books are in the database. A job is acknowledged when it is done, so that the one of a killed worker is run
    # again rather than lost; none is fetched ahead, so that an old worker holds nothing that a new one should do.
    task_ignore_result=True,
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    worker_prefetch_multiplier=1,
    broker_connection_retry_on_startup=True,
    broker_transport_options={"socket_connect_timeout": 3, "socket_timeout": 10},
    beat_schedule={
        "tick": {
            "task": "app.tasks.tick",
            "schedule": settings.beat_interval,
            "options": {"expires": settings.beat_interval},
        }
    },
)


@setup_logging.connect
def keep_own_logging(**_: Any) -> None:
    """A receiver of this signal is what stops Celery from replacing the JSON lines by its own format."""


@before_task_publish.connect
def sign(headers: dict[str, Any], **_: Any) -> None:
    """Only its sender can say which of two schedulers a tick came from."""
    headers["sender"] = {"host": socket.gethostname(), "pid": os.getpid(), "at": datetime.now(UTC).isoformat()}


def with_database(work: Callable[[Database], Awaitable[None]]) -> None:
    """Without a pool, since each task has an event loop of its own and connections can't change loops."""

    async def run() -> None:
        database = Database(create_engine(settings, pooled=False))
        try:
            await work(database)
        finally:
            await database.close()

    asyncio.run(run())


@celery.task(name="app.tasks.run")
def run(job_id: str) -> None:
    with_database(lambda database: run_job(database, UUID(job_id)))


@celery.task(name="app.tasks.tick", bind=True)
def tick(self: Any) -> None:
    sender = self.request.get("sender")
    row = {
        "id": UUID(self.request.id),
        "beat_host": sender["host"],
        "beat_pid": sender["pid"],
        "sent_at": datetime.fromisoformat(sender["at"]),
        "worker": this_process(),
    }

    async def store(database: Database) -> None:
        async with database.transaction() as session:
            await session.execute(insert(Tick).values(row).on_conflict_do_nothing())

    with_database(store)


class CeleryQueue:
    name = "celery"

    async def start(self) -> None:
        """Workers are processes of their own."""

    async def put(self, job_id: UUID) -> None:
        try:
            await asyncio.to_thread(celery.send_task, "app.tasks.run", [str(job_id)], task_id=str(job_id), retry=False)
        except OperationalError as error:
            raise QueueAway(str(error)) from error

    async def close(self) -> None:
        await asyncio.to_thread(celery.close)
