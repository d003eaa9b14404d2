# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judge what the controller knows without reaching a host."""

from __future__ import annotations

import datetime
import os
import typing as t

from ansible.errors import AnsibleError, AnsibleUndefinedVariable

from ansible_collections.slipway.stack.plugins.module_utils._processes import connection_demand, plan
from ansible_collections.slipway.stack.plugins.plugin_utils._memory import memory_demand
from ansible_collections.slipway.stack.plugins.plugin_utils._preflight_backup import backup_problems
from ansible_collections.slipway.stack.plugins.plugin_utils._preflight_capacity import connection_problem
from ansible_collections.slipway.stack.plugins.plugin_utils._preflight_certificate import certificate_problems
from ansible_collections.slipway.stack.plugins.plugin_utils._preflight_inventory import Inventory
from ansible_collections.slipway.stack.plugins.plugin_utils._preflight_load import (
    clients_problem,
    missing_server_problem,
    pooler_problem,
)
from ansible_collections.slipway.stack.plugins.plugin_utils._preflight_recycling import recycling_note
from ansible_collections.slipway.stack.plugins.plugin_utils._preflight_report import Report, undefined_name
from ansible_collections.slipway.stack.plugins.plugin_utils._preflight_secrets import (
    environment_problems,
    secret_problem,
)
from ansible_collections.slipway.stack.plugins.plugin_utils._preflight_services import database_problem, redis_problem
from ansible_collections.slipway.stack.plugins.plugin_utils._preflight_spec import likely_typos, spec_problems
from ansible_collections.slipway.stack.plugins.plugin_utils._preflight_static import (
    hides_the_application,
    static_problems,
)
from ansible_collections.slipway.stack.plugins.plugin_utils._preflight_storage import storage_problem

PASSWORDS = ("app_database_password", "app_redis_password")


def judge_variables(inventory: Inventory, report: Report, playbooks: t.Iterable[str]) -> None:
    """Judge groups, names, argument specs; and, once these pass, what the values mean together."""
    if not inventory.groups["app"]:
        report.problem("the group app has no hosts: name the hosts that run the application under it in the inventory.")
    for name in inventory.lost_names():
        report.problem(
            f"{name} is set for all hosts, where the wiring of the roles outranks it: set it for a group (such as "
            f"{name.partition('_')[0]}) or for a host instead."
        )
    if inventory.ignored_group_vars(playbooks):
        report.problem(
            "group_vars beside your playbook isn't read by a playbook that is imported from a collection: move the "
            "folder beside the inventory."
        )
    for host in inventory.hosts:
        for role in inventory.roles_of(host):
            _judge_spec(inventory, report, host, role)
        for hint in likely_typos(inventory.defined(host), inventory.known, inventory.options):
            report.hint(hint)
    if report.problems:
        return
    app = inventory.groups["app"][0]
    _judge_secrets(inventory, report, app)
    _judge_processes(inventory, report, app)
    _judge_storage(inventory, report, app)
    if inventory.backup_host:
        _judge_backup(inventory, report, inventory.backup_host)
    if inventory.groups["nginx"]:
        _judge_static(inventory, report, app)
        _judge_certificate(inventory, report, inventory.groups["nginx"][0])


def _judge_spec(inventory: Inventory, report: Report, host: str, role: str) -> None:
    values: dict[str, t.Any] = {}
    options = dict(inventory.options[role])
    for name in inventory.defined(host).intersection(options):
        try:
            values[name] = inventory.value(host, name)
        except AnsibleUndefinedVariable as error:
            del options[name]
            report.problem(_missing(inventory, undefined_name(str(error)), name), host)
        except AnsibleError as error:
            del options[name]
            _say_why(report, name, innermost(error), host)
    for problem in spec_problems(options, values):
        report.problem(problem, host)


def _say_why(report: Report, name: str, cause: BaseException, host: str) -> None:
    """Say why a variable can't be worked out; only once where many can't for what is wrong with another."""
    if str(cause).startswith(("app_processes[", "app_load ")):
        report.problem(f"{cause}.")
    else:
        report.problem(f"{name} can't be worked out: {cause}.", host)


def _missing(inventory: Inventory, missing: str | None, needed_for: str) -> str:
    if missing is None:
        return f"{needed_for} refers to a variable that isn't set: set it in the inventory."
    purpose = inventory.description(missing) or f"{needed_for} refers to it."
    return f"{missing} is required but isn't set: {purpose} Set it in the inventory."


def innermost(error: BaseException) -> BaseException:
    """Return the cause that says what is wrong, without where in Ansible it came up."""
    while error.__cause__ is not None:
        error = error.__cause__
    return error


def _judge_secrets(inventory: Inventory, report: Report, host: str) -> None:
    environment, secrets = (inventory.value(host, name) or {} for name in ("app_environment", "app_secrets"))
    passwords = [
        secret_problem(name, inventory.value(host, name)) for name in PASSWORDS if name in inventory.defined(host)
    ]
    for problem in filter(None, [*environment_problems(environment, secrets), *passwords]):
        report.problem(problem)


def demand_of(inventory: Inventory, host: str, processes: list[dict[str, t.Any]], hosts: int = 0) -> dict[str, t.Any]:
    """Sum what the whole fleet, or so many of its hosts, opens to the database, or to the pooler before it."""
    return _demand(inventory, host, processes, hosts, 0)


def server_demand_of(inventory: Inventory, host: str, processes: list[dict[str, t.Any]]) -> dict[str, t.Any]:
    """Sum what PostgreSQL is asked for: by the whole fleet, or by the pooler before it."""
    return _demand(inventory, host, processes, 0, int(inventory.value(host, "wired_shared_connections") or 0))


def _demand(
    inventory: Inventory, host: str, processes: list[dict[str, t.Any]], hosts: int, shared: int
) -> dict[str, t.Any]:
    reads_elsewhere = "app_database_read_url" in inventory.defined(host)
    return connection_demand(
        processes,
        hosts or len(inventory.groups["app"]),
        int(inventory.value(host, "app_database_pool")),
        int(inventory.value(host, "app_database_overflow")),
        shared,
        0 if reads_elsewhere else int(inventory.value(host, "app_database_read_pool") or 0),
    )


def application_memory(
    inventory: Inventory, host: str, processes: list[dict[str, t.Any]], cores: int = 0
) -> dict[str, t.Any]:
    """Estimate the application's memory on a host; raises ValueError for a limit that can't be read."""
    limit = str(inventory.value(host, "app_memory_max") or "")
    return memory_demand(processes, cores, limit, bool(inventory.value(host, "app_runs_singletons")))


def planned(inventory: Inventory, host: str) -> list[dict[str, t.Any]]:
    """Complete the application's processes; raises ValueError where they contradict themselves."""
    return plan(
        inventory.value(host, "app_processes") or [],
        inventory.value(host, "app_name"),
        int(inventory.value(host, "app_port")),
        inventory.value(host, "app_environment"),
        str(inventory.value(host, "app_load") or ""),
    )


def replacement_note(name: str, hosts: int) -> str:
    """Say what a rollout does to a process that may not run twice."""
    each = f" It runs once on each of the {hosts} hosts." if hosts > 1 else ""
    return (
        f"app_processes[{name}] may not run twice: a rollout ends the old one before it starts the new one, and requests "
        "wait meanwhile. So it gives up the health gate before the switch: whether the new one is healthy is seen only "
        f"then, and where it isn't, the old one is started again.{each}"
    )


def _judge_processes(inventory: Inventory, report: Report, host: str) -> None:
    try:
        processes = planned(inventory, host)
        application_memory(inventory, host, processes)
    except ValueError as error:
        report.problem(f"{error}.")
        return
    routed = [process["name"] for process in processes if process["kind"] == "routed"]
    if routed and not inventory.groups["nginx"]:
        report.problem(
            f"app_processes[{', '.join(routed)}] is routed, but the group nginx has no hosts: name a host under nginx "
            "in the inventory."
        )
    for process in processes:
        if process["exclusive"] and process["kind"] == "routed":
            report.note(replacement_note(process["name"], len(inventory.groups["app"])))
        if note := recycling_note(process, inventory.value(host, "app_environment") or {}):
            report.note(note)
    _judge_services(inventory, report, host, processes)
    _judge_connections(inventory, report, host, processes)


def _judge_connections(inventory: Inventory, report: Report, host: str, processes: list[dict[str, t.Any]]) -> None:
    demand = server_demand_of(inventory, host, processes)
    url = str(inventory.value(host, "app_database_url") or "")
    servers = inventory.groups["postgres"]
    pooler = str(inventory.value(host, "app_database_pooler") or "")
    pooled = bool(demand.get("shared")) or (bool(url) and not servers)
    load = str(inventory.value(host, "app_load") or "")
    problem = missing_server_problem(pooler, servers, url) or pooler_problem(
        load, inventory.defined(host), demand["total"], pooled
    )
    if problem:
        report.problem(problem)
        return
    if demand.get("shared"):
        limit = int(inventory.value(servers[0], "pgbouncer_max_client_conn") or 0)
        if too_few := clients_problem(demand, limit):
            report.problem(too_few)
    for name, limit in connection_limits(inventory, host).items():
        if too_many := connection_problem(demand, limit, name):
            report.problem(too_many)


def _judge_services(inventory: Inventory, report: Report, host: str, processes: list[dict[str, t.Any]]) -> None:
    told = {name for source in ("app_environment", "app_secrets") for name in inventory.value(host, source) or {}}
    has_files = bool(inventory.value(host, "app_files"))
    problems = []
    if not inventory.groups["redis"] and not inventory.value(host, "app_redis_url"):
        wanted = inventory.value(host, "app_redis") if "app_redis" in inventory.defined(host) else None
        password = inventory.value(host, "app_redis_password") or ""
        problems.append(redis_problem(wanted, password, processes, told, has_files))
    if not inventory.groups["postgres"] and not inventory.value(host, "app_database_url"):
        password = inventory.value(host, "app_database_password") or ""
        problems.append(database_problem(password, inventory.value(host, "app_migrate") or "", told, has_files))
    for problem in filter(None, problems):
        report.problem(problem)


def connection_limits(inventory: Inventory, host: str) -> dict[str, int]:
    """Return what the inventory says of how many connections the database allows, by variable; 0 where it says nothing."""
    if not inventory.groups["postgres"]:
        return {"app_database_max_connections": int(inventory.value(host, "app_database_max_connections") or 0)}
    server = inventory.groups["postgres"][0]
    limits = {
        name: int(inventory.value(server, name) or 0) for name in ("postgres_connections", "postgres_max_connections")
    }
    settings = inventory.value(server, "postgres_settings") or {}
    return limits | {"postgres_settings.max_connections": int(settings.get("max_connections") or 0)}


def _judge_storage(inventory: Inventory, report: Report, host: str) -> None:
    if inventory.value(host, "app_shared_storage"):
        return
    problem = storage_problem(inventory.value(host, "app_shared_directories") or [], len(inventory.groups["app"]))
    if problem:
        report.problem(problem)


def _judge_static(inventory: Inventory, report: Report, app: str) -> None:
    """What all proxies are told comes from the first, so it may not differ."""
    proxies = inventory.groups["nginx"]
    routes = [inventory.value(proxy, "nginx_routes") or [] for proxy in proxies]
    if any(others != routes[0] for others in routes):
        report.problem(
            f"nginx_routes differs between {', '.join(proxies)}: set it for the group nginx, so that every proxy has the "
            "routes of the release."
        )
    static = inventory.value(app, "app_static") or []
    for problem in static_problems(static, routes[0]):
        report.problem(problem)
    if hides_the_application(static, routes[0]):
        report.note(
            "app_static has files for every path, so only the health check reaches the application: name what it answers, "
            "as in nginx_routes: [{path: /api/}]."
        )


def _judge_backup(inventory: Inventory, report: Report, host: str) -> None:
    repositories = inventory.value(host, "backup_repositories") or []
    for problem in backup_problems(str(inventory.value(host, "backup_passphrase") or ""), repositories):
        report.problem(problem)


def _judge_certificate(inventory: Inventory, report: Report, host: str) -> None:
    given = {name: inventory.value(host, name) for name in ("nginx_certificate", "nginx_certificate_key")}
    if not any(given.values()):
        return
    contents = []
    for name, text in given.items():
        if not text:
            report.problem(
                f"{name} isn't set, but its counterpart is: set both, or neither for a self-signed certificate."
            )
            return
        path = os.path.expanduser(text)
        if "-----BEGIN" in text:
            contents.append(text.encode())
        elif os.path.exists(path):
            with open(path, "rb") as file:
                contents.append(file.read())
        else:
            report.problem(
                f"{name} names the file {text}, which isn't on the controller: give a file that is, by an absolute path or "
                "by one from where this was started."
            )
            return
    names = inventory.value(host, "nginx_server_names")
    for problem in certificate_problems(contents[0], contents[1], names, datetime.datetime.now(datetime.UTC)):
        report.problem(problem)
