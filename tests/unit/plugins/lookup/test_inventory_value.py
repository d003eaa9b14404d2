# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the inventory says, in a run of Ansible as people start it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ansible_collections.slipway.stack.plugins.lookup import inventory_value

COLLECTIONS = Path(inventory_value.__file__).parents[5]
INVENTORY = {
    "all": {
        "vars": {"minor": 4, "app_version": "v1.{{ minor }}", "app_name": "shop"},
        "hosts": {"web1": {}, "web2": {"app_version": "v2"}},
    }
}
NAMES = ("app_version", "app_name", "unheard_of")


@pytest.mark.parametrize(
    ("extra", "web1", "web2"),
    [
        ({}, ["v1.4", "v1.4", "shop", ""], ["v2", "v2", "shop", ""]),
        # Who isn't asked about is what the command line says.
        (
            {"app_version": "v9", "unheard_of": "x", "minor": 5},
            ["v9", "v1.5", "shop", ""],
            ["v9", "v2", "shop", ""],
        ),
    ],
)
def test_extra_variables_are_left_out(
    tmp_path: Path, extra: dict[str, object], web1: list[str], web2: list[str]
) -> None:
    task = {
        "ansible.builtin.copy": {
            "dest": f"{tmp_path}/{{{{ inventory_hostname }}}}",
            "content": "{{ [app_version] + query('slipway.stack.inventory_value', *names) }}",
        }
    }
    play = {"hosts": "all", "gather_facts": False, "vars": {"names": NAMES}, "tasks": [task]}
    for name, content in (("hosts.json", INVENTORY), ("play.json", [play])):
        (tmp_path / name).write_text(json.dumps(content))
    (tmp_path / "ansible.cfg").touch()
    options = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable, **extra}
    done = subprocess.run(
        [sys.executable, "-m", "ansible.cli.playbook", "play.json", "-i", "hosts.json", "-e", json.dumps(options)],
        cwd=tmp_path,
        # Not the settings of whoever runs the test.
        env={
            **{name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")},
            "ANSIBLE_CONFIG": str(tmp_path / "ansible.cfg"),
            "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
            "ANSIBLE_HOME": str(tmp_path / "ansible"),
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert [json.loads((tmp_path / host).read_text()) for host in ("web1", "web2")] == [web1, web2]
