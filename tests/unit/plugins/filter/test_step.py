# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Steps add up to the whole, whatever they are called and however often they are gone back to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.slipway.stack.plugins.filter import step as plugin

After = Callable[..., dict[str, Any]]


@pytest.fixture
def after(monkeypatch: pytest.MonkeyPatch) -> After:
    """Goes on to a step after so many seconds."""
    now = [1000.0]

    def go_on(seconds: float, steps: dict[str, Any], *name: str) -> dict[str, Any]:
        now[0] += seconds
        return step(steps, *name)

    step = plugin.FilterModule().filters()["step"]
    monkeypatch.setattr(plugin.time, "time", lambda: now[0])
    return go_on


def test_each_step_takes_what_is_between_it_and_the_next(after: After) -> None:
    steps = after(0, {}, "build")
    assert steps == {"name": "build", "since": 1000, "began": 1000, "seconds": {}}
    steps = after(9.1234, steps, "switch")
    assert (steps["name"], steps["seconds"]) == ("switch", {"build": 9.12})
    steps = after(0.5, steps)
    assert (steps["name"], steps["seconds"]) == ("", {"build": 9.12, "switch": 0.5})
    assert steps["since"] - steps["began"] == pytest.approx(9.6234)


def test_a_step_may_come_again(after: After) -> None:
    steps = after(1, after(2, after(4, after(0, {}, "build"), "start"), "build"))
    assert steps["seconds"] == {"build": 5.0, "start": 2.0}


def test_what_is_between_two_steps_is_neither(after: After) -> None:
    steps = after(1, after(2, after(0, {}, "build")), "start")
    assert after(3, steps)["seconds"] == {"build": 2.0, "start": 3.0}


def test_what_was_noted_before_is_left_as_it_was(after: After) -> None:
    before = after(1, after(0, {}, "build"), "start")
    after(1, before, "health")
    assert before["seconds"] == {"build": 1.0}
