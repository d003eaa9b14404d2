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
from ansible_collections.slipway.stack.plugins.plugin_utils._preflight_backup import backup_problems
from ansible_collections.slipway.stack.plugins.plugin_utils._preflight_capacity import connection_problem
from ansible_collections.slipway.stack.plugins.plugin_utils._preflight_certificate import certificate_problems
from ansible_collections.slipway.stack.plugins.plugin_utils._preflight_inventory import Inventory
from ansible_collections.slipway.stack.plugins.plugin_utils._preflight_report import Report, undefined_name
from ansible_collections.slipway.stack.plugins.plugin_utils._preflight_secrets import (
    environment_problems,
    secret_problem,
)
from ansible_collections.slipway.stack.plugins.plugin_utils._preflight_services import NEEDS, service_problems
from ansible_collections.slipway.stack.plugins.plugin_utils._preflight_spec import likely_typos, spec_problems
from ansible_collections.slipway.stack.plugins.plugin_utils._preflight_static import static_problems
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
            _say_why(report, name, _innermost(error), host)
    for problem in spec_problems(options, values):
        report.problem(problem, host)


def _say_why(report: Report, name: str, cause: BaseException, host: str) -> None:
    """Say why a variable can't be worked out; only once where many can't since the processes contradict themselves."""
    if str(cause).startswith("app_processes["):
        report.problem(f"{cause}.")
    else:
        report.problem(f"{name} can't be worked out: {cause}.", host)


def _missing(inventory: Inventory, missing: str | None, needed_for: str) -> str:
    if missing is None:
        return f"{needed_for} refers to a variable that isn't set: set it in the inventory."
    purpose = inventory.description(missing) or f"{needed_for} refers to it."
    return f"{missing} is required but isn't set: {purpose} Set it in the inventory."


def _innermost(error: BaseException) -> BaseException:
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


def demand_of(inventory: Inventory, host: str, processes: list[dict[str, t.Any]]) -> dict[str, t.Any]:
    """Sum the database connections of the whole fleet."""
    return connection_demand(
        processes,
        len(inventory.groups["app"]),
        int(inventory.value(host, "app_database_pool")),
        int(inventory.value(host, "app_database_overflow")),
    )


def planned(inventory: Inventory, host: str) -> list[dict[str, t.Any]]:
    """Complete the application's processes; raises ValueError where they contradict themselves."""
    return plan(
        inventory.value(host, "app_processes") or [],
        inventory.value(host, "app_name"),
        int(inventory.value(host, "app_port")),
        inventory.value(host, "app_environment"),
    )


def replacement_note(name: str, hosts: int) -> str:
    """Say what a rollout does to a process that may not run twice."""
    each = f" It runs once on each of the {hosts} hosts." if hosts > 1 else ""
    return (
        f"app_processes[{name}] may not run twice: a rollout ends the old one before it starts the new one, and requests "
        "wait meanwhile. So it gives up the health gate before the switch: whether the new one is healthy is seen only "
        f"then, and where it isn't, the old one is started again.{each}"
    )


def recycling_note(name: str) -> str:
    """Say what visitors notice of workers that are replaced while they serve."""
    return (
        f"app_processes[{name}].max_requests replaces workers while they serve: one with an ASGI application closes its "
        "WebSockets then, and may lose a request that is on its way. So leave it at 0 unless the process grows without end, "
        "and set memory_max to bound it."
    )


def recycles_asgi(process: t.Mapping[str, t.Any]) -> bool:
    """Whether workers are replaced that may hold connections of other requests: gunicorn's own finish theirs first."""
    serves_asgi = (
        process["server"] == "uvicorn" or "uvicorn" in process["worker_class"] or process["worker_class"] == "asgi"
    )
    return process["kind"] == "routed" and bool(process["module"]) and serves_asgi and int(process["max_requests"]) > 0


def _judge_processes(inventory: Inventory, report: Report, host: str) -> None:
    try:
        processes = planned(inventory, host)
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
        if recycles_asgi(process):
            report.note(recycling_note(process["name"]))
    for problem in service_problems(
        processes,
        {name: inventory.value(host, name) for name in NEEDS},
        {group for group, hosts in inventory.groups.items() if hosts},
        inventory.defined(host),
    ):
        report.problem(problem)
    demand = demand_of(inventory, host, processes)
    for name, limit in connection_limits(inventory, host).items():
        if too_many := connection_problem(demand, limit, name):
            report.problem(too_many)


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
    for problem in static_problems(inventory.value(app, "app_static") or [], routes[0]):
        report.problem(problem)


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
            report.problem(f"{name} names the file {text}, which isn't on the controller: give a file that is.")
            return
    names = inventory.value(host, "nginx_server_names")
    for problem in certificate_problems(contents[0], contents[1], names, datetime.datetime.now(datetime.UTC)):
        report.problem(problem)
