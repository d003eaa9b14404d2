# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the variables of an inventory mean together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from ansible.errors import AnsibleError

from ansible_collections.slipway.stack.plugins.plugin_utils import _preflight_variables as rules
from ansible_collections.slipway.stack.plugins.plugin_utils._preflight_report import Report

InventoryOf = Callable[..., Any]


def caused_by(cause: Exception) -> AnsibleError:
    error = AnsibleError("the template failed")
    error.__cause__ = cause
    return error


def test_processes_that_contradict_themselves_are_named_once(inventory_of: InventoryOf) -> None:
    cause = caused_by(ValueError("app_processes[web].count is 11: set it from 1 to 10"))
    specs: dict[str, Any] = {"app": {"app_site": {"type": "dict"}}, "ufw": {"ufw_rules": {"type": "list"}}}
    inventory = inventory_of(given={"app_site": cause, "ufw_rules": cause}, options=specs)
    report = Report(["one", "two"])
    for role in specs:
        rules._judge_spec(inventory, report, "one", role)
    assert report.problems == ["app_processes[web].count is 11: set it from 1 to 10."]


def test_what_else_cannot_be_worked_out_is_named_with_its_host(inventory_of: InventoryOf) -> None:
    inventory = inventory_of(
        given={"app_site": caused_by(ValueError("no address"))}, options={"app": {"app_site": {"type": "dict"}}}
    )
    report = Report(["one", "two"])
    rules._judge_spec(inventory, report, "one", "app")
    assert report.problems == ["one: app_site can't be worked out: no address."]


def test_a_limit_that_cannot_be_read_is_refused_before_any_host_is_reached(inventory_of: InventoryOf) -> None:
    (problem,) = judged(inventory_of({"app_processes": [WEB | {"memory_max": "50%"}]}, DATABASE))
    assert problem.startswith("app_processes[web].memory_max is '50%'")


# --- connections

DATABASE = {"app_database_pool": 5, "app_database_overflow": 10, "app_name": "shop", "app_port": 8000}
WEB = {"name": "web", "module": "a:b", "workers": 4}


def judged(inventory: Any) -> list[str]:
    report = Report(["one"])
    rules._judge_processes(inventory, report, "one")
    return report.problems


@pytest.mark.parametrize(
    ("limit", "name"),
    [
        ({"postgres_max_connections": 129}, "postgres_max_connections is 129"),
        ({"postgres_settings": {"max_connections": 129}}, "postgres_settings.max_connections is 129"),
        ({"postgres_connections": 129}, "postgres_connections is 129"),
    ],
)
def test_no_limit_of_the_server_may_be_below_the_sum(
    inventory_of: InventoryOf, limit: dict[str, Any], name: str
) -> None:
    enough = {"postgres_connections": 130, "postgres_max_connections": 0}
    assert judged(inventory_of(enough | {"app_processes": [WEB]}, DATABASE)) == []
    (problem,) = judged(inventory_of(enough | {"app_processes": [WEB]} | limit, DATABASE))
    assert f"{name}, but 130 connections may be open at once" in problem


def test_workers_that_the_environment_adds_need_their_connections(inventory_of: InventoryOf) -> None:
    given = {"app_processes": [WEB], "app_environment": {"WEB_CONCURRENCY": 8}, "postgres_connections": 130}
    (problem,) = judged(inventory_of(given, DATABASE))
    assert "set postgres_connections to at least 250" in problem


def test_a_managed_database_allows_what_the_user_says(inventory_of: InventoryOf) -> None:
    groups = {"app": ["one"], "nginx": ["one"], "postgres": [], "redis": []}
    given = {"app_processes": [WEB], "app_database_url": "postgresql://x/y", "app_database_max_connections": 100}
    (problem,) = judged(inventory_of(given, DATABASE, groups))
    assert "app_database_max_connections is 100, but 130" in problem
    assert judged(inventory_of(given | {"app_database_max_connections": 0}, DATABASE, groups)) == []


# --- services


def test_a_service_without_hosts_is_one_of_a_group_or_of_a_url(inventory_of: InventoryOf) -> None:
    given = {"app_processes": [{"name": "job", "command": "celery -A app worker"}], "app_migrate": "alembic"}
    problems = judged(inventory_of(given, DATABASE, {"app": ["one"], "nginx": [], "postgres": [], "redis": []}))
    assert [problem.partition(",")[0] for problem in problems] == [
        "app_processes[job] runs celery",
        "app_migrate is alembic",
    ]
    assert judged(inventory_of(given, DATABASE)) == []
    managed = {"app_database_url": "postgresql://x/y", "app_redis_url": "redis://x"}
    assert (
        judged(
            inventory_of(
                given | managed, DATABASE, {group: [] for group in ("nginx", "postgres", "redis")} | {"app": ["one"]}
            )
        )
        == []
    )


# --- notes


def test_what_replaced_workers_cost_is_noted_and_stops_nothing(inventory_of: InventoryOf) -> None:
    given = {"app_processes": [WEB], "app_environment": {"GUNICORN_MAX_REQUESTS": 1000}}
    report = Report(["one"])
    rules._judge_processes(inventory_of(given, DATABASE), report, "one")
    result = report.result("the inventory")
    assert (result["problems"], len(result["notes"])) == ([], 1)
    assert "GUNICORN_MAX_REQUESTS" in result["notes"][0]


# --- load


def test_a_load_that_needs_a_pooler_is_told_so_and_not_that_the_server_is_too_small(inventory_of: InventoryOf) -> None:
    given = {"app_load": "very_heavy", "app_processes": [WEB], "postgres_max_connections": 100}
    (problem,) = judged(inventory_of(given, DATABASE))
    assert "app_load is very_heavy" in problem
    own = {"app_database_pool": 10, "app_database_overflow": 10}
    (problem,) = judged(inventory_of(given | own, DATABASE))
    assert "postgres_max_connections is 100" in problem


def test_a_pooler_carries_what_the_server_would_not(inventory_of: InventoryOf) -> None:
    given = {"app_load": "very_heavy", "app_database_pooler": "pgbouncer", "app_processes": [WEB]}
    pooled = {"app_database_pool": 100, "app_database_overflow": 200, "wired_shared_connections": 90}
    assert judged(inventory_of(given | pooled | {"postgres_max_connections": 100}, DATABASE)) == []
    (problem,) = judged(inventory_of(given | pooled | {"postgres_max_connections": 80}, DATABASE))
    assert "set postgres_max_connections to at least 100" in problem
    (problem,) = judged(inventory_of(given | pooled | {"pgbouncer_max_client_conn": 50}, DATABASE))
    assert "pgbouncer_max_client_conn is 50" in problem


def test_a_load_that_nobody_knows_is_named_once(inventory_of: InventoryOf) -> None:
    cause = caused_by(ValueError("app_load is 'huge': set it to one of light"))
    inventory = inventory_of({"app_site": cause}, options={"app": {"app_site": {"type": "dict"}}})
    report = Report(["one", "two"])
    rules._judge_spec(inventory, report, "one", "app")
    assert report.problems == ["app_load is 'huge': set it to one of light."]
