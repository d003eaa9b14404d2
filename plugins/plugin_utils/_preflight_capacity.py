# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judge whether connections, memory and disk suffice while two slots run side by side."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.slipway.stack.plugins.module_utils._processes import copies_at_once, worker_processes

# What one PostgreSQL backend takes beyond shared memory, in MB, as a rule of thumb of its own documentation's advice
# to count work_mem for each; and what one Python worker process takes where its process sets no memory_max.
BACKEND_MB = 10
WORKER_MB = 150
SYSTEM_MB = 256
_UNITS_MB = {"": 1 / 1024 / 1024, "k": 1 / 1024, "m": 1.0, "g": 1024.0, "t": 1024.0 * 1024.0}


def megabytes(size: str | int) -> float:
    """Convert C(256mb), C(2G) or a number of bytes to MB; 0 where nothing is said.

    Raises ValueError for what is no size.
    """
    text = str(size).strip().lower()
    if not text:
        return 0.0
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?", text)
    if not match:
        raise ValueError(f"'{size}' is no size: write it like 512M or 2G")
    return float(match[1]) * _UNITS_MB[match[2]]


def explain(demand: t.Mapping[str, t.Any]) -> str:
    """Spell out a sum of connections."""
    parts = [f"{part['name']}: {part['formula']} = {part['connections']}" for part in demand["parts"]]
    return "; ".join([*parts, f"reserve: {demand['reserved']}"])


def explain_sum(demand: t.Mapping[str, t.Any], others: int) -> str:
    """Spell out a sum of connections, with what other applications of the server need."""
    more = f", and {others} for the other applications on the server" if others else ""
    return explain(demand) + more


def connection_problem(demand: t.Mapping[str, t.Any], limit: int, variable: str, others: int = 0) -> str | None:
    """Compare what applications may open with what the server allows."""
    needed = int(demand["total"]) + others
    if not limit or needed <= limit:
        return None
    return (
        f"{variable} is {limit}, but {needed} connections may be open at once ({explain_sum(demand, others)}): set "
        f"{variable} to at least {needed}, or lower app_database_pool, app_database_overflow or the processes' workers and count."
    )


def pool_problem(demand: t.Mapping[str, t.Any], memory_mb: int) -> str | None:
    """Compare what the connections may take with half of the database host's memory."""
    needed = int(demand["total"]) * BACKEND_MB
    if needed <= memory_mb / 2:
        return None
    most = int(memory_mb / 2 / BACKEND_MB)
    return (
        f"app_database_pool and app_database_overflow ask for {demand['total']} connections ({explain(demand)}), which may "
        f"take {needed} MB, more than half of the database host's {memory_mb} MB: lower them until the sum is at most {most}."
    )


def process_memory_mb(process: t.Mapping[str, t.Any], cores: int) -> float:
    """Estimate what one process takes on a host in one slot, in MB: its limit, or a usual size for each worker."""
    count = int(process["count"])
    if process.get("memory_max"):
        return count * megabytes(process["memory_max"])
    if process["kind"] == "routed":
        return count * WORKER_MB * worker_processes(process, cores)
    if process["kind"] == "worker":
        return count * WORKER_MB * (int(process["concurrency"]) + 1)
    return WORKER_MB


def memory_table(
    planned: t.Sequence[t.Mapping[str, t.Any]], cores: int, services: t.Mapping[str, float], runs_app: bool
) -> list[tuple[str, float, float]]:
    """Return (name, MB in steady state, MB while two slots run) for everything on a host."""
    rows = [("system", float(SYSTEM_MB), float(SYSTEM_MB))]
    rows += [(name, size, size) for name, size in services.items()]
    for process in planned if runs_app else []:
        size = process_memory_mb(process, cores)
        rows.append((process["name"], size, size * copies_at_once(process)))
    return rows


def memory_problem(rows: t.Sequence[tuple[str, float, float]], memory_mb: int) -> str | None:
    """Compare what two slots at once take with what the host has."""
    needed = sum(row[2] for row in rows)
    if needed <= memory_mb:
        return None
    parts = ", ".join(f"{name} {round(peak)}" for name, _steady, peak in rows)
    return (
        f"the host has {memory_mb} MB of memory, but {round(needed)} MB may be in use while two slots run ({parts}): lower "
        "app_processes' workers, count or memory_max, or app_redis_maxmemory, or give the host more memory."
    )
