# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a PostgreSQL server allows, and what several applications need of it."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.slipway.stack.plugins.module_utils._processes import connection_demand, plan
from ansible_collections.slipway.stack.plugins.plugin_utils import _preflight_database as database

# 130 connections.
DEMAND = connection_demand(plan([{"name": "web", "module": "a:b", "workers": 4}], "shop", 8000), 1, 5, 10)
BLOG: dict[str, Any] = {"connections": 60, "max_connections": 0, "settings": {}}


@pytest.mark.parametrize(
    ("own", "blog", "words"),
    [
        ({}, {}, []),
        ({"max_connections": 190}, {}, []),
        ({"max_connections": 189}, {}, ["postgres_max_connections is 189, but 190", "60 for the other applications"]),
        ({"settings": {"max_connections": "189"}}, {}, ["postgres_settings.max_connections is 189, but 190"]),
        ({}, {"max_connections": 100}, ["postgres_max_connections is 100"]),
        # As in the role: the larger of two limits holds, and settings outrank both.
        ({"max_connections": 200}, {"max_connections": 100}, []),
        (
            {"max_connections": 200},
            {"settings": {"max_connections": 100}},
            ["postgres_settings.max_connections is 100"],
        ),
    ],
)
def test_a_limit_must_suffice_for_all_applications(own: dict[str, Any], blog: dict[str, Any], words: list[str]) -> None:
    problems = database.limit_problems(DEMAND, own, {"blog": BLOG | blog})
    assert len(problems) == (1 if words else 0)
    for word in words:
        assert word in problems[0]


def test_what_the_running_server_allows_is_compared_with_the_sum_of_all() -> None:
    assert database.running_shortage(DEMAND, 190, {"blog": BLOG}) is None
    shortage = database.running_shortage(DEMAND, 189, {"blog": BLOG}) or ""
    assert "allows 189 connections until it is restarted, but 190 may be open at once" in shortage
    assert "4 workers x (5 pool + 10 overflow) x 2 slots = 120" in shortage
    assert "60 for the other applications on the server" in shortage


def test_a_server_that_does_not_run_yet_is_no_shortage() -> None:
    assert database.running_shortage(DEMAND, 0, {}) is None


def test_names_that_another_application_has_are_refused() -> None:
    others = {"a-b": {"databases": ["a_b"], "users": ["a_b", "a_b_migrate"]}, "old": {}}
    assert database.name_problems(["shop"], ["shop"], others) == []
    assert database.name_problems(["a_b"], ["a_b"], others) == [
        "a_b is already a database of the application a-b on this PostgreSQL server: set app_database_name to another.",
        "a_b is already a user of the application a-b on this PostgreSQL server: set app_database_user to another.",
    ]
