"""Arithmetic on outcomes: latencies, gaps, and what failed."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import asdict
from itertools import pairwise
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from .record import Outcome

# Started at the given rate and answered at once; the others take long on purpose.
QUICK = ("version", "item", "post")
EXAMPLES = 5
# A server may close a kept connection while a request is on its way; browsers repeat it (RFC 9110, 9.2.2; RFC 9113, 8.7).
CLOSED = ("closed under the request", "refused by GOAWAY")
TOLERABLE_LAG_MS = 50


def percentile(ordered: Sequence[float], percent: float) -> float:
    """The smallest value that at least so many percent don't exceed (nearest rank)."""
    rank = -(-len(ordered) * percent // 100)
    return ordered[max(0, int(rank) - 1)]


def spread(values: Iterable[float]) -> dict[str, float] | None:
    """None where there is nothing to measure, which is not the same as 0."""
    ordered = sorted(values)
    if not ordered:
        return None
    figures = {f"p{percent}": percentile(ordered, percent) for percent in (50, 95, 99)} | {"max": ordered[-1]}
    return {name: round(value, 1) for name, value in figures.items()}


def latency(outcomes: Iterable[Outcome]) -> dict[str, float] | None:
    """Of the quick requests that succeeded: an error that comes fast is no good latency."""
    return spread(o.latency_ms for o in outcomes if o.kind in QUICK and not o.failure)


def duration(outcomes: Iterable[Outcome]) -> dict[str, float] | None:
    """The same of requests of any kind, with the time that they take on purpose."""
    return spread(o.latency_ms for o in outcomes if not o.failure)


def lag(outcomes: Iterable[Outcome]) -> dict[str, float] | None:
    return spread(o.lag_ms for o in outcomes if o.kind in QUICK)


def longest_gap(outcomes: Sequence[Outcome], start: float, end: float) -> dict[str, float]:
    """The longest time in which no quick request succeeded, when it began, and how late this tool was meanwhile."""
    quick = [o for o in outcomes if o.kind in QUICK]
    successes = sorted(o.ended for o in quick if not o.failure and start < o.ended < end)
    bounds = [start, *successes, end]
    gap_s, began = max((later - earlier, earlier) for earlier, later in pairwise(bounds))
    own_lag_ms = max((o.lag_ms for o in quick if began <= o.due <= began + gap_s), default=0.0)
    return {"gap_s": round(gap_s, 3), "gap_at": round(began, 3), "gap_lag_ms": round(own_lag_ms, 1)}


def failed(outcomes: Iterable[Outcome]) -> int:
    return sum(1 for o in outcomes if o.failure)


def closed_on_reuse(outcomes: Iterable[Outcome]) -> int:
    return sum(1 for o in outcomes if o.failure in CLOSED and not o.is_new)


def grouped(
    outcomes: Iterable[Outcome],
    key: Callable[[Outcome], str],
    measured: Callable[[Iterable[Outcome]], dict[str, float] | None],
) -> dict[str, dict[str, Any]]:
    groups: dict[str, list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        groups[key(outcome)].append(outcome)
    return {
        name: {
            "requests": len(group),
            "failed": failed(group),
            "latency_ms": measured(group),
        }
        for name, group in sorted(groups.items())
    }


def connection_of(outcome: Outcome) -> str:
    return f"{outcome.protocol} {'new' if outcome.is_new else 'kept'}"


def failures(outcomes: Iterable[Outcome]) -> dict[str, dict[str, int]]:
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for outcome in outcomes:
        if outcome.failure:
            counts[outcome.kind][outcome.failure] += 1
    return {kind: dict(reasons.most_common()) for kind, reasons in sorted(counts.items())}


def examples(outcomes: Iterable[Outcome]) -> list[dict[str, Any]]:
    """The first few failures of each reason."""
    seen: Counter[str] = Counter()
    chosen = []
    for outcome in sorted(outcomes, key=lambda o: o.ended):
        if outcome.failure and seen[outcome.failure] < EXAMPLES:
            seen[outcome.failure] += 1
            chosen.append(asdict(outcome) | {"latency_ms": round(outcome.latency_ms, 1)})
    return chosen
