#!/usr/bin/python
# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module: what preflight asks of a host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: host_probe
short_description: Read what a release needs to know of a host before it changes it
version_added: 0.1.0
description:
  - Reports the applications and nginx' sites that are on the host already, who listens on which port, the free disk space, which packages
    are installed, and whether the host can supply a Python interpreter. It changes nothing.
  - With O(postgres), it also reports what the PostgreSQL server of the host allows, and what each application needs of it.
  - With O(facts), it gathers Ansible's facts on the way, which spares a task.
options:
  root:
    description: Where the releases will lie. The free space is that of the nearest folder that exists.
    type: path
    required: true
  python:
    description: The version of the interpreter that is wanted, such as V(3.12). Empty for the distribution's.
    type: str
    default: ""
  fragments:
    description: The folder in which each application leaves what it uses on the host.
    type: path
    default: /etc/slipway/apps.d
  postgres:
    description: Whether the host is, or shall be, a PostgreSQL server.
    type: bool
    default: false
  postgres_fragments:
    description: The folder in which each application leaves what it needs of the PostgreSQL server.
    type: path
    default: /etc/slipway/postgres.d
  postgres_clusters:
    description: The folder in which Debian keeps the configuration of each PostgreSQL cluster.
    type: path
    default: /etc/postgresql
  sites:
    description: The folder of nginx' sites.
    type: path
    default: /etc/nginx/sites-enabled
  facts:
    description: Facts to gather, in the words of O(ansible.builtin.setup#module:gather_subset). Empty for none.
    type: list
    elements: str
    default: []
extends_documentation_fragment:
  - slipway.stack.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
    details: It changes nothing.
author:
  - slipway.stack contributors (@slipway)
"""

EXAMPLES = r"""
- name: Read what the host has
  slipway.stack.host_probe:
    root: /srv/shop
    facts: ["!all", "!min", network]
  register: probe
"""

RETURN = r"""
applications:
  description: What each application on the host left of itself, by name.
  type: dict
  returned: success
  sample:
    shop: {ports: [8000, 8050], user: shop, root: /srv/shop, memory_mb: 600}
listening:
  description: The listening TCP sockets with their processes and systemd units.
  type: list
  elements: dict
  returned: success
  sample:
    - {port: 22, pid: 312, unit: ssh.service}
free_mb:
  description: Free space where the releases will lie, in MB.
  type: int
  returned: success
  sample: 52000
python:
  description: The distribution's interpreter, and whether the wanted one is installed or among the packages.
  type: dict
  returned: success
  sample: {system: "3.11", installed: true, candidate: false}
packages:
  description: The packages that are installed, but not those that only another one brought along.
  type: list
  elements: str
  returned: success
  sample: [nginx, python3, sudo]
sites:
  description: The host names of each of nginx' sites, by the name of its file without C(.conf).
  type: dict
  returned: success
  sample:
    shop: [shop.example.com, www.shop.example.com]
postgres:
  description:
    - How many connections the PostgreSQL server that runs allows (V(0) where none runs), where it listens, what each
      application left of its needs, by name, and the port of each cluster, running or not. Empty without O(postgres).
  type: dict
  returned: success
  sample:
    max_connections: 100
    listen_addresses: localhost
    needs:
      shop: {connections: 60, databases: [shop], users: [shop]}
    clusters:
      15/main: 5432
ansible_facts:
  description: What O(facts) asks for.
  type: dict
  returned: success
  sample: {default_ipv4: {address: 203.0.113.10}}
"""

import json
import os
import platform
import re
import shutil
import typing as t
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.facts.compat import ansible_facts

from ansible_collections.slipway.stack.plugins.module_utils._errors import StackError, conclude
from ansible_collections.slipway.stack.plugins.module_utils._listeners import listeners
from ansible_collections.slipway.stack.plugins.module_utils._packages import wanted_packages
from ansible_collections.slipway.stack.plugins.module_utils._postgres import (
    QUIET_ENVIRONMENT,
    allows,
    psql,
)

_SERVER_NAME = re.compile(r"^\s*server_name\s+([^;]+);", re.MULTILINE)
_PORT = re.compile(r"^\s*port\s*=?\s*'?(\d+)", re.MULTILINE)
_DEFAULT_PORT = 5432
_HOST_NAME = re.compile(r"[a-z0-9*][a-z0-9*._-]*\.[a-z0-9*]+|localhost")


def read_applications(directory: str) -> dict[str, t.Any]:
    """Read every application's fragment."""
    applications: dict[str, t.Any] = {}
    if not os.path.isdir(directory):
        return applications
    for name in sorted(os.listdir(directory)):
        stem, extension = os.path.splitext(name)
        if extension != ".json":
            continue
        path = os.path.join(directory, name)
        try:
            with open(path, encoding="utf-8") as file:
                applications[stem] = json.load(file)
        except ValueError as error:
            raise StackError(
                f"{path} is no JSON ({error}): restore it, or remove it if its application is gone."
            ) from error
    return applications


def read_sites(directory: str) -> dict[str, list[str]]:
    """Read the host names of every site that nginx serves. One that can't be read has none."""
    sites: dict[str, list[str]] = {}
    for name in sorted(os.listdir(directory)) if os.path.isdir(directory) else []:
        try:
            with open(os.path.join(directory, name), encoding="utf-8", errors="replace") as file:
                words = " ".join(_SERVER_NAME.findall(file.read())).lower().split()
        except OSError:
            continue
        sites[name.removesuffix(".conf")] = sorted({word for word in words if _HOST_NAME.fullmatch(word)})
    return sites


def free_mb(path: str) -> int:
    """Return the free space at the nearest folder that exists."""
    while not os.path.exists(path):
        path = os.path.dirname(path)
    return shutil.disk_usage(path).free // (1024 * 1024)


def python_report(module: AnsibleModule, wanted: str) -> dict[str, t.Any]:
    """Tell whether the wanted interpreter is on the host or among its packages."""
    system = ".".join(platform.python_version_tuple()[:2])
    report = {"system": system, "installed": True, "candidate": False}
    if not wanted or wanted == system or module.get_bin_path(f"python{wanted}"):
        return report
    _code, output, _error = module.run_command(["apt-cache", "policy", f"python{wanted}"])
    candidate = [line for line in output.splitlines() if line.strip().startswith("Candidate:")]
    return report | {"installed": False, "candidate": bool(candidate) and "(none)" not in candidate[0]}


def postgres_report(module: AnsibleModule) -> dict[str, t.Any]:
    """Tell what the server allows, and what is wanted of it."""
    if not module.params["postgres"]:
        return {}

    def as_superuser(words: list[str]) -> tuple[int, str, str]:
        command = ["runuser", "-u", "postgres", "--", *words]
        try:
            code, out, err = module.run_command(
                command, environ_update=QUIET_ENVIRONMENT, cwd="/", handle_exceptions=False
            )
        except OSError as error:
            return 1, "", str(error)
        return code, out, err

    return {
        **allows(psql(as_superuser)),
        "needs": read_applications(module.params["postgres_fragments"]),
        "clusters": read_clusters(module.params["postgres_clusters"]),
    }


def read_clusters(directory: str) -> dict[str, int]:
    """Return the port of each cluster, by VERSION/NAME; where a setting stands twice, the last one counts."""
    ports = {}
    for main in sorted(Path(directory).glob("*/*/postgresql.conf")):
        files = [main, *sorted(main.parent.glob("conf.d/*.conf"))]
        found = [port for file in files for port in _PORT.findall(file.read_text(errors="replace"))]
        ports["/".join(main.parts[-3:-1])] = int(found[-1]) if found else _DEFAULT_PORT
    return ports


def gather_facts(module: AnsibleModule, subset: list[str]) -> dict[str, t.Any]:
    """Gather what ansible.builtin.setup would."""
    return t.cast("dict[str, t.Any]", ansible_facts(module, gather_subset=subset)) if subset else {}


def run(module: AnsibleModule) -> dict[str, t.Any]:
    """Look at all of it."""
    return {
        "changed": False,
        "applications": read_applications(module.params["fragments"]),
        "listening": listeners(),
        "free_mb": free_mb(module.params["root"]),
        "python": python_report(module, module.params["python"]),
        "packages": wanted_packages(),
        "sites": read_sites(module.params["sites"]),
        "postgres": postgres_report(module),
        "ansible_facts": gather_facts(module, module.params["facts"]),
    }


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "root": {"type": "path", "required": True},
            "python": {"type": "str", "default": ""},
            "fragments": {"type": "path", "default": "/etc/slipway/apps.d"},
            "postgres": {"type": "bool", "default": False},
            "postgres_fragments": {"type": "path", "default": "/etc/slipway/postgres.d"},
            "postgres_clusters": {"type": "path", "default": "/etc/postgresql"},
            "sites": {"type": "path", "default": "/etc/nginx/sites-enabled"},
            "facts": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )
    conclude(module, run)


if __name__ == "__main__":
    main()
