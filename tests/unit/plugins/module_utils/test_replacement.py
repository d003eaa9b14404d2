# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The first answer of a process that was replaced: it comes, or the process has ended."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from ansible_collections.slipway.stack.plugins.module_utils import _replacement as replacement
from ansible_collections.slipway.stack.plugins.module_utils._errors import StackError
from ansible_collections.slipway.stack.plugins.module_utils._health import Answer, NoAnswerError

TARGET = {"name": "queue", "unit": "shop-queue.service", "url": "http://127.0.0.1:8019/health", "deadline": 0.5}
OWNERS = ({"port": 8019, "pid": 7, "unit": "shop-queue.service"}, {"port": 8019, "pid": 1, "unit": "init.scope"})


def systemd(active: str = "active", restarts: Sequence[int] = (0,)) -> Callable[[list[str]], tuple[int, str, str]]:
    counted = list(restarts)

    def call(words: list[str]) -> tuple[int, str, str]:
        if words[0] == "journalctl":
            return 0, "last words\n", ""
        number = counted.pop(0) if len(counted) > 1 else counted[0]
        return 0, f"LoadState=loaded\nActiveState={active}\nSubState=auto-restart\nNRestarts={number}\n", ""

    return call


def answering(monkeypatch: pytest.MonkeyPatch, status: int, after: float = 0) -> None:
    def probe(*_: Any) -> Answer:
        time.sleep(after)
        return Answer(after, status, "{}", listeners=OWNERS)

    monkeypatch.setattr(replacement, "probe", probe)


def test_an_answer_ends_the_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, 200, after=0.3)
    began = time.monotonic()
    assert 0.3 <= replacement.FirstAnswer(TARGET, systemd(restarts=(20,))).wait() - began < 2


def test_the_first_answer_will_do_however_many_make_another_process_healthy(monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, 200)
    assert replacement.FirstAnswer({**TARGET, "successes": 50}, systemd()).wait()


def test_a_bad_answer_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, 503)
    with pytest.raises(StackError, match=r"(?s)expected status 200, got 503.*last words"):
        replacement.FirstAnswer(TARGET, systemd()).wait()


@pytest.mark.parametrize("state", [{"active": "activating"}, {"restarts": (20, 20, 21)}])
def test_a_process_that_ended_is_not_waited_for(state: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, 200, after=30)
    began = time.monotonic()
    with pytest.raises(StackError, match=r"(?s)shop-queue.service ended before it answered.*last words"):
        replacement.FirstAnswer(TARGET, systemd(**state)).wait()
    assert time.monotonic() - began < 5


def test_nobody_else_may_answer_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def probe(*_: Any) -> Answer:
        return Answer(0.01, 200, "{}", listeners=({"port": 8019, "pid": 9, "unit": "orphan.service"},))

    monkeypatch.setattr(replacement, "probe", probe)
    with pytest.raises(StackError, match=r"orphan.service"):
        replacement.FirstAnswer(TARGET, systemd()).wait()


def test_no_answer_within_its_time_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def probe(*_: Any) -> Answer:
        raise NoAnswerError("none within 5.0 s")

    monkeypatch.setattr(replacement, "probe", probe)
    with pytest.raises(StackError, match=r"none within"):
        replacement.FirstAnswer(TARGET, systemd()).wait()
