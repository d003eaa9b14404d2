# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What healthy means: judge one answer, and decide when there were enough good ones."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from ansible_collections.slipway.stack.plugins.module_utils._certificate import Certificate
from ansible_collections.slipway.stack.plugins.module_utils._errors import StackError

DEFAULT_PORTS = {"http": 80, "https": 443}
UNIT_SCHEME = "unit://"
_SHORTEST_TRY_S = 0.05
_EXCERPT = 200


@dataclass(frozen=True)
class Pace:
    """How often to try, and when to stop. All in seconds, but for successes and failures, which are in a row."""

    timeout: float
    interval: float
    successes: int
    deadline: float
    # Once it was good; none end the tries where it's 0.
    failures: int = 0
    # From the first of the successes to the last: slow answers are fewer in the same time, not worse.
    steady: float = 0


@dataclass(frozen=True)
class Target:
    name: str
    url: str
    scheme: str
    host: str
    port: int
    path: str
    pace: Pace
    unix_socket: str | None = None
    host_header: str | None = None
    forwarded_proto: str | None = None
    status: tuple[int, ...] = (200,)
    body: str | None = None
    json: Mapping[str, Any] | None = None
    version: str | None = None
    version_key: str = "version"
    max_latency_ms: float | None = None
    validate_certs: bool = True
    ca_path: str | None = None
    unit: str | None = None
    uptime_s: float = 0
    journal_unit: str | None = None

    @property
    def server_name(self) -> str:
        """The name that the certificate has to bear."""
        return urlsplit(f"//{self.host_header}").hostname or self.host if self.host_header else self.host

    @property
    def watched_unit(self) -> str | None:
        """The unit that has to stay up for this target to become healthy."""
        return self.host if self.scheme == "unit" else self.unit


@dataclass(frozen=True)
class UnitState:
    """What systemd says of a unit: C(active) and C(running), or what else, for how long, and how often restarted."""

    active: str
    sub: str
    uptime_s: float
    restarts: int
    # How its main process last ended: C(success), C(exit-code), C(oom-kill) and so on.
    result: str = "success"


@dataclass(frozen=True)
class Answer:
    """What came back from one try. A TCP target answers by accepting the connection, a unit by its state."""

    latency_s: float
    status: int | None = None
    body: str = ""
    certificate: Certificate | None = None
    listeners: Sequence[Mapping[str, Any]] = ()
    unit_state: UnitState | None = None


class NoAnswerError(Exception):
    """What came instead of an answer."""


@dataclass(frozen=True)
class Mismatch:
    expected: str
    got: str

    def __str__(self) -> str:
        return f"expected {self.expected}, got {self.got}"


@dataclass(frozen=True)
class Sample:
    at_s: float
    latency_s: float | None
    status: int | None
    mismatch: Mismatch | None

    @property
    def ok(self) -> bool:
        return self.mismatch is None


@dataclass(frozen=True)
class Verdict:
    target: Target
    healthy: bool
    seconds: float
    samples: Sequence[Sample]
    certificate: Certificate | None = None


def parse_targets(entries: Iterable[Mapping[str, Any]], defaults: Mapping[str, Any]) -> list[Target]:
    return [_parse_target(entry, defaults) for entry in entries]


def _parse_target(entry: Mapping[str, Any], defaults: Mapping[str, Any]) -> Target:
    url = entry["url"]
    if url.startswith(UNIT_SCHEME):
        return _parse_unit(entry, defaults)
    parts = urlsplit(url)
    try:
        port = parts.port or DEFAULT_PORTS.get(parts.scheme)
    except ValueError:
        port = None
    if parts.scheme not in ("http", "https", "tcp") or not parts.hostname or port is None:
        raise StackError(
            f"url {url!r} isn't like http://host:port/path, https://host/path, tcp://host:port or unit://name.service."
        )
    if parts.scheme == "tcp" and any(entry.get(key) for key in ("body", "json", "version", "host", "forwarded_proto")):
        raise StackError(f"{url} is a TCP target, which has no body, JSON, version or header to check.")
    if entry.get("unit") and entry.get("unix_socket"):
        raise StackError(f"{url}: unit can be checked for a port only, not for a Unix socket.")
    try:
        re.compile(entry.get("body") or "")
    except re.error as error:
        raise StackError(f"body of {url} isn't a regular expression: {error}.") from error
    pace = _parse_pace(entry, defaults)
    return Target(
        name=entry.get("name") or url,
        url=url,
        scheme=parts.scheme,
        host=parts.hostname,
        port=port,
        path=(parts.path or "/") + (f"?{parts.query}" if parts.query else ""),
        pace=pace,
        unix_socket=entry.get("unix_socket"),
        host_header=entry.get("host"),
        forwarded_proto=entry.get("forwarded_proto"),
        status=tuple(entry["status"]),
        body=entry.get("body"),
        json=entry.get("json"),
        version=entry.get("version"),
        version_key=entry["version_key"],
        max_latency_ms=entry.get("max_latency_ms"),
        validate_certs=entry["validate_certs"],
        ca_path=entry.get("ca_path"),
        unit=entry.get("unit"),
        journal_unit=entry.get("journal_unit"),
    )


def _parse_pace(entry: Mapping[str, Any], defaults: Mapping[str, Any]) -> Pace:
    pace = Pace(**{key: _first(entry.get(key), defaults[key]) for key in Pace.__dataclass_fields__})
    if pace.successes < 1 or pace.timeout <= 0 or min(pace.interval, pace.deadline, pace.failures, pace.steady) < 0:
        raise StackError(
            f"{entry['url']}: successes and timeout must be above zero, interval, deadline, failures and steady not below it."
        )
    return pace


def _parse_unit(entry: Mapping[str, Any], defaults: Mapping[str, Any]) -> Target:
    url = entry["url"]
    name = url.removeprefix(UNIT_SCHEME)
    if "." not in name or "/" in name:
        raise StackError(f"url {url!r} isn't like unit://name.service.")
    if any(entry.get(key) for key in ("body", "json", "version", "host", "forwarded_proto", "unit", "unix_socket")):
        raise StackError(f"{url} is a unit, which has no port, body, JSON, version or header to check.")
    return Target(
        name=entry.get("name") or url,
        url=url,
        scheme="unit",
        host=name,
        port=0,
        path="",
        pace=_parse_pace(entry, defaults),
        uptime_s=entry.get("uptime") or 0,
        journal_unit=entry.get("journal_unit"),
    )


def _first(*values: Any) -> Any:
    return next(value for value in values if value is not None)


def judge(target: Target, answer: Answer) -> Mismatch | None:
    """The first thing about the answer that isn't as expected."""
    checks = (_judge_unit, _judge_owner, _judge_status, _judge_body, _judge_json, _judge_version, _judge_latency)
    return next((mismatch for mismatch in (check(target, answer) for check in checks) if mismatch), None)


def _judge_unit(target: Target, answer: Answer) -> Mismatch | None:
    state = answer.unit_state
    if state is None:
        return None
    restarts = f", restarted {state.restarts} times" if state.restarts else ""
    if state.active != "active":
        return Mismatch(f"{target.host} to be active", f"{state.active} ({state.sub}{restarts})")
    if state.uptime_s < target.uptime_s:
        return Mismatch(
            f"{target.host} to stay up for {target.uptime_s:g} s", f"{max(state.uptime_s, 0):.1f} s so far{restarts}"
        )
    return None


def _judge_owner(target: Target, answer: Answer) -> Mismatch | None:
    if target.unit is None:
        return None
    # With socket activation systemd itself holds the socket beside the service.
    owners = [each for each in answer.listeners if each["port"] == target.port and each["unit"] != "init.scope"]
    strangers = [each for each in owners if each["unit"] != target.unit]
    if owners and not strangers:
        return None
    got = ", ".join(f"process {each['pid']} of {each['unit'] or 'no unit'}" for each in strangers) or "no process"
    return Mismatch(f"port {target.port} to be held by {target.unit}", got)


def _judge_status(target: Target, answer: Answer) -> Mismatch | None:
    if answer.status is None or answer.status in target.status:
        return None
    return Mismatch(f"status {' or '.join(map(str, target.status))}", f"{answer.status}{_excerpt(answer.body)}")


def _judge_body(target: Target, answer: Answer) -> Mismatch | None:
    if target.body is None or re.search(target.body, answer.body):
        return None
    return Mismatch(f"a body that matches {target.body!r}", f"another{_excerpt(answer.body)}")


def _judge_json(target: Target, answer: Answer) -> Mismatch | None:
    for path, expected in (target.json or {}).items():
        found, value = _look_up(answer.body, path)
        if not found:
            return Mismatch(f"{path} to be {_as_text(expected)}", f"no such value{_excerpt(answer.body)}")
        if not _is_as_expected(value, expected):
            return Mismatch(f"{path} to be {_as_text(expected)}", _as_text(value))
    return None


def _judge_version(target: Target, answer: Answer) -> Mismatch | None:
    if target.version is None:
        return None
    found, value = _look_up(answer.body, target.version_key) if target.version_key else (True, answer.body.strip())
    if not found:
        return Mismatch(f"version {target.version}", f"no {target.version_key}{_excerpt(answer.body)}")
    # A tag is often v1.2.3 where the application says 1.2.3.
    if _as_text(value).removeprefix("v") == target.version.removeprefix("v"):
        return None
    return Mismatch(f"version {target.version}", _as_text(value)[:_EXCERPT] or "nothing")


def _judge_latency(target: Target, answer: Answer) -> Mismatch | None:
    latency_ms = answer.latency_s * 1000
    if target.max_latency_ms is None or latency_ms <= target.max_latency_ms:
        return None
    return Mismatch(f"an answer within {target.max_latency_ms:g} ms", f"one after {latency_ms:.0f} ms")


def _look_up(body: str, path: str) -> tuple[bool, Any]:
    try:
        value = json.loads(body)
        for key in path.split("."):
            value = value[int(key)] if isinstance(value, list) else value[key]
    except (ValueError, KeyError, IndexError, TypeError):
        return False, None
    return True, value


def _is_as_expected(value: Any, expected: Any) -> bool:
    if isinstance(expected, list) and not isinstance(value, list):
        return any(_as_text(value) == _as_text(each) for each in expected)
    return _as_text(value) == _as_text(expected)


def _as_text(value: Any) -> str:
    """Templates turn numbers and booleans into strings, so values are compared as texts."""
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True, ensure_ascii=False)


def _excerpt(body: str) -> str:
    text = " ".join(body.split())
    return f" ({text[:_EXCERPT]}{'…' if len(text) > _EXCERPT else ''})" if text else ""


def watch(
    target: Target,
    probe: Callable[[Target, float], Answer],
    clock: Callable[[], float],
    sleep: Callable[[float], None],
    why_hopeless: Callable[[bool], str] = lambda _is_over: "",
) -> Verdict:
    """Try until it was good often and long enough, there is no hope, or the time is over. There is always one try.

    C(why_hopeless) is told whether the time is over, when what gave little hope is said too.
    """
    pace, start = target.pace, clock()
    samples: list[Sample] = []
    certificate = None
    streak, since, was_good = 0, 0.0, False
    while True:
        at = clock() - start
        # On a busy host a sleep may outlast the deadline.
        timeout = pace.timeout if not samples else max(min(pace.timeout, pace.deadline - at), _SHORTEST_TRY_S)
        try:
            answer = probe(target, timeout)
        except NoAnswerError as error:
            samples.append(Sample(at, None, None, Mismatch("an answer", str(error))))
        else:
            certificate = answer.certificate or certificate
            samples.append(Sample(at, answer.latency_s, answer.status, judge(target, answer)))
        streak = streak + 1 if samples[-1].ok else 0
        since = at if streak == 1 else since
        was_good = was_good or streak > 0
        mismatch = samples[-1].mismatch
        elapsed = clock() - start
        is_over = elapsed + pace.interval >= pace.deadline
        hopeless = why_hopeless(is_over) if mismatch else ""
        if mismatch and hopeless:
            samples[-1] = replace(samples[-1], mismatch=replace(mismatch, got=f"{mismatch.got}, and {hopeless}"))
        relapsed = was_good and 0 < pace.failures <= _bad_at_the_end(samples)
        healthy = streak >= pace.successes and elapsed - since >= pace.steady
        if healthy or relapsed or hopeless or is_over:
            return Verdict(target, healthy, elapsed, samples, certificate)
        sleep(pace.interval)


def _bad_at_the_end(samples: Sequence[Sample]) -> int:
    return next((number for number, sample in enumerate(reversed(samples)) if sample.ok), len(samples))


def percentile(values: Sequence[float], share: float) -> float:
    """The nearest rank: a value that was really measured."""
    ranked = sorted(values)
    return ranked[max(0, math.ceil(share * len(ranked)) - 1)]


def latencies_ms(samples: Iterable[Sample]) -> dict[str, float] | None:
    measured = [sample.latency_s * 1000 for sample in samples if sample.latency_s is not None]
    if not measured:
        return None
    return {
        "p50": round(percentile(measured, 0.5), 1),
        "p95": round(percentile(measured, 0.95), 1),
        "max": round(max(measured), 1),
    }


def failure_sentence(verdict: Verdict) -> str:
    """One sentence about an unhealthy target."""
    target, samples = verdict.target, verdict.samples
    where = target.name if target.name == target.url else f"{target.name} ({target.url})"
    if target.unix_socket:
        where += f" at {target.unix_socket}"
    last_bad = next((sample.mismatch for sample in reversed(samples) if sample.mismatch), None)
    good = sum(sample.ok for sample in samples)
    tries = f"{len(samples)} {'try' if len(samples) == 1 else 'tries'}"
    if last_bad is None:
        for_long = f" over {target.pace.steady:g} s" if target.pace.steady else ""
        return (
            f"{where} isn't healthy: expected {target.pace.successes} good answers in a row{for_long}, "
            f"got {good} within {verdict.seconds:.1f} s."
        )
    return f"{where} isn't healthy: {last_bad} ({tries} in {verdict.seconds:.1f} s, {good} good)."


def describe(verdict: Verdict, now: datetime) -> dict[str, Any]:
    target, certificate = verdict.target, verdict.certificate
    return {
        "name": target.name,
        "url": target.url,
        "healthy": verdict.healthy,
        "reason": "" if verdict.healthy else failure_sentence(verdict),
        "seconds": round(verdict.seconds, 1),
        "latency_ms": latencies_ms(verdict.samples),
        "certificate": certificate
        and {
            "not_after": certificate.not_after.isoformat(),
            "days_left": certificate.days_left(now),
            "names": list(certificate.names),
            "name_matches": certificate.matches(target.server_name),
        },
        "samples": [
            {
                "at_s": round(sample.at_s, 3),
                "ok": sample.ok,
                "latency_ms": None if sample.latency_s is None else round(sample.latency_s * 1000, 1),
                "status": sample.status,
                "reason": str(sample.mismatch or ""),
            }
            for sample in verdict.samples
        ],
    }
