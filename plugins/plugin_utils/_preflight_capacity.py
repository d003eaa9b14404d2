# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judge whether connections, memory and disk suffice while two slots run side by side."""

from __future__ import annotations

import typing as t

# What one PostgreSQL backend takes beyond shared memory, in MB, as a rule of thumb of its own documentation's advice
# to count work_mem for each.
BACKEND_MB = 10
SYSTEM_MB = 256
_POOL = "app_database_pool and app_database_overflow"

# Name, MB in steady state, MB while two slots run.
Row = tuple[str, float, float]


def explain(demand: t.Mapping[str, t.Any]) -> str:
    """Spell out a sum of connections."""
    parts = [f"{part['name']}: {part['formula']} = {part['connections']}" for part in demand["parts"]]
    return "; ".join([*parts, f"reserve: {demand['reserved']}"])


def explain_sum(demand: t.Mapping[str, t.Any], others: int) -> str:
    """Spell out a sum of connections, with what other applications of the server need."""
    more = f", and {others} for the other applications on the server" if others else ""
    return explain(demand) + more


def _what_to_lower(demand: t.Mapping[str, t.Any]) -> str:
    if demand.get("shared"):
        return "pgbouncer_pool_size"
    return "app_database_pool, app_database_overflow or the processes' workers and count"


def connection_problem(demand: t.Mapping[str, t.Any], limit: int, variable: str, others: int = 0) -> str | None:
    """Compare what applications may open with what the server allows."""
    needed = int(demand["total"]) + others
    if not limit or needed <= limit:
        return None
    return (
        f"{variable} is {limit}, but {needed} connections may be open at once ({explain_sum(demand, others)}): set "
        f"{variable} to at least {needed}, or lower {_what_to_lower(demand)}."
    )


def pool_problem(demand: t.Mapping[str, t.Any], memory_mb: int) -> str | None:
    """Compare what the connections may take with half of the database host's memory."""
    needed = int(demand["total"]) * BACKEND_MB
    if needed <= memory_mb / 2:
        return None
    most = int(memory_mb / 2 / BACKEND_MB)
    asks, them = ("pgbouncer_pool_size asks", "it") if demand.get("shared") else (f"{_POOL} ask", "them")
    return (
        f"{asks} for {demand['total']} connections ({explain(demand)}), which may take {needed} MB, more than half of the "
        f"database host's {memory_mb} MB: lower {them} until the sum is at most {most}."
    )


def memory_table(services: t.Sequence[Row], parts: t.Sequence[t.Mapping[str, t.Any]]) -> list[Row]:
    """Return what everything on a host takes: the system, its services, and the parts of the application's demand."""
    return [
        ("system", float(SYSTEM_MB), float(SYSTEM_MB)),
        *services,
        *((part["name"], part["steady"], part["peak"]) for part in parts),
    ]


def postgres_memory(shared_mb: float, limit_mb: float, connections: t.Mapping[str, t.Any], others: int) -> Row:
    """Return what PostgreSQL takes: its shared memory, and the backends of which half are busy at once, below its limit."""
    sizes = [shared_mb + (int(connections[state]) + others) * BACKEND_MB / 2 for state in ("steady", "total")]
    steady, peak = (min(size, limit_mb) if limit_mb else size for size in sizes)
    return ("postgres", steady, peak)


def memory_problem(rows: t.Sequence[Row], memory_mb: int) -> str | None:
    """Compare what two slots at once take with what the host has."""
    needed = sum(row[2] for row in rows)
    if needed <= memory_mb:
        return None
    parts = ", ".join(f"{name} {round(peak)}" for name, _steady, peak in rows)
    return (
        f"the host has {memory_mb} MB of memory, but {round(needed)} MB may be in use while two slots run ({parts}): lower "
        "app_processes' workers, count or memory_max, app_redis_maxmemory or the connections of the database, or give the host "
        "more memory."
    )
