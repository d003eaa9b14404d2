# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each system's inventory is short, and right once its secrets are."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.slipway.stack.plugins.modules import preflight

COLLECTION = Path(preflight.__file__).parents[2]
INVENTORIES = COLLECTION / "inventories"
SYSTEMS = ("dealscout", "fastvue", "fileallocator", "knitter", "konvertit")
LINES = 60

Judge = Callable[..., list[str]]


@pytest.fixture
def judge(tmp_path: Path) -> Judge:
    """judge(SYSTEM, EXTRA): the problems that preflight has with its inventory, as people start it."""

    def run(system: str, extra: dict[str, Any]) -> list[str]:
        plays = tmp_path / "playbooks"
        plays.mkdir()
        (plays / "group_vars").symlink_to(COLLECTION / "playbooks" / "group_vars")
        (tmp_path / "roles").symlink_to(COLLECTION / "roles")
        (tmp_path / "ansible.cfg").touch()
        found = tmp_path / "problems.json"
        shown = {"dest": str(found), "content": "{{ judged.problems | to_json }}"}
        steps = {
            "block": [{"slipway.stack.preflight": {"phase": "inventory"}, "register": "judged"}],
            "always": [{"ansible.builtin.copy": shown, "delegate_to": "localhost"}],
            "run_once": True,
        }
        options = {"ansible_connection": "local", "ansible_become": False, "ansible_python_interpreter": sys.executable}
        (plays / "judge.json").write_text(json.dumps([{"hosts": "all", "gather_facts": False, "tasks": [steps]}]))
        (tmp_path / "site.json").write_text(json.dumps([{"import_playbook": "playbooks/judge.json"}]))
        inventory = str(INVENTORIES / system)
        command = [sys.executable, "-m", "ansible.cli.playbook", "site.json", "-i", inventory]
        done = subprocess.run(
            [*command, "-e", json.dumps(options | extra)],
            cwd=tmp_path,
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
        assert found.exists(), done.stdout + done.stderr
        problems: list[str] = json.loads(found.read_text())
        return problems

    return run


def vault_of(system: str) -> dict[str, Any]:
    values: dict[str, Any] = yaml.safe_load((INVENTORIES / system / "group_vars/all/vault.yml").read_text())
    return values


def real(value: Any) -> Any:
    """A secret in place of each placeholder."""
    if isinstance(value, dict):
        return {name: real(each) for name, each in value.items()}
    return "5e884898da28047151d0e56f8dc6292773603d0d"


@pytest.mark.parametrize("system", SYSTEMS)
def test_an_inventory_is_short(system: str) -> None:
    text = (INVENTORIES / system / "hosts.yml").read_text()
    assert len([line for line in text.splitlines() if re.match(r"\s*[^\s#]", line)]) <= LINES


@pytest.mark.parametrize("system", SYSTEMS)
def test_an_inventory_lacks_nothing_but_its_secrets(judge: Judge, system: str) -> None:
    assert judge(system, real(vault_of(system))) == []


def test_placeholders_are_refused(judge: Judge) -> None:
    defaults = {"SECRET_KEY": "your-secret-key-change-in-production", "JWT_SECRET_KEY": "change-this-jwt-secret"}
    problems = judge("fastvue", real(vault_of("fastvue")) | {"app_secrets": defaults})
    assert [problem.split(":")[0] for problem in problems] == [
        f"app_secrets.{name} is a placeholder" for name in defaults
    ]


def test_a_pool_beyond_the_server_is_refused_with_the_number(judge: Judge) -> None:
    (problem,) = judge("fastvue", real(vault_of("fastvue")) | {"postgres_max_connections": 100})
    # 2 instances of 4 workers, each with 10 + 20, in two slots, and the reserve.
    assert f"set postgres_max_connections to at least {2 * 4 * 30 * 2 + 10}" in problem
