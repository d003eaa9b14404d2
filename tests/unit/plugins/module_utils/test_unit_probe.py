# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a unit's state is read and judged."""

from __future__ import annotations

import pytest

from ansible_collections.slipway.stack.plugins.module_utils import _health as health
from ansible_collections.slipway.stack.plugins.module_utils._errors import StackError
from ansible_collections.slipway.stack.plugins.module_utils._unit_probe import parse_state, probe_unit

UNIT = "shop-worker@green.service"
DEFAULTS = {"timeout": 5.0, "interval": 1.0, "successes": 1, "deadline": 10.0, "failures": 0}


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


def test_an_unknown_unit_is_no_answer() -> None:
    with pytest.raises(health.NoAnswerError, match="no such unit"):
        probe_unit(target(), lambda _words: (0, "LoadState=not-found\nActiveState=inactive\n", ""))


@pytest.mark.parametrize("options", [{"url": "unit://shop"}, {"body": "ok"}, {"unit": UNIT}])
def test_what_makes_no_sense_for_a_unit_is_refused(options: dict[str, object]) -> None:
    with pytest.raises(StackError):
        target(**options)
