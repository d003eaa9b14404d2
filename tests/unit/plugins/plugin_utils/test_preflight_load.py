# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a pooler is there for a load that needs one."""

from __future__ import annotations

from collections.abc import Collection

import pytest

from ansible_collections.slipway.stack.plugins.plugin_utils._preflight_load import POOL, pooler_problem


def test_pools_that_need_a_pooler_are_refused_without_one() -> None:
    problem = pooler_problem("very_heavy", {"app_load"}, 4810, pooled=False) or ""
    assert problem.startswith("app_load is very_heavy, whose pools may open 4810 connections, which need a pooler")
    assert "let app_database_url lead to one" in problem
    assert "set app_load to heavy" in problem


@pytest.mark.parametrize(
    ("load", "given", "pooled"),
    [("", (), False), ("heavy", (), False), ("very_heavy", (), True), ("very_heavy", POOL, False)],
)
def test_other_loads_a_pooler_and_pools_of_ones_own_pass(load: str, given: Collection[str], pooled: bool) -> None:
    assert pooler_problem(load, given, 4810, pooled) is None
