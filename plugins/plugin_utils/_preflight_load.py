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
        f"app_load is {load}, whose pools may open {connections} connections, which need a pooler such as PgBouncer between the "
        "application and PostgreSQL: let app_database_url lead to one, with no host in the group postgres, set "
        f"{' and '.join(POOL)} to smaller ones, or set app_load to heavy."
    )
