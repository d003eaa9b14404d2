from __future__ import annotations

from dataclasses import replace

import pytest

from . import figures
from .record import Outcome


def outcome(due: float, ms: float = 10, *, kind: str = "version", lag_ms: float = 0, failure: str = "") -> Outcome:
    begun, ended = due + lag_ms / 1000, due + ms / 1000
    return Outcome(kind, due, begun, ended, "http/1.1", is_new=False, address="::1", failure=failure)


@pytest.mark.parametrize(("percent", "expected"), [(50, 50), (95, 95), (99, 99), (100, 100), (1, 1)])
def test_percentiles_are_values_that_were_measured(percent: float, expected: float) -> None:
    assert figures.percentile(range(1, 101), percent) == expected


def test_a_single_value_is_every_percentile() -> None:
    assert figures.spread([7]) == {"p50": 7, "p95": 7, "p99": 7, "max": 7}


def test_nothing_measured_is_not_zero() -> None:
    assert figures.spread([]) is None


def test_latency_counts_from_when_a_request_was_due() -> None:
    assert figures.latency([outcome(100, 30, lag_ms=20)]) == {"p50": 30, "p95": 30, "p99": 30, "max": 30}


def test_latency_leaves_out_what_failed_and_what_is_slow_on_purpose() -> None:
    outcomes = [outcome(1, 5), outcome(2, 900, failure="status 502"), outcome(3, 2000, kind="slow")]
    assert figures.latency(outcomes) == {"p50": 5, "p95": 5, "p99": 5, "max": 5}


def test_a_gap_lies_between_two_successes() -> None:
    outcomes = [outcome(10), outcome(10.1), outcome(13), outcome(13.1)]
    gap = figures.longest_gap(outcomes, 10, 13.2)
    assert (gap["gap_s"], gap["gap_at"]) == (2.9, 10.11)


def test_failures_do_not_end_a_gap() -> None:
    outcomes = [outcome(10), outcome(11, failure="connection refused"), outcome(12)]
    assert figures.longest_gap(outcomes, 10, 12.1)["gap_s"] == 2


def test_a_slow_request_that_succeeds_does_not_end_a_gap() -> None:
    outcomes = [outcome(10), outcome(9, 2000, kind="slow"), outcome(12)]
    assert figures.longest_gap(outcomes, 10, 12.1)["gap_s"] == 2


def test_without_any_success_all_of_it_is_a_gap() -> None:
    assert figures.longest_gap([outcome(10, failure="timeout")], 10, 15)["gap_s"] == 5


def test_a_gap_tells_how_late_the_tool_itself_was() -> None:
    outcomes = [outcome(10), outcome(10.1, 1000, lag_ms=950), outcome(10.2, 900, lag_ms=850)]
    assert figures.longest_gap(outcomes, 10, 11.2)["gap_lag_ms"] == 950


def test_failures_are_counted_by_kind_and_reason() -> None:
    outcomes = [outcome(1), outcome(2, failure="timeout"), outcome(3, failure="timeout", kind="post")]
    outcomes.append(outcome(4, failure="status 502"))
    assert figures.failures(outcomes) == {"version": {"timeout": 1, "status 502": 1}, "post": {"timeout": 1}}


def test_each_reason_has_a_few_examples() -> None:
    outcomes = [outcome(n, failure="timeout") for n in range(20)] + [outcome(50, failure="status 502")]
    reasons = [example["failure"] for example in figures.examples(outcomes)]
    assert reasons == ["timeout"] * figures.EXAMPLES + ["status 502"]


def test_only_what_a_browser_repeats_counts_as_closed_on_reuse() -> None:
    closed = outcome(1, failure="closed under the request")
    others = [outcome(2), outcome(3, failure="status 502"), replace(closed, is_new=True)]
    assert figures.closed_on_reuse([closed, outcome(4, failure="refused by GOAWAY"), *others]) == 2
