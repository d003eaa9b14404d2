# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judge whether what a load stands for is there."""

from __future__ import annotations

import typing as t

from ansible_collections.slipway.stack.plugins.module_utils._load import load_profile

POOL = ("app_database_pool", "app_database_overflow")


def pooler_problem(load: str, given: t.Collection[str], connections: int, pooled: bool) -> str | None:
    """Refuse pools that only a pooler can carry where there is none, unless the inventory sets their sizes itself."""
    if not load_profile(load)["pooler"] or pooled or set(POOL) <= set(given):
        return None
    return (
        f"app_load is {load}, whose pools may open {connections} connections, which need a pooler between the application and "
        "PostgreSQL: leave app_database_pooler out or set it to pgbouncer, let app_database_url lead to one, with no host in the "
        f"group postgres, set {' and '.join(POOL)} to smaller ones, or set app_load to heavy."
    )


def missing_server_problem(pooler: str, servers: t.Collection[str], url: str) -> str | None:
    """Refuse a pooler that was asked for where there is no server for it to stand on."""
    if not pooler or servers or url:
        return None
    return (
        f"app_database_pooler is {pooler}, but the group postgres has no hosts: name the one under postgres on which it is to run, "
        "or let app_database_url lead to a pooler elsewhere."
    )


def clients_problem(demand: t.Mapping[str, t.Any], limit: int) -> str | None:
    """Compare what the application may open with the clients that its pooler takes."""
    needed = int(demand.get("clients", 0))
    if not limit or needed <= limit:
        return None
    parts = "; ".join(f"{part['name']}: {part['formula']} = {part['connections']}" for part in demand["opened"])
    return (
        f"pgbouncer_max_client_conn is {limit}, but {needed} clients may be connected at once ({parts}; reserve: "
        f"{demand['reserved']}): set it to at least {needed}, leave it out for the sum, or lower app_database_pool, "
        "app_database_overflow or the processes' workers and count."
    )
