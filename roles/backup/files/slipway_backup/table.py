"""A report for people."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

UNITS = ("B", "KB", "MB", "GB", "TB")


def size(count: float) -> str:
    for unit in UNITS:
        if count < 1024 or unit == UNITS[-1]:
            break
        count /= 1024
    return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"


def age(moment: float, now: float) -> str:
    hours = (now - moment) / 3600
    return (
        f"{hours * 60:.0f} min ago"
        if hours < 2
        else f"{hours:.0f} h ago"
        if hours < 72
        else f"{hours / 24:.0f} days ago"
    )


def table(report: dict[str, Any], now: float | None = None) -> str:
    """Jobs first, then repositories, then what a disaster would cost."""
    now = time.time() if now is None else now
    rows = [*_jobs(report["jobs"], now), *_places(report["repositories"], now), *_promise(report, now)]
    width = max(len(first) for first, _rest in rows)
    return "\n".join(f"{first:{width}}  {rest}" for first, rest in rows)


def _jobs(jobs: dict[str, Any], now: float) -> Iterator[tuple[str, str]]:
    for name in ("backup", "prune", "test"):
        job = jobs.get(name)
        if not job:
            yield name, "never ran"
            continue
        when = age(job.get("ended", job["began"]), now)
        yield name, f"{job['state']}, {when}" + (f": {job['error']}" if job.get("error") else "")


def _places(places: list[dict[str, Any]], now: float) -> Iterator[tuple[str, str]]:
    for place in places:
        name = f"repository {place['name']}"
        if "error" in place:
            yield name, f"can't be read: {place['error']}"
        elif not place["kept"]:
            yield name, "holds no backup"
        else:
            kept = f"{place['kept']} backups in {size(place['bytes'])}"
            yield name, f"{kept}, the newest {place['newest']} of {age(place['time'], now)}"


def _promise(report: dict[str, Any], now: float) -> Iterator[tuple[str, str]]:
    newest = max((place["time"] for place in report["repositories"] if "time" in place), default=None)
    yield "RPO as it is", f"{age(newest, now).removesuffix(' ago')}" if newest else "nothing could be restored"
    proof = report["jobs"].get("test", {}).get("success")
    if proof:
        yield "RTO as measured", f"{proof['seconds']} s for {proof['run']}, proven {age(proof['ended'], now)}"
    else:
        yield "RTO as measured", "no restore has been proven yet"
