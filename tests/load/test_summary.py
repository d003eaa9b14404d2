from __future__ import annotations

import json

from . import text
from .http import Failed
from .record import STREAM, WEBSOCKET, Outcome, Record
from .summary import summarize

START, SWITCH, END = 100.0, 110.0, 120.0


def recorded() -> Record:
    """Ten requests a second, of which one fails after the switch; one WebSocket is cut after it, one stream before."""
    record = Record()
    for number in range(200):
        due = START + number / 10
        failure = "status 502" if number == 105 else ""
        record.outcome(Outcome("version", due, due, due + 0.01, "http/2", is_new=False, address="::1", failure=failure))
    record.open(WEBSOCKET, None)
    record.cut(WEBSOCKET, 0, 111, 11, Failed("closed 1006"))
    record.cut(WEBSOCKET, 0, 111.5, None, Failed("connection refused"))
    record.open(WEBSOCKET, 1.25)
    record.cut(STREAM, 3, 105, 5, Failed("ended"))
    record.release("v1", "blue", 100.01)
    record.release("v2", "green", 110.01)
    record.release("v1", "blue", 110.02)
    return record


def result() -> dict[str, object]:
    return summarize(recorded(), [f"switch {SWITCH}", "nonsense"], START, END)


def test_the_whole_counts_everything() -> None:
    whole = result()
    assert (whole["requests"], whole["failed"], whole["websockets_cut"], whole["streams_cut"]) == (200, 1, 1, 1)


def test_intervals_hold_what_happened_in_them() -> None:
    before, after = summarize(recorded(), [f"switch {SWITCH}"], START, END)["intervals"]
    assert (before["from"], before["to"], after["to"]) == ("start", "switch", "end")
    assert (before["requests"], before["failed"], before["websockets_cut"], before["streams_cut"]) == (100, 0, 0, 1)
    assert (after["requests"], after["failed"], after["websockets_cut"], after["streams_cut"]) == (100, 1, 1, 0)
    assert (before["gap_s"], after["gap_s"]) == (0.1, 0.2)


def test_a_failed_attempt_to_open_again_is_no_second_cut() -> None:
    held = summarize(recorded(), [], START, END)["websockets"]
    assert (held["opened"], len(held["cuts"]), held["failed_to_open"], held["longest_away_s"]) == (2, 1, 1, 1.25)


def test_releases_come_with_their_first_and_last_answer() -> None:
    assert result()["releases"] == [
        {"version": "v1", "slot": "blue", "count": 2, "first": 100.01, "last": 110.02},
        {"version": "v2", "slot": "green", "count": 1, "first": 110.01, "last": 110.01},
    ]


def test_a_release_that_comes_again_is_told_twice() -> None:
    record = recorded()
    record.release("v1", "blue", 140.0)
    releases = summarize(record, [], START, END)["releases"]
    assert [(each["version"], each["first"]) for each in releases] == [("v1", 100.01), ("v2", 110.01), ("v1", 140.0)]


def test_lines_that_are_no_marks_are_named() -> None:
    assert result()["marks_ignored"] == ["nonsense"]


def test_a_tool_that_is_late_says_so() -> None:
    record = recorded()
    for number in range(10):
        due = 119 + number / 100
        record.outcome(Outcome("version", due, due + 0.2, due + 0.21, "http/2", is_new=False, address="::1"))
    assert not result()["overloaded"]
    assert summarize(record, [], START, END)["overloaded"]


def test_the_text_says_what_failed_and_when() -> None:
    whole = result() | {"posts": {"verified": True, "answered": 3, "lost": 1, "doubled": 0}, "cpu_cores": 0.2}
    said = "\n".join(text.lines(json.loads(json.dumps(whole))))
    for part in ("200 requests in 20.0 s, 1 failed", "1 x version: status 502 (first at", "1 lost", "start to switch"):
        assert part in said
