# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A canary ends as soon as it has failed too much beside the live slot, and not before."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.slipway.stack.plugins.module_utils import _canary
from ansible_collections.slipway.stack.plugins.modules import canary

Watch = Callable[..., dict[str, Any]]


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_canary, "INTERVAL_S", 0.02)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "access.log"
    path.touch()
    return path


@pytest.fixture
def flag(tmp_path: Path) -> Path:
    path = tmp_path / "shop.canary-10-green"
    path.touch()
    return path


@pytest.fixture
def watch(run_module: Callable[..., dict[str, Any]], log: Path, flag: Path, tmp_path: Path) -> Watch:
    def run(seconds: float = 0, *, since: float = 0, check_mode: bool = False, **more: Any) -> dict[str, Any]:
        places = {"log": str(log), "directory": str(tmp_path), "canary_directory": str(tmp_path)}
        return run_module(
            canary, {"site": "shop", "seconds": seconds, "since": since, **places, **more}, check_mode=check_mode
        )

    return run


def entry(slot: str, status: int, at: float | None = None) -> str:
    content = {"msec": time.time() if at is None else at, "status": status, "request_time": 0.01, "slot": slot}
    return json.dumps(content) + "\n"


def write(log: Path, slot: str, good: int, bad: int = 0) -> None:
    with log.open("a", encoding="utf-8") as file:
        file.writelines([entry(slot, 500)] * bad + [entry(slot, 200)] * good)


@contextmanager
def meanwhile(act: Callable[[], None], after: float = 0.2) -> Iterator[None]:
    timer = threading.Timer(after, act)
    timer.start()
    try:
        yield
    finally:
        timer.join()


def test_a_canary_that_fares_well_goes_on(watch: Watch, log: Path, flag: Path) -> None:
    write(log, "blue", good=900)
    write(log, "green", good=100)
    result = watch(0.1)
    assert (result["changed"], result["slot"], result["percent"]) == (False, "green", 10)
    assert (result["canary"]["requests"], result["canary"]["failed"], result["live"]["requests"]) == (100, 0, 900)
    assert 0.1 <= result["seconds"] < 1
    assert flag.exists()


def test_a_canary_that_fails_is_ended_at_once(watch: Watch, log: Path, flag: Path) -> None:
    with meanwhile(lambda: write(log, "green", good=80, bad=20)):
        result = watch(60)
    assert result["failed"]
    assert result["msg"] == (
        "The canary in slot green failed 20 of its 100 requests, the live slot 0 of 0: that is over the budget of 1 % more "
        "(of 20 requests or more), so the canary was ended after 0 s."
    )
    assert (result["changed"], result["seconds"] < 10, flag.exists()) == (True, True, False)


@pytest.mark.parametrize(
    ("live", "tried", "options", "ended"),
    [
        # The budget is what the canary may fail more than the live slot does.
        ((98, 2), (97, 3), {}, False),
        ((98, 2), (96, 4), {}, True),
        ((50, 50), (50, 50), {}, False),
        ((1000, 0), (990, 10), {}, False),
        ((1000, 0), (989, 11), {}, True),
        ((100, 0), (94, 6), {"budget": 6}, False),
        ((100, 0), (100, 0), {"budget": 0}, False),
        ((100, 0), (999, 1), {"budget": 0}, True),
        # Few requests are judged as if the rest went well.
        ((0, 0), (0, 0), {"budget": 0}, False),
        ((100, 0), (0, 1), {}, True),
        ((100, 0), (0, 5), {"budget": 5, "requests": 100}, False),
        ((100, 0), (0, 6), {"budget": 5, "requests": 100}, True),
    ],
)
def test_what_is_over_the_budget(
    watch: Watch,
    log: Path,
    flag: Path,
    live: tuple[int, int],
    tried: tuple[int, int],
    options: dict[str, Any],
    ended: bool,
) -> None:
    write(log, "blue", *live)
    write(log, "green", *tried)
    assert (watch(**options).get("failed", False), flag.exists()) == (ended, not ended)


def test_what_was_before_the_canary_does_not_count(watch: Watch, log: Path) -> None:
    log.write_text(entry("green", 500, at=1000) * 50 + entry("green", 200, at=1001) * 30, encoding="utf-8")
    assert watch(since=1001)["canary"]["requests"] == 30
    assert watch(since=1000)["failed"]


def test_a_line_is_counted_once_and_when_it_is_complete(watch: Watch, log: Path) -> None:
    first, second = entry("green", 200), entry("green", 200)

    def append(text: str) -> Callable[[], None]:
        def act() -> None:
            with log.open("a", encoding="utf-8") as file:
                file.write(text)

        return act

    append(first + second[:20])()
    with meanwhile(append(second[20:])):
        result = watch(0.5)
    assert result["canary"]["requests"] == 2


def test_a_rotation_loses_nothing(watch: Watch, log: Path) -> None:
    write(log, "green", good=10)

    def rotate() -> None:
        older = log.rename(log.with_name("access.log.1"))
        write(log, "green", good=7)
        # nginx's workers write to the file that they have until they are told.
        write(older, "green", good=5)

    with meanwhile(rotate):
        result = watch(0.5)
    assert result["canary"]["requests"] == 22


def test_a_check_judges_without_waiting_and_ends_nothing(watch: Watch, log: Path, flag: Path) -> None:
    write(log, "green", good=0, bad=30)
    begin = time.monotonic()
    result = watch(60, check_mode=True)
    assert (result["failed"], result["changed"], flag.exists()) == (True, True, True)
    assert time.monotonic() - begin < 10


def test_where_there_is_nothing_to_watch(watch: Watch, log: Path, flag: Path) -> None:
    log.unlink()
    assert "access.log doesn't exist" in watch()["msg"]
    flag.unlink()
    assert "shop has no canary" in watch()["msg"]


def test_a_share_of_no_requests_is_refused(watch: Watch) -> None:
    assert "requests is less than 1" in watch(requests=0)["msg"]
