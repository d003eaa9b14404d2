"""One measurement, from the first request to the verdict."""

from __future__ import annotations

import asyncio
import signal
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TextIO

from . import stream, websocket
from .client import Client, Trace, is_reachable
from .clock import now, open_loop
from .held import hold
from .http import Failed
from .mix import Mix
from .posts import Posts
from .record import STREAM, WEBSOCKET, Outcome, Record
from .summary import summarize

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator
    from pathlib import Path

    from .client import Way
    from .jobs import Job
    from .target import Target

STOP_FILE_LOOKS_PER_S = 5


class Unreachable(Exception):
    """No address answered anything."""


@dataclass(frozen=True, slots=True)
class Plan:
    target: Target
    rate: float
    seconds: float | None
    stop_file: Path | None
    marks: Path | None
    events: TextIO | None
    websockets: int
    streams: int
    uploads_every: float
    slow_every: float
    ingest: bool = False


class Run:
    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._record = Record(plan.events)
        self._posts = Posts()
        self._mix = Mix(self._record, self._posts, ingest=plan.ingest)
        self._client = Client(plan.target)
        self._stop = asyncio.Event()

    async def measure(self) -> dict[str, Any]:
        """Return the result; raise Unreachable where there is nothing to measure."""
        plan = self._plan
        if not await is_reachable(plan.target):
            raise Unreachable(f"nothing answers at {', '.join(plan.target.addresses)}, port {plan.target.port}")
        await self._client.warm_up()
        self._listen()
        start, cpu_s = now(), time.process_time()
        print(f"load: started at {start:.3f}", flush=True)
        async with asyncio.TaskGroup() as in_flight:
            await self._load(in_flight)
            end = now()
            cpu_cores = (time.process_time() - cpu_s) / (end - start)
        marks = plan.marks.read_text().splitlines() if plan.marks and plan.marks.exists() else []
        result = {"addresses": plan.target.addresses, "rate": plan.rate}
        result |= summarize(self._record, marks, start, end)
        result |= {"cpu_cores": round(cpu_cores, 2), "closed_while_idle": self._client.closed_while_idle}
        result["posts"] = await self._posts.verdict(self._client)
        self._client.close()
        return result

    def _listen(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        if self._plan.seconds is not None:
            loop.call_later(self._plan.seconds, self._stop.set)

    def _look_for(self, stop_file: Path, _number: int, _due: float) -> None:
        if stop_file.exists():
            self._stop.set()

    async def _load(self, in_flight: asyncio.TaskGroup) -> None:
        """Go on until told to stop; whoever gave the group waits for the requests that are in flight then."""
        async with asyncio.TaskGroup() as going:
            tasks = [going.create_task(activity) for activity in self._activities(in_flight)]
            await self._stop.wait()
            for task in tasks:
                task.cancel()

    def _activities(self, in_flight: asyncio.TaskGroup) -> Iterator[Coroutine[None, None, None]]:
        plan, target, record = self._plan, self._plan.target, self._record

        def requests(rate: float, choose: Callable[[int], tuple[Job, Way]]) -> Coroutine[None, None, None]:
            return open_loop(rate, lambda number, due: in_flight.create_task(self._perform(*choose(number), due)))

        if plan.stop_file:
            yield open_loop(STOP_FILE_LOOKS_PER_S, partial(self._look_for, plan.stop_file))
        yield requests(plan.rate, self._mix.quick)
        if plan.slow_every:
            yield requests(1 / plan.slow_every, self._mix.slow)
        if plan.uploads_every:
            yield requests(1 / plan.uploads_every, self._mix.upload)
        for number in range(plan.websockets):
            yield hold(WEBSOCKET, number, partial(websocket.live, target), record)
        for number in range(plan.streams):
            yield hold(STREAM, number, partial(stream.live, target, number), record)

    async def _perform(self, job: Job, way: Way, due: float) -> None:
        begun, trace, failed = now(), Trace(), None
        try:
            async with asyncio.timeout(job.timeout_s):
                answer = await self._client.ask(job.request, way, trace)
            job.accept(answer)
        except Failed as error:
            failed = error
        except TimeoutError:
            failed = Failed("timeout", f"no answer after {job.timeout_s:g} s")
        self._record.outcome(
            Outcome(
                kind=job.kind,
                due=due,
                begun=begun,
                ended=now(),
                protocol=trace.protocol,
                is_new=trace.is_new,
                address=trace.address,
                failure=failed.reason if failed else "",
                detail=failed.detail if failed else "",
            )
        )
