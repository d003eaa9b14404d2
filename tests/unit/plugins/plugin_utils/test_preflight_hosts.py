# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is said of hosts by what they reported."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.slipway.stack.plugins.plugin_utils._preflight_hosts import judge_host
from ansible_collections.slipway.stack.plugins.plugin_utils._preflight_report import Report

InventoryOf = Callable[..., Any]

DEFAULTS: dict[str, Any] = {
    "app_name": "shop",
    "app_port": 8000,
    "app_root": "/srv/shop",
    "app_database_pool": 5,
    "app_database_overflow": 10,
    "app_processes": [{"name": "web", "module": "a:b", "workers": 4}],
    "postgres_client": "shop",
    "redis_instances": [{"name": "shop-cache", "maxmemory": "256mb"}],
    "ansible_facts": {
        "distribution": "Debian",
        "distribution_major_version": "12",
        "memtotal_mb": 8192,
        "processor_vcpus": 2,
    },
}
PROBE: dict[str, Any] = {
    "applications": {},
    "listening": [],
    "free_mb": 50000,
    "python": {"system": "3.11", "installed": True, "candidate": False},
    "packages": [],
    "postgres": {"max_connections": 0, "needs": {}},
}


@pytest.fixture
def judged(inventory_of: InventoryOf) -> Callable[..., Report]:
    """judged(VALUES, PROBE, keeps_postgres): what is said of one host that is everything."""

    def judge(
        given: dict[str, Any] | None = None, probe: dict[str, Any] | None = None, keeps_postgres: bool = False
    ) -> Report:
        report = Report(["one"])
        values = {"probe": PROBE | (probe or {})} | (given or {})
        judge_host(inventory_of(values, DEFAULTS), report, "one", "probe", keeps_postgres)
        return report

    return judge


def test_a_good_host_has_no_problem(judged: Callable[..., Report]) -> None:
    assert judged().problems == []


# --- what the server allows that runs

SMALL = {"postgres": {"max_connections": 100, "needs": {"shop": {"connections": 90}, "blog": {"connections": 20}}}}


def test_a_rollout_is_refused_while_the_server_allows_too_little(judged: Callable[..., Report]) -> None:
    (problem,) = judged(probe=SMALL, keeps_postgres=True).problems
    assert "allows 100 connections until it is restarted, but 150 may be open" in problem
    assert "run ansible-playbook slipway.stack.site -e postgres_restart=true" in problem


def test_the_site_says_that_the_server_needs_a_restart(judged: Callable[..., Report]) -> None:
    report = judged(probe=SMALL)
    assert report.problems == []
    (note,) = report.result("the hosts")["notes"]
    assert note.startswith("one: PostgreSQL on this host allows 100 connections until it is restarted, but 150")


def test_nothing_is_said_where_the_site_restarts_it(judged: Callable[..., Report]) -> None:
    result = judged({"postgres_restart": True}, SMALL).result("the hosts")
    assert (result["problems"], result["notes"]) == ([], [])


def test_a_limit_below_what_all_applications_need_is_refused(judged: Callable[..., Report]) -> None:
    (problem,) = judged({"postgres_max_connections": 140}, SMALL).problems
    assert "postgres_max_connections is 140, but 150 connections" in problem
