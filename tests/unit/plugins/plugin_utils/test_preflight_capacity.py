# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Connections and memory while two slots run."""

from __future__ import annotations

import pytest

from ansible_collections.slipway.stack.plugins.module_utils._processes import connection_demand, plan
from ansible_collections.slipway.stack.plugins.plugin_utils import _preflight_capacity as capacity

PLANNED = plan(
    [{"name": "web", "module": "a:b", "workers": 4}, {"name": "job", "command": "c", "concurrency": 2}], "s", 8000
)
DEMAND = connection_demand(PLANNED, 2, 5, 10)


def test_the_sum_that_fits_is_no_problem() -> None:
    assert capacity.connection_problem(DEMAND, DEMAND["total"], "postgres_max_connections") is None
    assert capacity.connection_problem(DEMAND, 0, "postgres_max_connections") is None


def test_too_many_connections_name_the_numbers_and_what_to_set() -> None:
    problem = capacity.connection_problem(DEMAND, 100, "postgres_max_connections") or ""
    assert "postgres_max_connections is 100" in problem
    assert f"at least {DEMAND['total']}" in problem
    assert "2 hosts x 1 instances x 4 workers x (5 pool + 10 overflow) x 2 slots = 240" in problem


def test_other_applications_of_the_server_count() -> None:
    assert capacity.connection_problem(DEMAND, DEMAND["total"] + 10, "postgres_max_connections", others=20) is not None


def test_a_pool_that_memory_cannot_carry_names_the_most_it_can() -> None:
    assert capacity.pool_problem(DEMAND, 16384) is None
    assert "at most 102" in (capacity.pool_problem(DEMAND, 2048) or "")


def test_behind_a_pooler_its_pool_is_what_to_lower() -> None:
    demand = connection_demand(PLANNED, 2, 100, 200, 90)
    problem = capacity.connection_problem(demand, 80, "postgres_max_connections") or ""
    assert "at least 100, or lower pgbouncer_pool_size." in problem
    assert (capacity.pool_problem(demand, 1024) or "").startswith("pgbouncer_pool_size asks for 100 connections")


def test_a_table_holds_the_system_services_and_the_application() -> None:
    parts = [{"name": "web", "steady": 600.0, "peak": 1200.0}]
    rows = capacity.memory_table([("redis", 256.0, 256.0)], parts)
    assert rows == [("system", 256, 256), ("redis", 256, 256), ("web", 600, 1200)]
    assert capacity.memory_problem(rows, 2048) is None
    assert "web 1200" in (capacity.memory_problem(rows, 1024) or "")


@pytest.mark.parametrize(("limit", "expected"), [(0, ("postgres", 1324, 1424)), (1400, ("postgres", 1324, 1400))])
def test_postgresql_has_shared_memory_and_backends(limit: float, expected: tuple[str, float, float]) -> None:
    assert capacity.postgres_memory(1024, limit, {"steady": 40, "total": 60}, others=20) == expected
