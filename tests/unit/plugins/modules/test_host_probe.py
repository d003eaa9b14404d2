# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host says of its PostgreSQL server and of nginx' sites."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.slipway.stack.plugins.modules import host_probe


class Module:
    """As much of an AnsibleModule as is needed."""

    def __init__(self, parameters: dict[str, Any], answer: tuple[int, str, str] | OSError) -> None:
        self.params = parameters
        self.answer = answer
        self.asked: list[list[str]] = []

    def run_command(self, words: list[str], **_more: Any) -> tuple[int, str, str]:
        self.asked.append(words)
        if isinstance(self.answer, OSError):
            raise self.answer
        return self.answer


def report(tmp_path: Path, answer: tuple[int, str, str] | OSError, postgres: bool = True) -> tuple[Any, Module]:
    parameters = {
        "postgres": postgres,
        "postgres_fragments": str(tmp_path),
        "postgres_clusters": str(tmp_path / "clusters"),
    }
    module: Any = Module(parameters, answer)
    return host_probe.postgres_report(module), module


def test_the_server_is_asked_as_its_superuser(tmp_path: Path) -> None:
    (tmp_path / "blog.json").write_text(json.dumps({"connections": 60}))
    found, module = report(tmp_path, (0, '{"max_connections": 100, "listen_addresses": "localhost"}\n', ""))
    assert found == {
        "max_connections": 100,
        "listen_addresses": "localhost",
        "needs": {"blog": {"connections": 60}},
        "clusters": {},
    }
    assert module.asked[0][:4] == ["runuser", "-u", "postgres", "--"]


@pytest.mark.parametrize("answer", [(2, "", "could not connect"), FileNotFoundError("runuser")])
def test_a_server_that_does_not_answer_allows_nothing(tmp_path: Path, answer: tuple[int, str, str] | OSError) -> None:
    assert report(tmp_path, answer)[0] == {
        "max_connections": 0,
        "listen_addresses": "",
        "needs": {},
        "clusters": {},
    }


def test_clusters_have_the_port_that_was_set_last(tmp_path: Path) -> None:
    for name, texts in {
        "13/main": {"postgresql.conf": "#port = 1\nport = 5433\t# (change requires restart)\n"},
        "15/main": {"postgresql.conf": "port = 5433\n", "conf.d/10.conf": "max_connections = 5\nport 5432\n"},
        "15/plain": {"postgresql.conf": "port_of_nothing = 3\n"},
    }.items():
        for file, text in texts.items():
            path = tmp_path / "clusters" / name / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    assert host_probe.read_clusters(str(tmp_path / "clusters")) == {"13/main": 5433, "15/main": 5432, "15/plain": 5432}


def test_other_hosts_are_not_asked(tmp_path: Path) -> None:
    found, module = report(tmp_path, (0, "100", ""), postgres=False)
    assert (found, module.asked) == ({}, [])


def test_sites_have_the_names_that_nginx_reads(tmp_path: Path) -> None:
    (tmp_path / "shop.conf").write_text(
        "server {\n    server_name shop.example\n        WWW.shop.example;\n}\n# server_name old.example;\n"
        "server {\n    server_name *.shop.example;\n}\n"
    )
    (tmp_path / "default").write_text("server {\n    server_name _;\n    server_name ~^www$;\n}\n")
    (tmp_path / "gone.conf").symlink_to(tmp_path / "nowhere")
    assert host_probe.read_sites(str(tmp_path)) == {
        "default": [],
        "shop": ["*.shop.example", "shop.example", "www.shop.example"],
    }
    assert host_probe.read_sites(str(tmp_path / "nowhere")) == {}
