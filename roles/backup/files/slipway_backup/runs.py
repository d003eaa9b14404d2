"""Runs: the snapshots of one backup, which belong together."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from .commands import Failure
from .repository import Snapshot

MANIFEST = "manifest"
# A backup that was made to undo a restore holds what was to be replaced.
SAFETY = "safety"
DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


@dataclass(frozen=True)
class Run:
    """One backup: its manifest is stored last, so that a run that has one and every part it names is whole."""

    id: str
    kind: str
    time: datetime
    parts: dict[str, str]
    is_whole: bool


def group(snapshots: Iterable[Snapshot]) -> list[Run]:
    """All runs, the oldest first, broken ones among them."""
    found: dict[str, list[Snapshot]] = {}
    for snapshot in snapshots:
        found.setdefault(snapshot.tags.get("run", ""), []).append(snapshot)
    found.pop("", None)
    return sorted((_run(name, parts) for name, parts in found.items()), key=lambda run: (run.time, run.id))


def _run(name: str, snapshots: list[Snapshot]) -> Run:
    parts = {snapshot.tags["part"]: snapshot.id for snapshot in snapshots}
    tags = next((snapshot.tags for snapshot in snapshots if snapshot.tags["part"] == MANIFEST), {})
    needed = set(filter(None, tags.get("parts", "").split("+")))
    return Run(name, tags.get("kind", ""), snapshots[0].time, parts, bool(tags) and needed <= set(parts))


def whole(runs: Iterable[Run]) -> list[Run]:
    return [run for run in runs if run.is_whole]


def choose(runs: Sequence[Run], wish: str = "") -> Run:
    """The newest whole run, or the one that an id or a moment names."""
    there = whole(runs)
    usual = [run for run in there if run.kind != SAFETY]
    if not wish:
        return _last(usual, "there is no whole backup yet")
    named = [run for run in there if run.id == wish or wish in (part[:8] for part in run.parts.values())]
    if named:
        return named[-1]
    # Ansible cuts an unquoted value at its first space, and midnight isn't what was meant then.
    if DATE.fullmatch(wish):
        raise Failure(f"{wish} is a day: give the time too, such as {wish}T03:00 without a space")
    try:
        until = datetime.fromisoformat(wish).astimezone()
    except ValueError:
        raise Failure(f"there is no whole backup '{wish}': give one of {_ids(there)}, or a moment") from None
    return _last([run for run in usual if run.time <= until], f"there is no whole backup as old as {wish}")


def _last(runs: Sequence[Run], otherwise: str) -> Run:
    if not runs:
        raise Failure(otherwise)
    return runs[-1]


def _ids(runs: Sequence[Run]) -> str:
    return ", ".join(run.id for run in runs[-5:]) or "none"
