# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A person finds the last rollout, and what became of it, in one line."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.slipway.stack.plugins.filter.ledger_table import ledger_table

UPGRADE = {
    "at": "2026-11-23T11:00:05+00:00",
    "outcome": "live",
    "run": "r2",
    "release": "4f0c1b7d9a21e6b3",
    "version": "v1.4.3",
    "revision": "9c1d2e3f4a5b6c7d8e9f",
    "wanted": "v1.4.2",
    "slot": "green",
    "by": "alice",
    "from": "deploy1",
    "seconds": 11.42,
    "steps": {"build": 8.1, "switch": 0.2},
    "database_before": "a1b2",
    "database_after": "c3d4",
}
FIRST = {
    "at": "2026-11-22T23:30:00+00:00",
    "outcome": "live",
    "release": "0123456789abcdef",
    "version": "v1.4.2",
    "slot": "blue",
    "by": "bob",
    "seconds": 184,
}
FAILED = {
    "at": "2026-11-23T12:00:00+00:00",
    "outcome": "failed",
    "run": "r3",
    "release": "ffff00001111",
    "slot": "blue",
    "reason": "web didn't become healthy\n  within 60 s",
}


@pytest.fixture(autouse=True)
def in_berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def column(ledgers: dict[str, Any], name: str) -> list[str]:
    """The cells of a column, found by where its heading stands, so only where all are aligned with it."""
    head, *lines = ledger_table(ledgers, 0).splitlines()
    if name not in head.split():
        return []
    start = f"{head} ".index(f"{name} ")
    end = next((at for at in range(start + len(name), len(head)) if head[at] != " "), None)
    return [line[start:end].strip() for line in lines]


def test_the_whole_table() -> None:
    upgrade_elsewhere = {
        **UPGRADE,
        "at": "2026-11-23T11:00:06+00:00",
        "seconds": 12.0,
        "steps": {"build": 9.0, "switch": 0.1},
    }
    del upgrade_elsewhere["database_before"], upgrade_elsewhere["database_after"]
    failed = {**FAILED, "revision": "77aa88bb99cc", "version": "v1.5.0", "wanted": "v1.4.2", "by": "ci"}
    table = ledger_table({"web2": [upgrade_elsewhere], "web1": [FIRST, UPGRADE, failed]})
    assert table.splitlines() == [
        "at                   outcome  version  release       commit    slot   inventory  database     by             "
        "seconds  hosts      steps                  reason",
        "2026-11-23T00:30:00  live     v1.4.2   0123456789ab            blue                           bob            "
        "  184.0  web1",
        "2026-11-23T12:00:06  live     v1.4.3   4f0c1b7d9a21  9c1d2e3f  green  v1.4.2     a1b2 → c3d4  alice@deploy1  "
        "   12.0  web1,web2  build 9.0, switch 0.2",
        "2026-11-23T13:00:00  failed   v1.5.0   ffff00001111  77aa88bb  blue   v1.4.2                  ci             "
        "         web1                              web didn't become healthy within 60 s",
    ]


def test_the_same_run_is_one_line_for_all_hosts() -> None:
    hosts = {f"web{number}": [UPGRADE] for number in range(1, 6)}
    assert column(hosts, "hosts") == ["web1,web2,web3,+2"]
    assert column({"web1": [FIRST], "web2": [FIRST]}, "hosts") == ["web1", "web2"]


def test_a_run_that_ended_in_two_ways_says_where_each() -> None:
    back = {**FAILED, "outcome": "rolled back", "at": "2026-11-23T12:00:01+00:00", "reason": ""}
    ledgers = {"web1": [back], "web2": [back], "web3": [FAILED]}
    assert column(ledgers, "outcome") == ["failed", "rolled back"]
    assert column(ledgers, "hosts") == ["web3", "web1,web2"]


def test_what_differs_between_hosts_is_all_there() -> None:
    other = {**UPGRADE, "release": "bbbbccccdddd9999", "reason": "two"}
    assert column({"web1": [{**UPGRADE, "reason": "one"}], "web2": [other]}, "release") == ["4f0c1b7d9a21,bbbbccccdddd"]
    assert column({"web1": [{**UPGRADE, "reason": "one"}], "web2": [other]}, "reason") == ["one; two"]


def test_the_newest_are_kept_and_come_last() -> None:
    entries = [{**FIRST, "at": f"2026-11-{day:02}T10:00:00+00:00"} for day in range(25, 0, -1)]
    days = [line[8:10] for line in ledger_table({"web1": entries}).splitlines()[1:]]
    assert days == [f"{day:02}" for day in range(6, 26)]
    assert [line[8:10] for line in ledger_table({"web1": entries}, 2).splitlines()[1:]] == ["24", "25"]
    assert len(ledger_table({"web1": entries}, 0).splitlines()) == 26


def test_only_steps_that_took_a_while_are_there() -> None:
    steps = {"resolve": 0.04, "build": 120.26, "health": 60.2}
    assert column({"web1": [{**FAILED, "steps": steps}, FIRST]}, "steps") == ["", "build 120.3, health 60.2"]


def test_moments_are_compared_not_texts() -> None:
    late = {**FIRST, "at": "2026-11-23T01:00:00-05:00", "version": "late"}
    early = {**FIRST, "at": "2026-11-23T05:59:59Z", "version": "early"}
    assert column({"web1": [late, early]}, "version") == ["early", "late"]
    assert column({"web1": [late]}, "at") == ["2026-11-23T07:00:00"]
    assert column({"web1": [{**FIRST, "at": "2026-07-01T10:00:00.900+00:00"}]}, "at") == ["2026-07-01T12:00:00"]


def test_an_entry_without_a_usable_moment_is_shown_first() -> None:
    assert column({"web1": [UPGRADE, {**FIRST, "at": "yesterday"}]}, "at") == ["yesterday", "2026-11-23T12:00:05"]
    assert column({"web1": [{"outcome": "live"}]}, "outcome") == ["live"]


def test_a_database_that_stayed_is_said_once() -> None:
    def database(before: Any, after: Any) -> list[str]:
        return column({"web1": [{**UPGRADE, "database_before": before, "database_after": after}]}, "database")

    assert database("a1b2", "a1b2") == ["a1b2"]
    assert database("a1b2", None) == ["a1b2"]
    assert database(None, "c3d4") == ["c3d4"]
    assert database(["a1", "b2"], ["a1", "c3"]) == ["a1,b2 → a1,c3"]
    assert database(None, None) == []


def test_a_reason_stays_on_one_line() -> None:
    text = "it \x1b[31mfailed\x1b[0m:\n\ttraceback " + "x" * 200
    assert column({"web1": [{**FAILED, "reason": text}]}, "reason") == ["it failed: traceback " + "x" * 58 + "…"]


def test_nothing_released_is_an_empty_text() -> None:
    assert ledger_table({}) == ""
    assert ledger_table({"web1": []}) == ""


@pytest.mark.parametrize("ledgers", [[UPGRADE], {"web1": ["text"]}, {"web1": None}])
def test_what_is_no_ledger_is_refused(ledgers: Any) -> None:
    with pytest.raises(AnsibleFilterError, match="ledgers can't be shown"):
        ledger_table(ledgers)


def test_a_negative_limit_is_refused() -> None:
    with pytest.raises(AnsibleFilterError, match="limit is -1"):
        ledger_table({}, -1)


def test_a_step_of_a_run_is_told_only_where_the_run_never_ended() -> None:
    step = {**UPGRADE, "outcome": "migrated"}
    assert "migrated" not in ledger_table({"web1": [step, UPGRADE], "web2": [step]})
    assert "migrated" in ledger_table({"web1": [step, FIRST]})
