"""What the routes work with; a part that isn't configured is None."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends
from starlette.requests import HTTPConnection

from app.cache import Cache
from app.database import Database, DatabaseAway, create_engine
from app.jobs import InProcessQueue, JobQueue
from app.misbehaviour import Saboteur
from app.settings import Settings

logger = logging.getLogger(__name__)


class NotConfigured(Exception):
    """A route needs a part that this process was started without."""


@dataclass(frozen=True, slots=True)
class Services:
    settings: Settings
    saboteur: Saboteur
    database: Database | None
    cache: Cache | None
    queue: JobQueue | None

    @property
    def version(self) -> str:
        return self.saboteur.plan.wrong_version or self.settings.app_version

    async def start(self) -> None:
        if self.queue is not None:
            try:
                await self.queue.start()
            except DatabaseAway:
                logger.warning("the job queue starts without the jobs of an earlier process")

    async def close(self) -> None:
        for part in (self.queue, self.cache, self.database):
            if part is not None:
                await part.close()


def create_services(settings: Settings, saboteur: Saboteur) -> Services:
    database = Database(create_engine(settings)) if settings.database_url else None
    cache = Cache(settings.redis_url, settings.app_name, settings.cache_ttl) if settings.redis_url else None
    return Services(settings, saboteur, database, cache, _queue(settings, database))


def _queue(settings: Settings, database: Database | None) -> JobQueue | None:
    if database is None:
        return None
    if settings.job_queue == "inproc":
        return InProcessQueue(database)
    if settings.broker_url is None:
        return None
    # Importing Celery takes a while, which a process without a broker needn't spend.
    from app.tasks import CeleryQueue

    return CeleryQueue()


def _services(connection: HTTPConnection) -> Services:
    return connection.app.state.services


def _database(services: Annotated[Services, Depends(_services)]) -> Database:
    if services.database is None:
        raise NotConfigured("DATABASE_URL is not set, so nothing is stored here.")
    return services.database


def _job_queue(services: Annotated[Services, Depends(_services)]) -> JobQueue:
    if services.queue is None:
        raise NotConfigured("Jobs need DATABASE_URL and a broker, and one of them is not set.")
    return services.queue


WithServices = Annotated[Services, Depends(_services)]
WithDatabase = Annotated[Database, Depends(_database)]
WithQueue = Annotated[JobQueue, Depends(_job_queue)]
