# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is said of hosts by what they reported."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.slipway.stack.plugins.plugin_utils._preflight_hosts import judge_hosts
from ansible_collections.slipway.stack.plugins.plugin_utils._preflight_report import Report

InventoryOf = Callable[..., Any]

DEFAULTS: dict[str, Any] = {
    "app_name": "shop",
    "app_port": 8000,
    "app_root": "/srv/shop",
    "app_database_pool": 5,
    "app_database_overflow": 10,
    "app_processes": [{"name": "web", "module": "a:b", "workers": 4}],
    "app_runs_singletons": True,
    "app_user": "shop",
    "app_database_port": 5432,
    "nginx_site": "shop",
    "nginx_server_names": ["shop.example"],
    "postgres_client": "shop",
    "postgres_databases": [{"name": "shop"}],
    "postgres_users": [{"name": "shop"}],
    "__postgres_needs": {},
    "__postgres_version": "15",
    "__postgres_all_settings": [],
    "__postgres_shared_buffers_mb": 1024,
    "__postgres_memory_max": "",
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
    "sites": {},
    "postgres": {"max_connections": 0, "listen_addresses": "", "needs": {}, "clusters": {}},
}


@pytest.fixture
def judged(inventory_of: InventoryOf) -> Callable[..., Report]:
    """judged(VALUES, PROBE, keeps_postgres): what is said of one host that is everything."""

    def judge(
        given: dict[str, Any] | None = None, probe: dict[str, Any] | None = None, keeps_postgres: bool = False
    ) -> Report:
        report = Report(["one"])
        values = {"probe": PROBE | (probe or {})} | (given or {})
        judge_hosts(inventory_of(values, DEFAULTS), report, ["one"], "probe", keeps_postgres)
        return report

    return judge


def test_a_good_host_has_no_problem(judged: Callable[..., Report]) -> None:
    assert judged().problems == []


def test_what_a_role_finds_in_its_variables_is_told_before_anything_is_changed(judged: Callable[..., Report]) -> None:
    given = {"__app_problems": ["app_name is 'my_shop': set it to letters."], "__app_published": ["VITE_SECRET"]}
    report = judged(given)
    assert report.problems == ["app_name is 'my_shop': set it to letters."]
    assert "VITE_SECRET in app_build_environment" in report.result("it")["hints"][0]


def test_a_server_that_other_hosts_could_not_reach_is_told(judged: Callable[..., Report]) -> None:
    wanted = {"postgres_listen_addresses": ["localhost", "10.0.0.12"]}
    deaf = {"postgres": {"max_connections": 0, "listen_addresses": "localhost", "needs": {}, "clusters": {}}}
    (problem,) = judged(wanted, deaf).problems
    assert (
        "other hosts are to reach it at 10.0.0.12: run ansible-playbook slipway.stack.site -e postgres_restart"
        in problem
    )
    assert judged(wanted | {"postgres_restart": True}, deaf).problems == []
    for listened in ("localhost, 10.0.0.12", "*", ""):
        heard = {"postgres": {"max_connections": 0, "listen_addresses": listened, "needs": {}, "clusters": {}}}
        assert judged(wanted, heard).problems == []


def test_another_port_is_refused_where_the_role_makes_the_server(judged: Callable[..., Report]) -> None:
    (problem,) = judged({"app_database_port": 5433}).problems
    assert problem.startswith("app_database_port is 5433, but the servers in the group postgres listen on 5432")


@pytest.mark.parametrize(
    ("clusters", "said"),
    [
        ({"15/main": 5432}, ""),
        ({"13/main": 5433, "15/main": 5432}, ""),
        (
            {"13/main": 5432},
            "set postgres_version to \"13\" to keep it, or move its data with 'pg_upgradecluster -v 15 13 main'",
        ),
        (
            {"15/mine": 5432},
            "15/mine of this host has port 5432, and 15/main would be made beside it, without its data: give it another",
        ),
    ],
)
def test_a_server_is_not_made_beside_one_that_may_have_the_data(
    judged: Callable[..., Report], clusters: dict[str, int], said: str
) -> None:
    problems = judged(probe={"postgres": PROBE["postgres"] | {"clusters": clusters}}).problems
    assert len(problems) == bool(said)
    assert said in "".join(problems)


# --- what the server allows that runs

SMALL = {
    "postgres": {
        "max_connections": 100,
        "listen_addresses": "localhost",
        "needs": {"shop": {"connections": 90}, "blog": {"connections": 20}},
        "clusters": {"15/main": 5432},
    }
}


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


# --- memory


def peak(report: Report) -> int:
    return int(report.capacity["memory"]["one"]["peak_mb"])


# 256 for the system, 256 for Redis, 4 workers of 150 MB in two slots.
REST = 256 + 256 + 1200


def test_memory_counts_postgresqls_shared_buffers_and_every_applications_connections(
    judged: Callable[..., Report],
) -> None:
    assert peak(judged()) == REST + 1024 + 130 * 5
    assert peak(judged(probe=SMALL)) == REST + 1024 + 150 * 5


@pytest.mark.parametrize(("size", "expected"), [("2GB", 2048), ("131072", 1024)])
def test_shared_buffers_may_be_set(judged: Callable[..., Report], size: str, expected: int) -> None:
    given = {"__postgres_all_settings": [{"key": "shared_buffers", "value": size}]}
    assert peak(judged(given)) == REST + expected + 130 * 5


def test_the_role_is_told_the_needs_of_all_applications(judged: Callable[..., Report]) -> None:
    def buffers(**registered: dict[str, Any]) -> int:
        return 512 * len(registered["__postgres_fragment"]["merged"])

    assert peak(judged({"__postgres_shared_buffers_mb": buffers}, SMALL)) == REST + 2 * 512 + 150 * 5


def test_other_applications_take_what_they_left_word_of(judged: Callable[..., Report]) -> None:
    others = {"applications": {"blog": {"ports": [8100], "memory_mb": 700}, "shop": {"memory_mb": 1200}}}
    assert peak(judged(probe=others)) == peak(judged()) + 700


def test_a_limit_without_which_the_application_would_take_more_counts(judged: Callable[..., Report]) -> None:
    assert peak(judged({"app_memory_max": "200M"})) == REST - 1200 + 2 * 200 + 1024 + 130 * 5


def test_a_size_that_cannot_be_read_is_a_problem_of_the_host(judged: Callable[..., Report]) -> None:
    (problem,) = judged({"redis_instances": [{"name": "shop-cache", "maxmemory": "lots"}]}).problems
    assert problem == ("the memory of the services can't be worked out: 'lots' is no size: write it like 512M or 2G.")


# --- names


def test_the_names_of_another_application_are_refused(judged: Callable[..., Report]) -> None:
    blog = {"connections": 20, "databases": ["shop"], "users": ["blog"]}
    problems = judged(
        probe={
            "applications": {"blog": {"user": "shop"}},
            "sites": {"blog": ["shop.example"]},
            "postgres": {"max_connections": 0, "listen_addresses": "", "needs": {"blog": blog}, "clusters": {}},
        }
    ).problems
    assert [problem.partition(",")[0] for problem in problems[:2]] == [
        "app_user is shop",
        "app_domain or app_aliases holds shop.example",
    ]
    assert problems[2].startswith("shop is already a database of the application blog")


# --- the table


def table(report: Report) -> list[str]:
    return [line.strip() for line in report.capacity["table"]]


def test_a_table_says_who_gets_how_much(judged: Callable[..., Report]) -> None:
    lines = table(judged(probe=SMALL))
    assert lines[0].split() == ["one", "MB", "two", "slots", "connections", "two", "slots"]
    assert [line.split() for line in lines if line.startswith("web")] == [["web", "600", "1200", "60", "120"]]
    assert lines[-1] == (
        "PostgreSQL on one: 90 connections, 150 while two slots run (10 of them in reserve, 20 for other applications); it is "
        "to allow 150."
    )


def test_a_limit_that_takes_the_place_of_the_sum_is_what_is_allowed(judged: Callable[..., Report]) -> None:
    assert table(judged({"postgres_max_connections": 300}))[-1].endswith("it is to allow 300.")


def test_what_runs_once_has_its_connections_where_it_runs(judged: Callable[..., Report]) -> None:
    processes = [*DEFAULTS["app_processes"], {"name": "beat", "command": "beat", "singleton": True}]
    beat = [line.split() for line in table(judged({"app_processes": processes})) if line.startswith("beat")]
    assert beat == [["beat", "150", "150", "2", "2"]]
    elsewhere = judged({"app_processes": processes, "app_runs_singletons": False})
    assert not [line for line in table(elsewhere) if line.startswith("beat")]


def test_a_host_whose_services_cannot_be_summed_up_is_left_out(judged: Callable[..., Report]) -> None:
    report = judged({"redis_instances": [{"name": "shop-cache", "maxmemory": "lots"}]})
    assert len(table(report)) == 1
