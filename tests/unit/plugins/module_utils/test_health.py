# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is healthy, and after how many tries it is known."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ansible_collections.slipway.stack.plugins.module_utils import _health as health
from ansible_collections.slipway.stack.plugins.module_utils._certificate import Certificate
from ansible_collections.slipway.stack.plugins.module_utils._errors import StackError

DEFAULTS = {"timeout": 5.0, "interval": 1.0, "successes": 1, "deadline": 60.0, "failures": 0, "steady": 0.0}
BODY = json.dumps(
    {"status": "degraded", "version": "1.4.3", "ready": True, "workers": 3, "checks": [{"state": "ok"}], "none": None}
)


def target(**options: Any) -> health.Target:
    entry = {
        "url": "http://127.0.0.1:8000/health",
        "status": [200],
        "version_key": "version",
        "validate_certs": True,
        **options,
    }
    return health.parse_targets([entry], DEFAULTS)[0]


def good(latency_s: float = 0.01, **more: Any) -> health.Answer:
    return health.Answer(**{"latency_s": latency_s, "status": 200, "body": BODY, **more})


@pytest.mark.parametrize(
    ("url", "port", "path"),
    [
        ("http://web1/", 80, "/"),
        ("https://web1/health?full=1", 443, "/health?full=1"),
        ("http://web1:8000", 8000, "/"),
        ("http://[::1]:8000/x", 8000, "/x"),
        ("tcp://web1:5432", 5432, "/"),
    ],
)
def test_a_url_is_taken_apart(url: str, port: int, path: str) -> None:
    parsed = target(url=url)
    assert (parsed.port, parsed.path, parsed.name) == (port, path, url)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"url": "ftp://web1/"}, "isn't like http"),
        ({"url": "tcp://web1"}, "isn't like http"),
        ({"url": "http://web1:http/"}, "isn't like http"),
        ({"url": "web1:8000"}, "isn't like http"),
        ({"url": "tcp://web1:1", "version": "1"}, "is a TCP target"),
        ({"url": "tcp://web1:1", "body": "x"}, "is a TCP target"),
        ({"body": "("}, "isn't a regular expression"),
        ({"unit": "a.service", "unix_socket": "/run/a"}, "not for a Unix socket"),
        ({"successes": 0}, "must be above zero"),
        ({"timeout": 0.0}, "must be above zero"),
        ({"deadline": -1.0}, "not below it"),
    ],
)
def test_what_cannot_be_asked_is_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(StackError, match=words):
        target(**options)


def test_a_target_may_have_a_pace_of_its_own() -> None:
    assert target(deadline=0.0, successes=3).pace == health.Pace(timeout=5, interval=1, successes=3, deadline=0)


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"url": "https://127.0.0.1/", "host": "shop.example.com:8443"}, "shop.example.com"),
        ({"url": "https://shop.example.com:8443/"}, "shop.example.com"),
        ({"url": "https://[fe80::1]/"}, "fe80::1"),
    ],
)
def test_the_certificate_has_to_bear_the_name_that_is_asked_for(options: dict[str, Any], name: str) -> None:
    assert target(**options).server_name == name


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"status": [204, 200]},
        {"body": r'"workers": \d'},
        {"json": {"status": "degraded", "ready": True, "workers": 3, "checks.0.state": "ok", "none": None}},
        {"json": {"ready": "true", "workers": "3"}},
        {"json": {"status": ["healthy", "degraded"]}},
        {"json": {"checks": [{"state": "ok"}]}},
        {"version": "1.4.3"},
        {"version": "v1.4.3"},
        {"version": "ok", "version_key": "checks.0.state"},
        {"version": BODY, "version_key": ""},
        {"max_latency_ms": 10},
    ],
)
def test_an_answer_as_expected_is_good(options: dict[str, Any]) -> None:
    assert health.judge(target(**options), good()) is None


@pytest.mark.parametrize(
    ("options", "answer", "mismatch"),
    [
        ({"version": "2", "version_key": ""}, good(body="1\n"), "expected version 2, got 1"),
        ({"version": "2", "version_key": ""}, good(body=""), "expected version 2, got nothing"),
        ({}, good(status=503, body=""), "expected status 200, got 503"),
        (
            {"status": [200, 204]},
            good(status=302, body=" moved \n on"),
            "expected status 200 or 204, got 302 (moved on)",
        ),
        ({"body": "^ok$"}, good(body="nope"), "expected a body that matches '^ok$', got another (nope)"),
        ({"json": {"status": "healthy"}}, good(), "expected status to be healthy, got degraded"),
        ({"json": {"status": ["healthy", "up"]}}, good(), 'expected status to be ["healthy", "up"], got degraded'),
        ({"json": {"workers": 1}}, good(body='{"workers": true}'), "expected workers to be 1, got true"),
        ({"json": {"a.b": 1}}, good(body='{"a": 1}'), 'expected a.b to be 1, got no such value ({"a": 1})'),
        ({"json": {"a.x": 1}}, good(body='{"a": []}'), 'expected a.x to be 1, got no such value ({"a": []})'),
        ({"json": {"a": 1}}, good(body="<html>"), "expected a to be 1, got no such value (<html>)"),
        ({"version": "1.4.4"}, good(), "expected version 1.4.4, got 1.4.3"),
        ({"version": "1.4.4"}, good(body="{}"), "expected version 1.4.4, got no version ({})"),
        ({"max_latency_ms": 250}, good(0.3), "expected an answer within 250 ms, got one after 300 ms"),
    ],
)
def test_a_mismatch_says_what_was_expected_and_what_came(
    options: dict[str, Any], answer: health.Answer, mismatch: str
) -> None:
    assert str(health.judge(target(**options), answer)) == mismatch


def test_a_long_body_is_cut() -> None:
    mismatch = health.judge(target(), good(status=500, body="x" * 5000))
    assert mismatch is not None
    assert len(mismatch.got) < 250


OWN = {"port": 8000, "pid": 7, "unit": "web@green.service"}
ORPHAN = {"port": 8000, "pid": 9, "unit": "web@blue.service"}
SYSTEMD = {"port": 8000, "pid": 1, "unit": "init.scope"}
ELSEWHERE = {"port": 8050, "pid": 9, "unit": "web@blue.service"}


@pytest.mark.parametrize(
    ("listeners", "got"),
    [
        ([OWN, ELSEWHERE], None),
        ([OWN, SYSTEMD], None),
        ([ORPHAN], "process 9 of web@blue.service"),
        ([OWN, ORPHAN], "process 9 of web@blue.service"),
        ([{**ORPHAN, "unit": ""}], "process 9 of no unit"),
        ([SYSTEMD], "no process"),
        ([ELSEWHERE], "no process"),
    ],
)
def test_only_the_expected_unit_may_answer(listeners: list[dict[str, Any]], got: str | None) -> None:
    mismatch = health.judge(target(unit="web@green.service"), good(listeners=listeners))
    assert (mismatch.got if mismatch else None) == got


class World:
    """A service that answers as scripted, in a time that passes only while somebody waits."""

    def __init__(self, *script: health.Answer | str) -> None:
        self._script = list(script)
        self.now = 100.0
        self.timeouts: list[float] = []

    def probe(self, _target: health.Target, timeout: float) -> health.Answer:
        self.timeouts.append(timeout)
        answer = self._script.pop(0) if len(self._script) > 1 else self._script[0]
        if isinstance(answer, str):
            self.now += timeout if answer == "timeout" else 0
            raise health.NoAnswerError(answer)
        self.now += answer.latency_s
        return answer

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def watch(self, why_hopeless: Callable[[bool], str] = lambda _is_over: "", **options: Any) -> health.Verdict:
        return health.watch(target(**options), self.probe, lambda: self.now, self.sleep, why_hopeless)


BAD = good(status=503)
REFUSED = "Connection refused"


@pytest.mark.parametrize(
    ("script", "options", "tries", "healthy"),
    [
        ([good()], {}, 1, True),
        ([good()], {"successes": 3}, 3, True),
        ([REFUSED, BAD, good()], {}, 3, True),
        ([good(), good(), BAD, good()], {"successes": 3}, 6, True),
        ([REFUSED], {"deadline": 5.0}, 5, False),
        ([REFUSED], {"deadline": 5.0, "interval": 2.0}, 3, False),
        ([good(), BAD] * 50, {"deadline": 5.0, "successes": 2}, 5, False),
        ([BAD], {"deadline": 0.0}, 1, False),
        ([good()], {"deadline": 0.0}, 1, True),
        ([good()], {"deadline": 2.0, "successes": 9}, 2, False),
        ([good(), BAD, good(), BAD, BAD, good()], {"failures": 2, "successes": 9}, 5, False),
        ([BAD, BAD, BAD, good()], {"failures": 2}, 4, True),
        ([good(latency_s=0.0)], {"steady": 3.0, "interval": 0.5}, 7, True),
        ([good(latency_s=1.0)], {"steady": 3.0, "interval": 0.5}, 3, True),
        ([good(latency_s=0.0), BAD, good(latency_s=0.0)], {"steady": 3.0, "deadline": 4.0}, 4, False),
        ([good()], {"steady": 3.0, "successes": 9}, 9, True),
    ],
)
def test_tries_go_on_until_it_is_known(
    script: list[health.Answer | str], options: dict[str, Any], tries: int, healthy: bool
) -> None:
    verdict = World(*script).watch(**options)
    assert (len(verdict.samples), verdict.healthy) == (tries, healthy)


def test_no_try_outlasts_the_deadline() -> None:
    world = World("timeout")
    verdict = world.watch(timeout=5.0, deadline=12.0, interval=1.0)
    assert world.timeouts == [5.0, 5.0]
    assert verdict.seconds <= 12
    world = World("timeout")
    world.watch(timeout=5.0, deadline=14.0, interval=1.0)
    assert world.timeouts == [5.0, 5.0, 2.0]


def test_nobody_is_waited_for_without_hope() -> None:
    hopes = iter(["", "", "it crashes"])
    verdict = World(BAD, REFUSED).watch(lambda _is_over: next(hopes))
    assert (len(verdict.samples), verdict.healthy) == (3, False)
    assert str(verdict.samples[0].mismatch).startswith("expected status 200")
    assert str(verdict.samples[-1].mismatch) == "expected an answer, got Connection refused, and it crashes"


def test_whoever_gave_little_hope_is_named_when_the_time_is_over() -> None:
    verdict = World(REFUSED).watch(lambda is_over: "it crashed once" if is_over else "")
    assert len(verdict.samples) > 1
    assert [str(sample.mismatch).endswith("it crashed once") for sample in verdict.samples[-2:]] == [False, True]


def test_hope_is_asked_for_only_where_the_answer_is_bad() -> None:
    hopes = iter(["", "it crashes"])
    verdict = World(BAD, good()).watch(lambda _is_over: next(hopes), successes=2)
    assert ([sample.ok for sample in verdict.samples], verdict.healthy) == ([False, True, True], True)


def test_a_verdict_remembers_each_try() -> None:
    verdict = World(REFUSED, BAD, good(0.02)).watch()
    assert [sample.ok for sample in verdict.samples] == [False, False, True]
    assert [sample.at_s for sample in verdict.samples] == pytest.approx([0, 1, 2.01])
    assert [sample.status for sample in verdict.samples] == [None, 503, 200]


@pytest.mark.parametrize(
    ("script", "options", "sentence"),
    [
        (
            [REFUSED],
            {"deadline": 3.0, "name": "web"},
            "web (http://127.0.0.1:8000/health) isn't healthy: "
            "expected an answer, got Connection refused (3 tries in 2.0 s, 0 good).",
        ),
        (
            [good(), BAD],
            {"deadline": 0.0, "successes": 2},
            "http://127.0.0.1:8000/health isn't healthy: expected 2 good answers in a row, got 1 within 0.0 s.",
        ),
        (
            [good(), good(status=500, body="")],
            {"deadline": 2.0, "successes": 2, "unix_socket": "/run/web.sock"},
            "http://127.0.0.1:8000/health at /run/web.sock isn't healthy: "
            "expected status 200, got 500 (2 tries in 1.0 s, 1 good).",
        ),
        (
            [good(status=500, body="")],
            {"deadline": 0.0},
            "http://127.0.0.1:8000/health isn't healthy: expected status 200, got 500 (1 try in 0.0 s, 0 good).",
        ),
    ],
)
def test_a_failure_is_one_sentence(script: list[health.Answer | str], options: dict[str, Any], sentence: str) -> None:
    assert health.failure_sentence(World(*script).watch(**options)) == sentence


@pytest.mark.parametrize(
    ("count", "p50", "p95", "largest"), [(1, 1, 1, 1), (2, 1, 2, 2), (20, 10, 19, 20), (100, 50, 95, 100)]
)
def test_percentiles_are_measured_values(count: int, p50: float, p95: float, largest: float) -> None:
    samples = [health.Sample(0, each / 1000, 200, None) for each in range(count, 0, -1)]
    assert health.latencies_ms(samples) == {"p50": p50, "p95": p95, "max": largest}


def test_what_was_not_answered_has_no_latency() -> None:
    assert health.latencies_ms(World(REFUSED).watch(deadline=0.0).samples) is None


def test_a_description_tells_of_the_certificate() -> None:
    now = datetime(2026, 11, 23, tzinfo=UTC)
    certificate = Certificate(now + timedelta(days=69, hours=5), ("shop.example.com",))
    verdict = World(good(certificate=certificate)).watch(url="https://127.0.0.1/", host="shop.example.com")
    described = health.describe(verdict, now)
    assert described["certificate"] == {
        "not_after": "2027-01-31T05:00:00+00:00",
        "days_left": 69,
        "names": ["shop.example.com"],
        "name_matches": True,
    }
    assert described["reason"] == ""
    assert described["samples"] == [{"at_s": 0.0, "ok": True, "latency_ms": 10.0, "status": 200, "reason": ""}]
