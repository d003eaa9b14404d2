# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module utility is private to slipway.stack: it may change in any release.
"""Wait for the first answer of a process that was started while requests wait for it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from threading import Thread
from typing import Any

from ansible_collections.slipway.stack.plugins.module_utils import _health, _units
from ansible_collections.slipway.stack.plugins.module_utils._errors import StackError
from ansible_collections.slipway.stack.plugins.module_utils._health import Target, Verdict
from ansible_collections.slipway.stack.plugins.module_utils._journal import last_lines
from ansible_collections.slipway.stack.plugins.module_utils._probe import probe
from ansible_collections.slipway.stack.plugins.module_utils._unit_probe import look_at

_POLL_S = 0.2
_JOURNAL_LINES = 20
_DEFAULTS = {"status": [200], "version_key": "version", "validate_certs": True}
# Requests wait, so the first good answer will do.
_PACE = {"timeout": 5, "interval": 0.1, "successes": 1, "deadline": 60, "failures": 0, "steady": 0}


class FirstAnswer:
    """One process, asked in the background: its answer may take long, and that it has ended is to be seen at once."""

    def __init__(self, target: Mapping[str, Any], call: _units.Run) -> None:
        self.target = _health.parse_targets([{**_DEFAULTS, **target, "successes": None}], _PACE)[0]
        self.unit = str(target["unit"])
        self._call = call
        # systemd goes on counting where a process that ends again and again is told to start.
        self._restarts = look_at(self.unit, call).restarts
        self._verdicts: list[Verdict] = []
        self._came_at = 0.0
        self._thread = Thread(target=self._ask, daemon=True)
        self._thread.start()

    def wait(self) -> float:
        """Return when it was there, by the monotonic clock; raise StackError where it isn't healthy."""
        while self._thread.is_alive():
            self._thread.join(_POLL_S)
            if self._thread.is_alive() and (why := self._has_ended()):
                raise self._failure(f"{self.unit} ended before it answered: {why}.")
        if not self._verdicts[0].healthy:
            raise self._failure(_health.failure_sentence(self._verdicts[0]))
        return self._came_at

    def _ask(self) -> None:
        self._verdicts.append(_health.watch(self.target, _ask_once, time.monotonic, time.sleep))
        self._came_at = time.monotonic()

    def _has_ended(self) -> str:
        state = look_at(self.unit, self._call)
        if state.active == "active" and state.restarts == self._restarts:
            return ""
        return f"it is {state.active} ({state.sub}), Result={state.result}"

    def _failure(self, sentence: str) -> StackError:
        return StackError("\n".join([sentence, *last_lines(self.unit, _JOURNAL_LINES, self._call)]))


def _ask_once(target: Target, timeout: float) -> _health.Answer:
    return probe(target, timeout)
