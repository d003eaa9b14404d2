# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the wiring makes of an inventory, and how it is judged, in a run of Ansible as people start it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.slipway.stack.plugins.modules import preflight

COLLECTION = Path(preflight.__file__).parents[2]
VARIABLES: dict[str, Any] = {
    "app_name": "shop",
    "app_domain": "shop.example",
    "app_directory": "/srv/source",
    "app_database_password": "9f3c1e7a5b2d4c6e8f0a1b3d",
    "app_redis_password": "1d2c3b4a5f6e7d8c9b0a1f2e",
    "app_secrets": {"SECRET_KEY": "5e884898da28047151d0e56f8dc6292773603d0d"},
    "app_processes": [{"name": "web", "module": "app.main:app"}],
    # What only the application's own role knows.
    "app_environment": {"STORE": "{{ app_database_url }}"},
}
MEMBERS = {"app": ["web1", "web2"], "nginx": ["lb"], "postgres": ["db"], "redis": ["db"]}
SHOWN = """{{ {'problems': judged.problems, 'connections': hostvars.db.postgres_connections | int,
               'redis': hostvars.db.redis_instances | map(attribute='maxmemory'),
               'keepalive': hostvars.lb.nginx_upstream_keepalive} | to_json }}"""

Judge = Callable[..., dict[str, Any]]


@pytest.fixture
def judge(tmp_path: Path) -> Judge:
    """judge(NAME=VALUE…): the problems that preflight has with the inventory, and what the wiring makes of it."""
    plays = tmp_path / "playbooks"
    plays.mkdir()
    (plays / "group_vars").symlink_to(COLLECTION / "playbooks" / "group_vars")
    (tmp_path / "roles").symlink_to(COLLECTION / "roles")
    (tmp_path / "ansible.cfg").touch()
    shown = tmp_path / "shown.json"
    steps = {
        "block": [{"slipway.stack.preflight": {"phase": "inventory"}, "register": "judged"}],
        "always": [{"ansible.builtin.copy": {"dest": str(shown), "content": SHOWN}, "delegate_to": "localhost"}],
        "run_once": True,
    }
    (plays / "judge.json").write_text(json.dumps([{"hosts": "all", "gather_facts": False, "tasks": [steps]}]))
    # From elsewhere, as a consumer's own playbook imports those of the collection.
    (tmp_path / "site.json").write_text(json.dumps([{"import_playbook": "playbooks/judge.json"}]))

    def run(**changes: Any) -> dict[str, Any]:
        children = {group: {"hosts": {host: {} for host in hosts}} for group, hosts in MEMBERS.items()}
        inventory = {"all": {"vars": VARIABLES | changes, "children": children}}
        (tmp_path / "hosts.json").write_text(json.dumps(inventory))
        options = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
        done = subprocess.run(
            [sys.executable, "-m", "ansible.cli.playbook", "site.json", "-i", "hosts.json", "-e", json.dumps(options)],
            cwd=tmp_path,
            # Not the settings of whoever runs the test.
            env={
                **{name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")},
                "ANSIBLE_CONFIG": str(tmp_path / "ansible.cfg"),
                "ANSIBLE_COLLECTIONS_PATH": str(COLLECTION.parents[2]),
                "ANSIBLE_HOME": str(tmp_path / "ansible"),
            },
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert shown.exists(), done.stdout + done.stderr
        found: dict[str, Any] = json.loads(shown.read_text())
        return found

    return run


def test_workers_that_the_environment_adds_reach_the_database_server(judge: Judge) -> None:
    """The wiring and preflight count alike, on hosts that know nothing of the application's own variables."""
    told = judge(app_environment=VARIABLES["app_environment"] | {"WEB_CONCURRENCY": "{{ 2 + 1 }}"})
    assert told["problems"] == []
    assert told["connections"] == 2 * 3 * 15 * 2 + 10


@pytest.mark.parametrize(
    ("changes", "connections", "redis", "keepalive"),
    [
        ({}, 2 * 4 * 15 * 2 + 10, "256mb", 32),
        ({"app_load": "light"}, 2 * 2 * 15 * 2 + 10, "128mb", 16),
        (
            {"app_load": "heavy", "app_database_overflow": 10, "app_redis_maxmemory": "512mb"},
            2 * 8 * 30 * 2 + 10,
            "512mb",
            64,
        ),
    ],
)
def test_a_load_sizes_every_part_unless_a_variable_says_otherwise(
    judge: Judge, changes: dict[str, Any], connections: int, redis: str, keepalive: int
) -> None:
    assert judge(**changes) == {
        "problems": [],
        "connections": connections,
        "redis": [redis],
        "keepalive": keepalive,
    }
