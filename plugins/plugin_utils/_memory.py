# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How much memory an application's processes take on a host."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.slipway.stack.plugins.module_utils._processes import copies_at_once, worker_processes

# What one Python worker process takes where nothing limits it.
WORKER_MB = 150
_UNITS_MB = {"": 1 / 1024 / 1024, "k": 1 / 1024, "m": 1.0, "g": 1024.0, "t": 1024.0 * 1024.0}
_LIMIT = re.compile(r"\d+(\.\d+)?[KMGT]?")

Process = t.Mapping[str, t.Any]


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


def memory_demand(
    planned: t.Sequence[Process], cores: int = 0, limit: str = "", singletons: bool = True
) -> dict[str, t.Any]:
    """Estimate what an application takes on one host, in steady state and while two slots run, in MB.

    C(limit) is that of processes that have none of their own. Without C(singletons), what runs once runs elsewhere.
    """
    parts = []
    for process in planned:
        if process["kind"] in ("singleton", "timer") and not singletons:
            continue
        size = _process_mb(process, cores, limit)
        parts.append({"name": process["name"], "steady": size, "peak": size * copies_at_once(process)})
    return {
        "steady": round(sum(part["steady"] for part in parts)),
        "peak": round(sum(part["peak"] for part in parts)),
        "parts": parts,
    }


def _process_mb(process: Process, cores: int, limit: str) -> float:
    """What a process takes in one slot: its limit, or a usual size for each worker."""
    count = int(process["count"])
    limited = _limit_mb(process, limit)
    if limited:
        return count * limited
    if process["kind"] == "routed":
        return float(count * WORKER_MB * worker_processes(process, cores))
    if process["kind"] == "worker":
        return float(count * WORKER_MB * (int(process["concurrency"]) + 1))
    return float(WORKER_MB)


def _limit_mb(process: Process, limit: str) -> float:
    name = f"app_processes[{process['name']}].memory_max" if process["memory_max"] else "app_memory_max"
    text = str(process["memory_max"] or limit)
    if text and not _LIMIT.fullmatch(text):
        raise ValueError(f"{name} is '{text}': write it like 512M or 2G")
    return megabytes(text)
