# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Action: judge an inventory before any host is changed."""

from __future__ import annotations

import datetime
import os
import typing as t

import yaml
from ansible import context
from ansible.errors import AnsibleError, AnsibleUndefinedVariable
from ansible.plugins.action import ActionBase
from ansible.vars.plugins import get_vars_from_inventory_sources

from ansible_collections.slipway.stack.plugins.module_utils._processes import connection_demand, plan
from ansible_collections.slipway.stack.plugins.plugin_utils import _preflight_capacity as capacity
from ansible_collections.slipway.stack.plugins.plugin_utils import _preflight_host as host_rules
from ansible_collections.slipway.stack.plugins.plugin_utils._preflight_certificate import certificate_problems
from ansible_collections.slipway.stack.plugins.plugin_utils._preflight_report import Report, undefined_name
from ansible_collections.slipway.stack.plugins.plugin_utils._preflight_secrets import environment_problems, secret_problem
from ansible_collections.slipway.stack.plugins.plugin_utils._preflight_spec import likely_typos, spec_problems

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
WIRING = os.path.join(ROOT, "playbooks", "group_vars", "all", "wiring.yml")
# A group is named after the role that its hosts get; these two come along with the others.
GROUPS = ("app", "nginx", "postgres", "redis")
EVERYWHERE = ("ufw", "logrotate")
PASSWORDS = ("app_database_password", "app_redis_password")


def _load(path: str) -> dict[str, t.Any]:
    with open(path, encoding="utf-8") as file:
        return yaml.safe_load(file) or {}


def _role_options(role: str) -> dict[str, t.Any]:
    spec = _load(os.path.join(ROOT, "roles", role, "meta", "argument_specs.yml"))
    return t.cast("dict[str, t.Any]", spec["argument_specs"]["main"]["options"])


class Inventory:
    """The hosts' variables, each completed by the role's default where the inventory says nothing."""

    def __init__(self, variables: t.Mapping[str, t.Any], templar: t.Any, loader: t.Any) -> None:
        self._hostvars = variables["hostvars"]
        self._templar = templar
        self.groups = {group: list(variables["groups"].get(group, [])) for group in GROUPS}
        self.options = {role: _role_options(role) for role in (*GROUPS, *EVERYWHERE)}
        self.known = {name: option for options in self.options.values() for name, option in options.items()}
        self._defaults: dict[str, t.Any] = {}
        for role in self.options:
            for folder in ("defaults", "vars"):
                path = os.path.join(ROOT, "roles", role, folder, "main.yml")
                if os.path.exists(path):
                    self._defaults.update(loader.load_from_file(path, trusted_as_template=True) or {})
        self._templars: dict[str, t.Any] = {}

    @property
    def hosts(self) -> list[str]:
        """Every host of a group that has a role, once."""
        return list(dict.fromkeys(host for hosts in self.groups.values() for host in hosts))

    def roles_of(self, host: str) -> list[str]:
        """The roles that a host gets."""
        return [role for role in GROUPS if host in self.groups[role]] + list(EVERYWHERE)

    def defined(self, host: str) -> set[str]:
        """The names of the variables that the inventory or the wiring gives a host."""
        return set(self._hostvars.raw_get(host))

    def value(self, host: str, name: str) -> t.Any:
        """A variable as the role will see it; raises AnsibleUndefinedVariable."""
        if host not in self._templars:
            available = self._defaults | dict(self._hostvars.raw_get(host)) | {"hostvars": self._hostvars}
            self._templars[host] = self._templar.copy_with_new_env(available_variables=available)
        templar = self._templars[host]
        return templar.template(templar.available_variables.get(name))


class ActionModule(ActionBase):
    """The action under its name."""

    _requires_connection = False

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Judge one phase and report every problem at once."""
        super().run(tmp, task_vars)
        variables = task_vars or {}
        _result, arguments = self.validate_argument_spec(
            argument_spec={
                "phase": {"type": "str", "choices": ["inventory", "hosts"], "required": True},
                "probe": {"type": "str", "default": "__preflight_probe"},
                "hosts": {"type": "list", "elements": "str", "default": []},
            }
        )
        inventory = Inventory(variables, self._templar, self._loader)
        report = Report(inventory.hosts)
        if arguments["phase"] == "inventory":
            self._judge_inventory(inventory, report, variables["hostvars"])
            return report.result("the inventory")
        for host in arguments["hosts"]:
            self._judge_host(inventory, report, host, arguments["probe"])
        return report.result("the hosts")

    # -- what the controller knows without reaching a host

    def _judge_inventory(self, inventory: Inventory, report: Report, hostvars: t.Any) -> None:
        self._judge_groups(inventory, report)
        self._judge_lost_names(report, hostvars)
        self._judge_ignored_files(report, hostvars)
        for host in inventory.hosts:
            for role in inventory.roles_of(host):
                self._judge_spec(inventory, report, host, role)
            for hint in likely_typos(inventory.defined(host), inventory.known, inventory.options):
                report.hint(hint)
        # The rest makes sense only of values that have passed so far.
        if report.problems or not inventory.groups["app"]:
            return
        first = inventory.groups["app"][0]
        self._judge_application(inventory, report, first)
        if inventory.groups["nginx"]:
            self._judge_certificate(inventory, report, inventory.groups["nginx"][0])

    def _judge_groups(self, inventory: Inventory, report: Report) -> None:
        if not inventory.groups["app"]:
            report.problem("the group app has no hosts: name the hosts that run the application under it in the inventory.")

    def _judge_lost_names(self, report: Report, hostvars: t.Any) -> None:
        """Find wired names that the inventory sets for all hosts, where the wiring outranks them."""
        group = hostvars._inventory.groups["all"]
        given = dict(group.get_vars())
        given.update(
            get_vars_from_inventory_sources(hostvars._loader, hostvars._inventory._sources, [group], "all")
        )
        for name in sorted(set(given) & set(_load(WIRING))):
            report.problem(
                f"{name} is set for all hosts, where the wiring of the roles outranks it: set it for a group (such as "
                f"{name.partition('_')[0]}) or for a host instead."
            )

    def _judge_ignored_files(self, report: Report, hostvars: t.Any) -> None:
        """Find group_vars beside a playbook that imports this collection's: Ansible doesn't read them."""
        inventories = {
            os.path.realpath(source if os.path.isdir(source) else os.path.dirname(source))
            for source in hostvars._inventory._sources
        }
        for playbook in context.CLIARGS.get("args", ()):
            folder = os.path.realpath(os.path.dirname(playbook) or ".")
            if os.path.exists(playbook) and folder not in inventories and not folder.startswith(ROOT):
                if os.path.isdir(os.path.join(folder, "group_vars")):
                    report.problem(
                        "group_vars beside your playbook isn't read by a playbook that is imported from a collection: "
                        "move the folder beside the inventory."
                    )

    def _judge_spec(self, inventory: Inventory, report: Report, host: str, role: str) -> None:
        values: dict[str, t.Any] = {}
        options = dict(inventory.options[role])
        defined = inventory.defined(host)
        for name in list(options):
            if name not in defined:
                continue
            try:
                values[name] = inventory.value(host, name)
            except AnsibleUndefinedVariable as error:
                del options[name]
                report.problem(self._missing(inventory, undefined_name(str(error)), name), host)
            except AnsibleError as error:
                del options[name]
                report.problem(self._untemplatable(name, error), host)
        for problem in spec_problems(options, values):
            report.problem(problem, host)

    def _missing(self, inventory: Inventory, missing: str | None, needed_for: str) -> str:
        if missing is None:
            return f"{needed_for} can't be worked out, since a variable that it refers to isn't set: set it in the inventory."
        description = inventory.known.get(missing, {}).get("description", "")
        first = description if isinstance(description, str) else str(description[0])
        return f"{missing} is required but isn't set: {first or f'{needed_for} refers to it.'} Set it in the inventory."

    def _untemplatable(self, name: str, error: AnsibleError) -> str:
        # the innermost message says what is wrong; the outer ones only where in Ansible it came up
        cause: BaseException = error
        while cause.__cause__ is not None:
            cause = cause.__cause__
        return f"{name} can't be worked out: {cause}."

    def _judge_application(self, inventory: Inventory, report: Report, host: str) -> None:
        def value(name: str) -> t.Any:
            return inventory.value(host, name)

        for problem in environment_problems(value("app_environment") or {}, value("app_secrets") or {}):
            report.problem(problem)
        for name in PASSWORDS:
            if name in inventory.defined(host) and (problem := secret_problem(name, value(name))):
                report.problem(problem)
        try:
            processes = plan(value("app_processes") or [], value("app_name"), int(value("app_port")))
        except ValueError as error:
            report.problem(f"{error}.")
            return
        if any(process["kind"] == "routed" for process in processes) and not inventory.groups["nginx"]:
            names = ", ".join(process["name"] for process in processes if process["kind"] == "routed")
            report.problem(
                f"app_processes[{names}] is routed, but the group nginx has no hosts: name a host under nginx in the inventory."
            )
        for group, variable in (("postgres", "app_database_password"), ("redis", "app_redis")):
            url = {"postgres": "app_database_url", "redis": "app_redis_url"}[group]
            given = inventory.defined(host)
            if variable in given and value(variable) and not inventory.groups[group] and url not in given:
                report.problem(
                    f"{variable} is set, but the group {group} has no hosts: name a host under {group} in the inventory, or set "
                    f"{url} for a managed service."
                )
        demand = self._demand(inventory, host, processes)
        if inventory.groups["postgres"]:
            server = inventory.groups["postgres"][0]
            limit = int(inventory.value(server, "postgres_max_connections") or 0)
            if problem := capacity.connection_problem(demand, limit, "postgres_max_connections"):
                report.problem(problem)
        elif problem := capacity.connection_problem(
            demand, int(value("app_database_max_connections") or 0), "app_database_max_connections"
        ):
            report.problem(problem)
        if len(inventory.groups["app"]) > 1 and value("app_shared_directories") and not value("app_shared_storage"):
            report.problem(
                "app_shared_directories are local folders, but the application runs on "
                f"{len(inventory.groups['app'])} hosts: put them on storage that all hosts mount and set app_shared_storage to "
                "true, or keep such files in an object store."
            )

    def _demand(self, inventory: Inventory, host: str, processes: list[dict[str, t.Any]]) -> dict[str, t.Any]:
        return connection_demand(
            processes,
            len(inventory.groups["app"]),
            int(inventory.value(host, "app_database_pool")),
            int(inventory.value(host, "app_database_overflow")),
        )

    def _judge_certificate(self, inventory: Inventory, report: Report, host: str) -> None:
        certificate = inventory.value(host, "nginx_certificate")
        key = inventory.value(host, "nginx_certificate_key")
        if not certificate and not key:
            return
        if not certificate or not key:
            given, lacking = ("nginx_certificate", "nginx_certificate_key")[:: 1 if certificate else -1]
            report.problem(f"{given} is set, but {lacking} isn't: set both, or neither for a self-signed certificate.")
            return
        contents = []
        for name, text in (("nginx_certificate", certificate), ("nginx_certificate_key", key)):
            if "-----BEGIN" in text:
                contents.append(text.encode())
                continue
            path = os.path.expanduser(text)
            try:
                contents.append(self._loader.get_text_file_contents(path).encode())
            except (AnsibleError, OSError, AttributeError):
                if not os.path.exists(path):
                    report.problem(f"{name} names the file {text}, which doesn't exist on the controller: give a file that does.")
                    return
                with open(path, "rb") as file:
                    contents.append(file.read())
        names = inventory.value(host, "nginx_server_names")
        for problem in certificate_problems(contents[0], contents[1], names, datetime.datetime.now(datetime.timezone.utc)):
            report.problem(problem)

    # -- what the hosts reported

    def _judge_host(self, inventory: Inventory, report: Report, host: str, probe_name: str) -> None:
        facts = inventory.value(host, "ansible_facts")
        probe = inventory.value(host, probe_name)
        if problem := host_rules.distribution_problem(facts["distribution"], facts["distribution_major_version"]):
            report.problem(problem, host)
        app = (inventory.groups["app"] or [host])[0]
        processes = plan(inventory.value(app, "app_processes") or [], inventory.value(app, "app_name"), int(inventory.value(app, "app_port")))
        runs_app = host in inventory.groups["app"]
        if runs_app:
            root = str(inventory.value(host, "app_root"))
            ports = {port for process in processes for slot in process["ports"].values() for port in slot}
            for problem in host_rules.application_problems(
                inventory.value(app, "app_name"), root, ports, probe["applications"], probe["listening"]
            ):
                report.problem(problem, host)
            if problem := host_rules.disk_problem(root, probe["free_mb"]):
                report.problem(problem, host)
            if problem := host_rules.python_problem(
                str(inventory.value(host, "app_python") or ""), probe["python"], bool(inventory.value(host, "app_python_download"))
            ):
                report.problem(problem, host)
        memory = int(facts["memtotal_mb"])
        demand = self._demand(inventory, app, processes)
        services: dict[str, float] = {}
        if host in inventory.groups["postgres"]:
            if problem := capacity.pool_problem(demand, memory):
                report.problem(problem, host)
            # shared_buffers are a fraction of what is there: only the backends' own memory adds to it
            services["postgres"] = demand["total"] * capacity.BACKEND_MB / 2
        if host in inventory.groups["redis"]:
            for instance in inventory.value(host, "redis_instances"):
                services[f"redis {instance['name']}"] = capacity.megabytes(instance["maxmemory"])
        for name, other in probe["applications"].items():
            if name != inventory.value(app, "app_name"):
                services[f"application {name}"] = float(other.get("memory_mb", 0))
        rows = capacity.memory_table(processes, int(facts["processor_vcpus"]), services, runs_app)
        if problem := capacity.memory_problem(rows, memory):
            report.problem(problem, host)
        report.capacity["connections"] = demand["total"]
        report.capacity.setdefault("memory", {})[host] = {
            "steady_mb": round(sum(row[1] for row in rows)),
            "peak_mb": round(sum(row[2] for row in rows)),
            "total_mb": memory,
        }
