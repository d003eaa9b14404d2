"""The result: one dictionary of everything that was measured."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from . import figures, marks
from .record import STREAM, WEBSOCKET

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .record import Record


def summarize(record: Record, lines: Iterable[str], start: float, end: float) -> dict[str, Any]:
    outcomes = record.outcomes
    known_marks, ignored = marks.parse(lines)
    lag = figures.lag(outcomes)
    return {
        "start": round(start, 3),
        "end": round(end, 3),
        **_window(record, start, end, is_whole=True),
        "overloaded": lag is not None and lag["p99"] > figures.TOLERABLE_LAG_MS,
        "failures": figures.failures(outcomes),
        "closed_on_reuse": figures.closed_on_reuse(outcomes),
        "examples": figures.examples(outcomes),
        "by_kind": figures.grouped(outcomes, lambda o: o.kind, figures.duration),
        "by_connection": figures.grouped(outcomes, figures.connection_of, figures.latency),
        "by_address": figures.grouped(outcomes, lambda o: o.address or "none", figures.latency),
        "uploads": _uploads(record),
        "websockets": _held(record, WEBSOCKET),
        "streams": _held(record, STREAM),
        "releases": _releases(record),
        "intervals": [
            {"from": interval.begins.name, "to": interval.ends.name}
            | _window(record, interval.begins.at, interval.ends.at)
            for interval in marks.intervals(known_marks, start, end)
        ],
        "marks_ignored": ignored + [mark.name for mark in known_marks if not start < mark.at < end],
    }


def _window(record: Record, start: float, end: float, *, is_whole: bool = False) -> dict[str, Any]:
    """A request belongs to where it was due, a cut to where it happened."""
    outcomes = record.outcomes if is_whole else [o for o in record.outcomes if start <= o.due < end]
    cuts = [cut.what for cut in record.cuts if cut.was_open and start <= cut.at < end]
    return {
        "seconds": round(end - start, 3),
        "requests": len(outcomes),
        "failed": figures.failed(outcomes),
        **figures.longest_gap(record.outcomes, start, end),
        "latency_ms": figures.latency(outcomes),
        "lag_ms": figures.lag(outcomes),
        "websockets_cut": cuts.count(WEBSOCKET),
        "streams_cut": cuts.count(STREAM),
    }


def _uploads(record: Record) -> dict[str, int]:
    outcomes = [o for o in record.outcomes if o.kind == "upload"]
    return {"done": len(outcomes) - figures.failed(outcomes), "failed": figures.failed(outcomes)}


def _held(record: Record, what: str) -> dict[str, Any]:
    cuts = [cut for cut in record.cuts if cut.what == what]
    return {
        "opened": record.opened.get(what, 0),
        "failed_to_open": sum(1 for cut in cuts if not cut.was_open),
        "longest_away_s": round(max(record.away_s.get(what, [0.0])), 3),
        "cuts": [asdict(cut) for cut in cuts if cut.was_open],
        "failed_opens": [asdict(cut) for cut in cuts if not cut.was_open][: figures.EXAMPLES],
    }


def _releases(record: Record) -> list[dict[str, Any]]:
    return [asdict(seen) for seen in sorted(record.releases, key=lambda seen: seen.first)]
