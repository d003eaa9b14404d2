# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sentences for what an argument spec refuses."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.slipway.stack.plugins.plugin_utils._preflight_spec import likely_typos, spec_problems

OPTIONS: dict[str, Any] = {
    "app_name": {"type": "str", "required": True, "description": ["Name of the application. More."]},
    "app_port": {"type": "int", "default": 8000},
    "app_secret": {"type": "dict", "no_log": True},
    "app_processes": {
        "type": "list",
        "elements": "dict",
        "options": {
            "name": {"type": "str", "required": True, "description": "Its name."},
            "server": {"type": "str", "choices": ["gunicorn", "uvicorn"]},
            "health": {"type": "dict", "options": {"path": {"type": "str"}}},
        },
    },
}


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({}, ["app_name is required", "Name of the application", "inventory"]),
        ({"app_name": "a", "app_port": "many"}, ["app_port", "int"]),
        ({"app_name": "a", "app_processes": [{"name": "web", "modul": "x"}]}, ["app_processes[web]", "'modul'"]),
        ({"app_name": "a", "app_processes": [{"name": "web", "sever": "x"}]}, ["did you mean 'server'"]),
        ({"app_name": "a", "app_processes": [{"server": "uvicorn"}]}, ["app_processes[0] lacks 'name'", "Its name."]),
        (
            {"app_name": "a", "app_processes": [{"name": "web", "health": {"pth": "/"}}]},
            ["app_processes[web].health", "'pth'", "did you mean 'path'"],
        ),
        (
            {"app_name": "a", "app_processes": [{"name": "web", "server": "waitress"}]},
            ["gunicorn, uvicorn", "waitress"],
        ),
        ({"app_name": "a", "app_processes": ["web"]}, ["app_processes[0] must hold keys"]),
    ],
)
def test_each_problem_names_the_variable_and_the_mend(values: dict[str, Any], words: list[str]) -> None:
    problems = spec_problems(OPTIONS, values)
    assert len(problems) == 1
    for word in words:
        assert word in problems[0]


def test_good_values_have_no_problem() -> None:
    assert spec_problems(OPTIONS, {"app_name": "a", "app_port": "8100", "app_processes": [{"name": "web"}]}) == []


def test_the_value_of_a_secret_is_never_shown() -> None:
    problems = spec_problems(OPTIONS, {"app_name": "a", "app_secret": "hunter2-hunter2"})
    assert len(problems) == 1
    assert "hunter2" not in problems[0]
    assert "app_secret" in problems[0]


def test_a_likely_typo_is_hinted_at_and_own_variables_are_not() -> None:
    names = ["app_proceses", "app_favourite_colour", "vault_app_port", "app_port"]
    assert likely_typos(names, OPTIONS, ["app"]) == [
        "app_proceses is no variable of this collection: did you mean app_processes?"
    ]
