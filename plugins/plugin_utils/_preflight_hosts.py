# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judge what the hosts reported."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleError

from ansible_collections.slipway.stack.plugins.plugin_utils import _preflight_capacity as capacity
from ansible_collections.slipway.stack.plugins.plugin_utils import _preflight_database as database
from ansible_collections.slipway.stack.plugins.plugin_utils import _preflight_host as rules
from ansible_collections.slipway.stack.plugins.plugin_utils._memory import megabytes
from ansible_collections.slipway.stack.plugins.plugin_utils._preflight_inventory import Inventory
from ansible_collections.slipway.stack.plugins.plugin_utils._preflight_report import Report
from ansible_collections.slipway.stack.plugins.plugin_utils._preflight_table import (
    DatabaseUse,
    HostUse,
    capacity_table,
)
from ansible_collections.slipway.stack.plugins.plugin_utils._preflight_variables import (
    application_memory,
    demand_of,
    innermost,
    planned,
    server_demand_of,
)

# The least that the role gives a server.
MINIMUM_CONNECTIONS = 20


def judge_hosts(
    inventory: Inventory, report: Report, hosts: t.Sequence[str], probe_name: str, keeps_postgres: bool
) -> None:
    """Judge all hosts, and sum up who gets how much."""
    uses = [judge_host(inventory, report, host, probe_name, keeps_postgres) for host in hosts]
    known = [use for use in uses if use]
    app = inventory.groups["app"][0]
    demand = server_demand_of(inventory, app, planned(inventory, app))
    report.capacity = {
        "connections": demand["total"],
        "memory": {
            use.name: {
                "steady_mb": round(sum(row[1] for row in use.rows)),
                "peak_mb": round(sum(row[2] for row in use.rows)),
                "total_mb": use.memory_mb,
            }
            for use in known
        },
        "table": capacity_table(known, _database_use(inventory, app, demand, probe_name)),
    }


def _database_use(inventory: Inventory, app: str, demand: t.Mapping[str, t.Any], probe_name: str) -> DatabaseUse | None:
    """Sum up the database; None where there is none, or where its host isn't part of the run."""
    sums = {"steady": int(demand["steady"]), "peak": int(demand["total"]), "reserved": int(demand["reserved"])}
    if not inventory.groups["postgres"]:
        allowed = int(inventory.value(app, "app_database_max_connections") or 0)
        managed = inventory.value(app, "app_database_url")
        return DatabaseUse("the managed database", **sums, others=0, allowed=allowed) if managed else None
    host = inventory.groups["postgres"][0]
    probe = inventory.value(host, probe_name)
    if not probe:
        return None
    others = _others(inventory, host, probe["postgres"])
    beside = database.connections_of(others)
    explicit = database.limits_of({"": _own_limits(inventory, host), **others})
    allowed = max(explicit.values(), default=max(sums["peak"] + beside, MINIMUM_CONNECTIONS))
    sums |= {"steady": sums["steady"] + beside, "peak": sums["peak"] + beside}
    return DatabaseUse(
        f"PostgreSQL on {host}", **sums, others=beside, allowed=allowed, clients=int(demand.get("clients", 0))
    )


def _judge_roles(inventory: Inventory, report: Report, host: str) -> bool:
    """Ask each role of a host whether its variables agree with each other; False where one doesn't."""
    found, published = [], []
    for role in inventory.roles_of(host):
        try:
            found += inventory.private(host, role, f"__{role}_problems")
            if role == "app" and host == inventory.groups["app"][0]:
                published = inventory.private(host, role, "__app_published")
        except AnsibleError as error:
            found.append(f"the variables of the role {role} can't be worked out: {innermost(error)}.")
    for problem in found:
        report.problem(problem, host)
    if published:
        report.hint(
            f"{', '.join(published)} in app_build_environment or app_build_commands holds a secret, and what a front end is "
            "built with is in the pages that every visitor gets: take it out, and change that secret."
        )
    return not found


def judge_host(
    inventory: Inventory, report: Report, host: str, probe_name: str, keeps_postgres: bool
) -> HostUse | None:
    """Judge one host by its facts and its probe; return what is taken of it, where that can be worked out."""
    facts = inventory.value(host, "ansible_facts")
    probe = inventory.value(host, probe_name)
    problem = rules.distribution_problem(facts["distribution"], facts["distribution_major_version"])
    if problem:
        report.problem(problem, host)
    if not _judge_roles(inventory, report, host):
        return None
    app = inventory.groups["app"][0]
    processes = planned(inventory, app)
    runs_app = host in inventory.groups["app"]
    if runs_app:
        _judge_application(inventory, report, host, processes, probe)
    if host in inventory.groups["nginx"]:
        names = inventory.value(host, "nginx_server_names") or []
        for problem in rules.domain_problems(inventory.value(host, "nginx_site"), names, probe["sites"]):
            report.problem(problem, host)
    memory = int(facts["memtotal_mb"])
    demand = server_demand_of(inventory, app, processes)
    if host in inventory.groups["postgres"]:
        if problem := capacity.pool_problem(demand, memory):
            report.problem(problem, host)
        _judge_database(inventory, report, host, demand, probe["postgres"], keeps_postgres)
    try:
        services = _services(inventory, host, demand, probe)
    except (AnsibleError, ValueError) as error:
        report.problem(f"the memory of the services can't be worked out: {innermost(error)}.", host)
        return None
    own = application_memory(inventory, host, processes, int(facts["processor_vcpus"])) if runs_app else {"parts": []}
    rows = capacity.memory_table(services, own["parts"])
    if problem := capacity.memory_problem(rows, memory):
        report.problem(problem, host)
    return HostUse(host, memory, rows, _connections_of(inventory, host, processes) if runs_app else {})


def _connections_of(inventory: Inventory, host: str, processes: list[dict[str, t.Any]]) -> dict[str, tuple[int, int]]:
    """Return the connections that each process may open from one host, in steady state and while two slots run."""
    if not inventory.groups["postgres"] and not inventory.value(host, "app_database_url"):
        return {}
    singletons = inventory.value(host, "app_runs_singletons")
    here = [process for process in processes if singletons or process["kind"] in ("routed", "worker")]
    parts = demand_of(inventory, host, here, hosts=1)["parts"]
    return {part["name"]: (part["steady"], part["connections"]) for part in parts}


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
        *rules.application_problems(
            name, root, str(inventory.value(host, "app_user")), ports, probe["applications"], probe["listening"]
        ),
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
    others = _others(inventory, host, server)
    own = _own_limits(inventory, host)
    databases, users = (
        [entry["name"] for entry in inventory.value(host, name) or []]
        for name in ("postgres_databases", "postgres_users")
    )
    for problem in [
        *database.name_problems(databases, users, others),
        *database.limit_problems(demand, own, others),
    ]:
        report.problem(problem, host)
    shortage = database.running_shortage(demand, int(server["max_connections"]), others)
    restart = "ansible-playbook slipway.stack.site -e postgres_restart=true"
    deaf = database.deaf_problem(
        inventory.value(host, "postgres_listen_addresses") or [], server["listen_addresses"], restart
    )
    may_restart = inventory.value(host, "postgres_restart") and not keeps_postgres
    port = database.port_problem(int(inventory.value(host, "app_database_port")))
    cluster = database.cluster_problem(
        str(inventory.private(host, "postgres", "__postgres_version")), server["clusters"]
    )
    for sentence in filter(None, (port, cluster, None if may_restart else deaf)):
        report.problem(sentence, host)
    if shortage and keeps_postgres:
        report.problem(
            f"{shortage}: run {restart} when a short interruption is acceptable, or lower app_database_pool, "
            "app_database_overflow or the processes' workers and count.",
            host,
        )
    elif shortage and not inventory.value(host, "postgres_restart"):
        report.note(f"{host}: {shortage}: run {restart} when a short interruption is acceptable.")


def _services(
    inventory: Inventory, host: str, demand: t.Mapping[str, t.Any], probe: t.Mapping[str, t.Any]
) -> list[capacity.Row]:
    """Return what runs on a host beside the application, in MB."""
    services: list[capacity.Row] = []
    if host in inventory.groups["postgres"]:
        services.append(_postgres(inventory, host, demand, _others(inventory, host, probe["postgres"])))
    if host in inventory.groups["redis"]:
        for instance in inventory.value(host, "redis_instances"):
            size = megabytes(instance["maxmemory"])
            services.append((f"redis {instance['name']}", size, size))
    for name, other in probe["applications"].items():
        if name != inventory.value(host, "app_name"):
            size = float(other.get("memory_mb", 0))
            services.append((f"application {name}", size, size))
    return services


def _own_limits(inventory: Inventory, host: str) -> dict[str, t.Any]:
    return {
        "max_connections": inventory.value(host, "postgres_max_connections"),
        "settings": inventory.value(host, "postgres_settings"),
    }


def _others(inventory: Inventory, host: str, server: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return what other applications need of a PostgreSQL server."""
    client = inventory.value(host, "postgres_client")
    return {name: needs for name, needs in server["needs"].items() if name != client}


def _postgres(
    inventory: Inventory, host: str, demand: t.Mapping[str, t.Any], others: t.Mapping[str, t.Any]
) -> capacity.Row:
    """Ask the role's own variables what the server's memory will be."""
    own = inventory.private(host, "postgres", "__postgres_needs")
    fragments = {"merged": {inventory.value(host, "postgres_client"): own, **others}}

    def role(name: str) -> t.Any:
        return inventory.private(host, "postgres", name, __postgres_fragment=fragments)

    given = {setting["key"]: setting["value"] for setting in role("__postgres_all_settings")}
    size = str(given.get("shared_buffers") or f"{role('__postgres_shared_buffers_mb')}MB")
    # A plain number is one of pages.
    shared = int(size) * 8 / 1024 if size.isdecimal() else megabytes(size)
    limit = megabytes(role("__postgres_memory_max"))
    return capacity.postgres_memory(shared, limit, demand, database.connections_of(others))
