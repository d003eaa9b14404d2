"""Everything that happened, as it happened."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from .http import Failed

WEBSOCKET = "websocket"
STREAM = "stream"


@dataclass(frozen=True, slots=True)
class Outcome:
    """One request; times in epoch seconds. Its latency counts from when it was due."""

    kind: str
    due: float
    begun: float
    ended: float
    protocol: str
    is_new: bool
    address: str
    failure: str = ""
    detail: str = ""

    @property
    def latency_ms(self) -> float:
        return (self.ended - self.due) * 1000

    @property
    def lag_ms(self) -> float:
        return (self.begun - self.due) * 1000


@dataclass(frozen=True, slots=True)
class Cut:
    """The end of a connection that should have stayed open, or an attempt to open one again that failed."""

    what: str
    number: int
    at: float
    open_s: float | None
    reason: str
    detail: str = ""

    @property
    def was_open(self) -> bool:
        return self.open_s is not None


# A release that answers again after so many seconds has come a second time, with other settings perhaps.
AWAY_S = 20.0


@dataclass(slots=True)
class Seen:
    """The answers that one release gave."""

    version: str
    slot: str
    count: int
    first: float
    last: float


@dataclass(slots=True)
class Record:
    events: TextIO | None = None
    outcomes: list[Outcome] = field(default_factory=list)
    cuts: list[Cut] = field(default_factory=list)
    # How often one was opened, and how long each was away that came back.
    opened: dict[str, int] = field(default_factory=dict)
    away_s: dict[str, list[float]] = field(default_factory=dict)
    releases: list[Seen] = field(default_factory=list)

    def outcome(self, outcome: Outcome) -> None:
        self.outcomes.append(outcome)
        self._write("request", asdict(outcome))

    def open(self, what: str, away_s: float | None) -> None:
        self.opened[what] = self.opened.get(what, 0) + 1
        if away_s is not None:
            self.away_s.setdefault(what, []).append(away_s)

    def cut(self, what: str, number: int, at: float, open_s: float | None, failed: Failed) -> None:
        cut = Cut(what, number, at, open_s, failed.reason, failed.detail)
        self.cuts.append(cut)
        self._write("cut", asdict(cut))

    def release(self, version: str, slot: str, at: float) -> None:
        there = [seen for seen in self.releases if (seen.version, seen.slot) == (version, slot)]
        if not there or at - there[-1].last > AWAY_S:
            there.append(Seen(version, slot, 0, at, at))
            self.releases.append(there[-1])
        there[-1].count += 1
        there[-1].last = at

    def _write(self, event: str, fields: dict[str, object]) -> None:
        if self.events:
            self.events.write(json.dumps({"event": event} | fields) + "\n")
