# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An inventory whose hosts all have the same variables."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

GROUPS = ("app", "nginx", "postgres", "redis")


@dataclass
class PlainInventory:
    """What the rules ask of an inventory. An exception among the values is raised where it is asked for."""

    given: dict[str, Any] = field(default_factory=dict)
    defaults: dict[str, Any] = field(default_factory=dict)
    groups: dict[str, list[str]] = field(default_factory=lambda: {group: ["one"] for group in GROUPS})
    options: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def hosts(self) -> list[str]:
        return list(dict.fromkeys(host for hosts in self.groups.values() for host in hosts))

    def defined(self, _host: str) -> set[str]:
        return set(self.given)

    def roles_of(self, host: str) -> list[str]:
        return [group for group in GROUPS if host in self.groups[group]]

    def description(self, _name: str) -> str:
        return ""

    def value(self, _host: str, name: str) -> Any:
        found = {**self.defaults, **self.given}.get(name)
        if isinstance(found, Exception):
            raise found
        return found

    def private(self, host: str, _role: str, name: str, **registered: Any) -> Any:
        found = self.value(host, name)
        if found is None and name.endswith(("_problems", "_published")):
            return []
        return found(**registered) if callable(found) else found


@pytest.fixture
def inventory_of() -> Callable[..., Any]:
    return PlainInventory
