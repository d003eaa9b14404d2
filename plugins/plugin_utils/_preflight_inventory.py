# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The variables of every host as its roles will see them."""

from __future__ import annotations

import glob
import os
import typing as t

from ansible.errors import AnsibleError
from ansible.module_utils.common.yaml import yaml_load
from ansible.vars.plugins import get_vars_from_inventory_sources

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
WIRING = os.path.join(ROOT, "playbooks", "group_vars", "all", "wiring.yml")
# A group is named after the role that its hosts get; the last two come along with any of them.
GROUPS = ("app", "nginx", "postgres", "redis")
EVERYWHERE = ("ufw", "logrotate")
# On the first host of the application, where the inventory wants it.
BACKUP = "backup"
# On the hosts of PostgreSQL, where the application reaches it through a pooler.
POOLER = "pgbouncer"


def _load(path: str) -> dict[str, t.Any]:
    with open(path, encoding="utf-8") as file:
        return yaml_load(file) or {}


def _role_options(role: str) -> dict[str, t.Any]:
    spec = _load(os.path.join(ROOT, "roles", role, "meta", "argument_specs.yml"))
    return t.cast("dict[str, t.Any]", spec["argument_specs"]["main"]["options"])


def _variable_files(role: str) -> list[str]:
    """List the files of a role's variables, the weakest first."""
    folder = os.path.join(ROOT, "roles", role)
    return [
        path
        for pattern in ("defaults/main.yml", "vars/main.yml", "vars/main/*.yml")
        for path in sorted(glob.glob(os.path.join(folder, pattern)))
    ]


def _defaults(role: str, loader: t.Any) -> dict[str, t.Any]:
    """Read what a role defines by itself, as templates."""
    values: dict[str, t.Any] = {}
    for path in _variable_files(role):
        values.update(loader.load_from_file(path, trusted_as_template=True) or {})
    return values


class Inventory:
    """The hosts' variables, each completed by the role's default where the inventory says nothing."""

    def __init__(self, variables: t.Mapping[str, t.Any], templar: t.Any, loader: t.Any) -> None:
        self._hostvars = variables["hostvars"]
        self._templar = templar
        self.groups = {group: list(variables["groups"].get(group, [])) for group in GROUPS}
        self.options = {role: _role_options(role) for role in (*GROUPS, *EVERYWHERE, BACKUP, POOLER)}
        self.known = {name: option for options in self.options.values() for name, option in options.items()}
        self._owner = {name: role for role, options in self.options.items() for name in options}
        self._defaults = {role: _defaults(role, loader) for role in self.options}
        # The wiring reads the file anew each time that it names one.
        self._app_defaults = _load(os.path.join(ROOT, "roles", "app", "defaults", "main.yml"))
        self._templars: dict[tuple[str, str], t.Any] = {}

    @property
    def hosts(self) -> list[str]:
        """Every host of a group that has a role, once."""
        return list(dict.fromkeys(host for hosts in self.groups.values() for host in hosts))

    def roles_of(self, host: str) -> list[str]:
        """The roles that a host gets."""
        roles = [role for role in GROUPS if host in self.groups[role]] + list(EVERYWHERE)
        pooler = [POOLER] if host in self.groups["postgres"] and self._is_pooled(host) else []
        backup = [BACKUP] if host == self.backup_host else []
        return [*roles, *pooler, *backup]

    def _is_pooled(self, host: str) -> bool:
        try:
            return bool(self.value(host, "wired_is_pooled"))
        except AnsibleError:
            # What is wrong is said where the variables are judged that it follows from.
            return False

    @property
    def backup_host(self) -> str:
        """The host that makes the backups; empty where none are wanted."""
        for host in self.groups["app"][:1]:
            if {"backup_passphrase", "backup_repositories"} & self.defined(host):
                return str(host)
        return ""

    def defined(self, host: str) -> set[str]:
        """The names of the variables that the inventory or the wiring gives a host."""
        return set(self._hostvars.raw_get(host))

    def value(self, host: str, name: str) -> t.Any:
        """A variable as the role will see it; raises AnsibleUndefinedVariable."""
        # A role sees its own defaults, and never another's.
        role = self._owner.get(name, "")
        if (host, role) not in self._templars:
            here = {"hostvars": self._hostvars, "wired_defaults": self._app_defaults}
            available = self._defaults.get(role, {}) | dict(self._hostvars.raw_get(host)) | here
            self._templars[host, role] = self._templar.copy_with_new_env(available_variables=available)
        templar = self._templars[host, role]
        return templar.template(templar.available_variables.get(name))

    def private(self, host: str, role: str, name: str, **registered: t.Any) -> t.Any:
        """What a role makes of a host's variables for itself, given what its tasks would have registered."""
        folder = os.path.join(ROOT, "roles", role)
        # Where lookups find the role's files and templates.
        here = {"hostvars": self._hostvars, "role_path": folder, "ansible_search_path": [folder]}
        available = self._defaults[role] | dict(self._hostvars.raw_get(host)) | here | registered
        return self._templar.copy_with_new_env(available_variables=available).template(available[name])

    def lost_names(self) -> list[str]:
        """The wired names that the inventory sets for all hosts, where the wiring outranks them."""
        group = self._hostvars._inventory.groups["all"]
        given = dict(group.get_vars())
        given.update(
            get_vars_from_inventory_sources(self._hostvars._loader, self._hostvars._inventory._sources, [group], "all")
        )
        return sorted(set(given) & set(_load(WIRING)))

    @property
    def folders(self) -> set[str]:
        """The folders of the inventory's sources."""
        sources: list[str] = self._hostvars._inventory._sources
        return {
            os.path.realpath(source if os.path.isdir(source) else os.path.dirname(source) or ".") for source in sources
        }

    def ignored_group_vars(self, playbooks: t.Iterable[str]) -> bool:
        """Tell whether group_vars lie beside a playbook, where an imported one doesn't have them read."""
        for playbook in playbooks:
            folder = os.path.realpath(os.path.dirname(playbook) or ".")
            own = folder in self.folders or folder.startswith(ROOT)
            if os.path.exists(playbook) and not own and os.path.isdir(os.path.join(folder, "group_vars")):
                return True
        return False

    def description(self, name: str) -> str:
        """The first sentence of what a variable's argument spec says of it; empty for one that has none."""
        described = self.known.get(name, {}).get("description", "")
        return described if isinstance(described, str) else str(described[0])
