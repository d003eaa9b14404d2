# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who gets how much memory and how many connections on each host, as a table for people."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.slipway.stack.plugins.plugin_utils._preflight_capacity import Row

_HEADINGS = ("MB", "two slots", "connections", "two slots")
_GAP = "  "
Pair = tuple[int, int]


@dataclasses.dataclass(frozen=True)
class HostUse:
    """What a host has, what each part takes of it, and the connections that the application's parts there may open."""

    name: str
    memory_mb: int
    rows: t.Sequence[Row]
    connections: t.Mapping[str, Pair]


@dataclasses.dataclass(frozen=True)
class DatabaseUse:
    """What the whole fleet may open, and what the database allows; 0 where that isn't known."""

    where: str
    steady: int
    peak: int
    reserved: int
    others: int
    allowed: int
    # Of the pooler before it; 0 where there is none.
    clients: int = 0

    def sentence(self) -> str:
        """Say how the sum of the table and what the database allows fit together."""
        parts = [
            f"{self.reserved} of them in reserve",
            *([f"{self.others} for other applications"] * bool(self.others)),
        ]
        allowed = (
            str(self.allowed) if self.allowed else "an unknown number, since app_database_max_connections isn't set"
        )
        pooler = f" The pooler before it takes {self.clients} clients." if self.clients else ""
        return (
            f"{self.where}: {self.steady} connections, {self.peak} while two slots run ({', '.join(parts)}); it is to allow "
            f"{allowed}.{pooler}"
        )


def capacity_table(hosts: t.Sequence[HostUse], database: DatabaseUse | None) -> list[str]:
    """Return the lines of the table: for each host its parts and their sum, and last the database."""
    blocks = [_block(host) for host in hosts]
    lines = [line for block in blocks for line in block]
    widths = [max(len(line[column]) for line in lines) for column in range(len(_HEADINGS) + 1)] if lines else []
    table = [
        _GAP.join(
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]
    return [*table, *([database.sentence()] if database else [])]


def _block(host: HostUse) -> list[list[str]]:
    parts = [
        [f"  {name}", *_pair((steady, peak)), *_pair(host.connections.get(name))] for name, steady, peak in host.rows
    ]
    memory = (sum(row[1] for row in host.rows), sum(row[2] for row in host.rows))
    connections = tuple(sum(pair[state] for pair in host.connections.values()) for state in (0, 1))
    total = [f"  of {host.memory_mb} MB", *_pair(memory), *_pair(connections if any(connections) else None)]
    return [[host.name, *_HEADINGS], *parts, total]


def _pair(numbers: t.Sequence[float] | None) -> list[str]:
    return [str(round(number)) for number in numbers] if numbers else ["", ""]
