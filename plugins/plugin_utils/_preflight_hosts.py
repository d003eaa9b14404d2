# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judge what the hosts reported."""

from __future__ import annotations

import typing as t

from ansible_collections.slipway.stack.plugins.plugin_utils import _preflight_capacity as capacity
from ansible_collections.slipway.stack.plugins.plugin_utils import _preflight_database as database
from ansible_collections.slipway.stack.plugins.plugin_utils import _preflight_host as rules
from ansible_collections.slipway.stack.plugins.plugin_utils._preflight_inventory import Inventory
from ansible_collections.slipway.stack.plugins.plugin_utils._preflight_report import Report
from ansible_collections.slipway.stack.plugins.plugin_utils._preflight_variables import demand_of, planned


def judge_host(inventory: Inventory, report: Report, host: str, probe_name: str, keeps_postgres: bool) -> None:
    """Judge one host by its facts and its probe."""
    facts = inventory.value(host, "ansible_facts")
    probe = inventory.value(host, probe_name)
    problem = rules.distribution_problem(facts["distribution"], facts["distribution_major_version"])
    if problem:
        report.problem(problem, host)
    app = inventory.groups["app"][0]
    processes = planned(inventory, app)
    runs_app = host in inventory.groups["app"]
    if runs_app:
        _judge_application(inventory, report, host, processes, probe)
    memory = int(facts["memtotal_mb"])
    demand = demand_of(inventory, app, processes)
    if host in inventory.groups["postgres"]:
        if problem := capacity.pool_problem(demand, memory):
            report.problem(problem, host)
        _judge_database(inventory, report, host, demand, probe["postgres"], keeps_postgres)
    services = _services(inventory, host, demand, probe["applications"])
    rows = capacity.memory_table(processes, int(facts["processor_vcpus"]), services, runs_app)
    if problem := capacity.memory_problem(rows, memory):
        report.problem(problem, host)
    report.capacity["connections"] = demand["total"]
    report.capacity.setdefault("memory", {})[host] = {
        "steady_mb": round(sum(row[1] for row in rows)),
        "peak_mb": round(sum(row[2] for row in rows)),
        "total_mb": memory,
    }


def _judge_application(
    inventory: Inventory,
    report: Report,
    host: str,
    processes: list[dict[str, t.Any]],
    probe: t.Mapping[str, t.Any],
) -> None:
    root = str(inventory.value(host, "app_root"))
    ports = {port for process in processes for slot in process["ports"].values() for port in slot}
    name = inventory.value(host, "app_name")
    problems: list[str | None] = [
        *rules.application_problems(name, root, ports, probe["applications"], probe["listening"]),
        rules.disk_problem(root, probe["free_mb"]),
        rules.python_problem(
            str(inventory.value(host, "app_python") or ""),
            probe["python"],
            bool(inventory.value(host, "app_python_download")),
        ),
    ]
    for problem in filter(None, problems):
        report.problem(problem, host)


def _judge_database(
    inventory: Inventory,
    report: Report,
    host: str,
    demand: t.Mapping[str, t.Any],
    server: t.Mapping[str, t.Any],
    keeps_postgres: bool,
) -> None:
    client = inventory.value(host, "postgres_client")
    others = {name: needs for name, needs in server["needs"].items() if name != client}
    own = {
        "max_connections": inventory.value(host, "postgres_max_connections"),
        "settings": inventory.value(host, "postgres_settings"),
    }
    for problem in database.limit_problems(demand, own, others):
        report.problem(problem, host)
    shortage = database.running_shortage(demand, int(server["max_connections"]), others)
    restart = "ansible-playbook slipway.stack.site -e postgres_restart=true"
    if shortage and keeps_postgres:
        report.problem(
            f"{shortage}: run {restart} when a short interruption is acceptable, or lower app_database_pool, "
            "app_database_overflow or the processes' workers and count.",
            host,
        )
    elif shortage and not inventory.value(host, "postgres_restart"):
        report.note(f"{host}: {shortage}: run {restart} when a short interruption is acceptable.")


def _services(
    inventory: Inventory, host: str, demand: t.Mapping[str, t.Any], applications: t.Mapping[str, t.Any]
) -> dict[str, float]:
    """Return what runs on a host beside the application, in MB."""
    services: dict[str, float] = {}
    if host in inventory.groups["postgres"]:
        # shared_buffers are a share of what is there; what comes on top is the backends that are busy at once
        services["postgres"] = demand["total"] * capacity.BACKEND_MB / 2
    if host in inventory.groups["redis"]:
        for instance in inventory.value(host, "redis_instances"):
            services[f"redis {instance['name']}"] = capacity.megabytes(instance["maxmemory"])
    for name, other in applications.items():
        if name != inventory.value(host, "app_name"):
            services[f"application {name}"] = float(other.get("memory_mb", 0))
    return services
