"""The result in a few lines, for whoever watches."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from .figures import TOLERABLE_LAG_MS

if TYPE_CHECKING:
    from collections.abc import Iterator


def lines(result: dict[str, Any]) -> Iterator[str]:
    yield f"{result['requests']} requests in {result['seconds']:.1f} s, {result['failed']} failed"
    yield from _failures(result)
    yield _row("longest gap", f"{_gap(result)} at {_clock(result['gap_at'])}")
    yield _row("latency", _spread(result["latency_ms"]))
    for name, group in result["by_connection"].items():
        yield _row(name, f"{group['requests']} requests, {group['failed']} failed, {_spread(group['latency_ms'])}")
    uploads = result["uploads"]
    yield _row("uploads", f"{uploads['done']} done, {uploads['failed']} failed")
    yield _row("posts", _posts(result["posts"]))
    for what in ("websockets", "streams"):
        yield from _held(what, result[f"{what}_cut"], result[what])
    for release in result["releases"]:
        name = " ".join(filter(None, (release["version"], release["slot"])))
        yield _row(
            "release", f"{name}: {release['count']} answers, {_clock(release['first'])} to {_clock(release['last'])}"
        )
    yield from _intervals(result["intervals"])
    yield from _own(result)


def _failures(result: dict[str, Any]) -> Iterator[str]:
    for kind, reasons in result["failures"].items():
        for reason, times in reasons.items():
            ended = [example["ended"] for example in result["examples"] if example["failure"] == reason]
            yield f"  {times} x {kind}: {reason} (first at {_clock(ended[0])})"


def _posts(posts: dict[str, Any]) -> str:
    if not posts["verified"]:
        return f"{posts['answered']} answered, not read back: {posts['reason']}"
    return f"{posts['answered']} answered, {posts['lost']} lost, {posts['doubled']} doubled"


def _held(what: str, times: int, held: dict[str, Any]) -> Iterator[str]:
    yield _row(what, f"{times} cut, {held['failed_to_open']} failed to open, away {held['longest_away_s']} s at most")
    for cut in held["cuts"][:3]:
        yield f"  {_clock(cut['at'])} {cut['reason']} {cut['detail']}".rstrip()


def _intervals(intervals: list[dict[str, Any]]) -> Iterator[str]:
    if len(intervals) < 2:
        return
    for interval in intervals:
        yield _row(
            f"{interval['from']} to {interval['to']}",
            f"{interval['requests']} requests, {interval['failed']} failed, gap {_gap(interval)}, "
            f"{_spread(interval['latency_ms'])}",
        )


def _own(result: dict[str, Any]) -> Iterator[str]:
    yield _row("this tool", f"late by {_spread(result['lag_ms'])}, used {result['cpu_cores']:.2f} of a core")
    if result["overloaded"]:
        yield f"The load tool itself was late by more than {TOLERABLE_LAG_MS} ms: its latencies and gaps are its own."


def _spread(figures: dict[str, float] | None) -> str:
    if figures is None:
        return "no figures"
    return " ".join(f"{name} {value:g}" for name, value in figures.items()) + " ms"


def _gap(window: dict[str, Any]) -> str:
    own = f" (this tool itself was late by {window['gap_lag_ms']:.0f} ms)"
    return f"{window['gap_s']:.3f} s" + (own if window["gap_lag_ms"] > TOLERABLE_LAG_MS else "")


def _row(name: str, text: str) -> str:
    return f"{name:15} {text}"


def _clock(moment: float) -> str:
    return time.strftime("%H:%M:%S", time.localtime(moment)) + f".{int(moment % 1 * 1000):03}"
