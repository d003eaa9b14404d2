# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Collect problems over hosts and say each once."""

from __future__ import annotations

import re
import typing as t

_UNDEFINED = re.compile(r"'([A-Za-z_][A-Za-z0-9_]*)' is undefined")


def undefined_name(message: str) -> str | None:
    """Return the variable that a templating error misses; None where it is about an attribute."""
    match = _UNDEFINED.search(message)
    return match[1] if match else None


class Report:
    """Problems, each with the hosts that have it, hints and notes."""

    def __init__(self, hosts: t.Sequence[str]) -> None:
        self._hosts = list(hosts)
        self._found: dict[str, list[str]] = {}
        self._hints: list[str] = []
        self._notes: list[str] = []
        self.capacity: dict[str, t.Any] = {}

    def problem(self, sentence: str, host: str | None = None) -> None:
        """Note a problem of one host, or of the whole inventory."""
        hosts = self._found.setdefault(sentence, [])
        if host is not None and host not in hosts:
            hosts.append(host)

    def hint(self, sentence: str) -> None:
        """Note what looks like a mistake but stops nothing."""
        if sentence not in self._hints:
            self._hints.append(sentence)

    def note(self, sentence: str) -> None:
        """Note what is as it was asked for, and good to know before it happens."""
        self._notes.append(sentence)

    @property
    def problems(self) -> list[str]:
        """Every problem once; with its hosts, unless all have it."""
        return [
            sentence if not hosts or set(hosts) == set(self._hosts) else f"{', '.join(hosts)}: {sentence}"
            for sentence, hosts in self._found.items()
        ]

    def result(self, judged: str) -> dict[str, t.Any]:
        """Return the action's result."""
        problems = self.problems
        result: dict[str, t.Any] = {
            "changed": False,
            "problems": problems,
            "hints": self._hints,
            "notes": self._notes,
        }
        if self._hints:
            result["warnings"] = list(self._hints)
        if self.capacity:
            result["capacity"] = self.capacity
        if not problems:
            return result | {"msg": f"{judged} passed"}
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        lines = "".join(f"\n- {problem}" for problem in problems)
        return result | {"failed": True, "msg": f"{count} in {judged}, and nothing was changed:{lines}"}
