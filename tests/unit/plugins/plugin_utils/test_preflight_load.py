# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a pooler is there for a load that needs one."""

from __future__ import annotations

from collections.abc import Collection

import pytest

from ansible_collections.slipway.stack.plugins.module_utils._processes import connection_demand, plan
from ansible_collections.slipway.stack.plugins.plugin_utils._preflight_load import (
    POOL,
    clients_problem,
    missing_server_problem,
    pooler_problem,
)


def test_pools_that_need_a_pooler_are_refused_without_one() -> None:
    problem = pooler_problem("very_heavy", {"app_load"}, 4810, pooled=False) or ""
    assert problem.startswith("app_load is very_heavy, whose pools may open 4810 connections, which need a pooler")
    assert "let app_database_url lead to one" in problem
    assert "set app_load to heavy" in problem


@pytest.mark.parametrize(
    ("load", "given", "pooled"),
    [("", (), False), ("heavy", (), False), ("very_heavy", (), True), ("very_heavy", POOL, False)],
)
def test_other_loads_a_pooler_and_pools_of_ones_own_pass(load: str, given: Collection[str], pooled: bool) -> None:
    assert pooler_problem(load, given, 4810, pooled) is None


def test_a_pooler_needs_a_host_to_stand_on() -> None:
    assert "the group postgres has no hosts" in (missing_server_problem("pgbouncer", [], "") or "")
    assert missing_server_problem("pgbouncer", ["db1"], "") is None
    assert missing_server_problem("pgbouncer", [], "postgresql://pooler.example.com/shop") is None
    assert missing_server_problem("", [], "") is None


def test_more_clients_than_the_pooler_takes_name_the_number_to_set() -> None:
    demand = connection_demand(plan([{"name": "web", "module": "a:b", "workers": 4}], "shop", 8000), 1, 100, 200, 90)
    problem = clients_problem(demand, 1000) or ""
    assert problem.startswith(
        "pgbouncer_max_client_conn is 1000, but 2410 clients may be connected at once (web: 1 hosts"
    )
    assert "set it to at least 2410" in problem
    assert clients_problem(demand, 2410) is None
    assert clients_problem(demand, 0) is None
