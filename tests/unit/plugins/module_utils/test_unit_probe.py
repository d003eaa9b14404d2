# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a unit's state is read and judged."""

from __future__ import annotations

import pytest

from ansible_collections.slipway.stack.plugins.module_utils import _health as health
from ansible_collections.slipway.stack.plugins.module_utils._errors import StackError
from ansible_collections.slipway.stack.plugins.module_utils._unit_probe import CrashWatch, parse_state, probe_unit

UNIT = "shop-worker@green.service"
DEFAULTS = {"timeout": 5.0, "interval": 1.0, "successes": 1, "deadline": 10.0, "failures": 0, "steady": 0.0}


def shown(active: str, sub: str, entered_s: float, restarts: int = 0) -> str:
    return (
        f"LoadState=loaded\nActiveState={active}\nSubState={sub}\n"
        f"ActiveEnterTimestampMonotonic={int(entered_s * 1e6)}\nNRestarts={restarts}\n"
    )


def target(**options: object) -> health.Target:
    (parsed,) = health.parse_targets([{"url": f"unit://{UNIT}", **options}], DEFAULTS)
    return parsed


@pytest.mark.parametrize(
    ("output", "sentence"),
    [
        (shown("active", "running", 90), None),
        (shown("active", "running", 98, 3), "to stay up for 5 s, got 2.0 s so far, restarted 3 times"),
        (shown("activating", "auto-restart", 0, 7), "to be active, got activating (auto-restart, restarted 7 times)"),
        (shown("failed", "failed", 0), "to be active, got failed (failed)"),
    ],
)
def test_only_a_unit_that_stays_up_is_healthy(output: str, sentence: str | None) -> None:
    answer = health.Answer(0.01, unit_state=parse_state(output, now_s=100))
    mismatch = health.judge(target(uptime=5.0), answer)
    assert str(mismatch or "") == (f"expected {UNIT} {sentence}" if sentence else "")


def crash_watch(*looks: str) -> CrashWatch:
    """What systemd says at one look after the other."""
    outputs = iter(looks)
    return CrashWatch(UNIT, lambda _words: (0, next(outputs), ""))


def restarted(times: int) -> str:
    return shown("activating", "auto-restart", 0, times) + "Result=exit-code\n"


@pytest.mark.parametrize(
    "looks",
    [
        ["LoadState=not-found\n"],
        [shown("active", "running", 1)] * 50,
        [shown("activating", "start", 0)] * 50,
        # Once may be an accident, and what was before isn't about this start.
        [restarted(0), restarted(1), shown("active", "running", 2, 1)],
        [restarted(7), restarted(8)],
        [restarted(7), restarted(0), restarted(1)],
    ],
)
def test_a_unit_that_is_slow_to_start_is_given_its_time(looks: list[str]) -> None:
    watch = crash_watch(*looks)
    assert [watch(is_over=False) for _look in looks] == [""] * len(looks)


@pytest.mark.parametrize(
    ("looks", "sentence"),
    [
        ([shown("failed", "failed", 0) + "Result=oom-kill\n"], "has failed (Result=oom-kill)"),
        (
            [restarted(3), restarted(4), restarted(5)],
            "crashed and was restarted 2 times meanwhile (Result=exit-code)",
        ),
    ],
)
def test_a_unit_that_crashes_again_and_again_is_given_up(looks: list[str], sentence: str) -> None:
    watch = crash_watch(*looks)
    assert [watch(is_over=False) for _look in looks][-1] == f"{UNIT} {sentence}"


def test_a_single_crash_is_told_of_when_the_time_is_over() -> None:
    watch = crash_watch(restarted(3), restarted(4))
    assert watch(is_over=False) == ""
    assert watch(is_over=True) == f"{UNIT} crashed and was restarted once meanwhile (Result=exit-code)"


def test_a_systemd_that_does_not_answer_takes_no_hope() -> None:
    assert CrashWatch(UNIT, lambda _words: (1, "", "Failed to connect to bus"))(is_over=False) == ""


def test_an_unknown_unit_is_no_answer() -> None:
    with pytest.raises(health.NoAnswerError, match="no such unit"):
        probe_unit(target(), lambda _words: (0, "LoadState=not-found\nActiveState=inactive\n", ""))


@pytest.mark.parametrize("options", [{"url": "unit://shop"}, {"body": "ok"}, {"unit": UNIT}])
def test_what_makes_no_sense_for_a_unit_is_refused(options: dict[str, object]) -> None:
    with pytest.raises(StackError):
        target(**options)
