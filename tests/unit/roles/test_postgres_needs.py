# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role postgres makes of the needs of several callers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

from ansible_collections.slipway.stack.plugins.modules import preflight

ROLE = Path(preflight.__file__).parents[2] / "roles" / "postgres"
BLOG: dict[str, Any] = {"connections": 60, "max_connections": 0, "settings": {}, "single": {}}
SHOP: dict[str, Any] = BLOG | {"connections": 130}


def worked_out(name: str, shop: dict[str, Any], blog: dict[str, Any]) -> Any:
    """One of the role's variables, with no host."""
    loader = DataLoader()
    variables: dict[str, Any] = {}
    for file in ("defaults/main.yml", "vars/packages.yml", "vars/main/main.yml"):
        variables |= loader.load_from_file(str(ROLE / file), trusted_as_template=True)
    variables["__postgres_fragment"] = {"merged": {"shop": SHOP | shop, "blog": BLOG | blog}}
    return Templar(loader=loader, variables=variables).template(variables[name])


@pytest.mark.parametrize(
    ("shop", "blog", "allowed"),
    [
        ({}, {}, 190),
        ({"connections": 5}, {"connections": 5}, 20),
        ({"max_connections": 200}, {}, 200),
        ({"max_connections": 250}, {"max_connections": 200}, 250),
        ({"settings": {"max_connections": 220}}, {"max_connections": 200}, 220),
    ],
)
def test_a_limit_that_suffices_takes_the_place_of_the_sum(
    shop: dict[str, Any], blog: dict[str, Any], allowed: int
) -> None:
    assert worked_out("__postgres_contradictions", shop, blog) == []
    assert int(worked_out("__postgres_allowed", shop, blog)) == allowed


@pytest.mark.parametrize(
    ("shop", "blog", "name"),
    [
        ({"max_connections": 189}, {}, "postgres_max_connections is 189"),
        ({}, {"max_connections": 100}, "postgres_max_connections is 100"),
        ({"settings": {"max_connections": 189}}, {"max_connections": 200}, "postgres_settings.max_connections is 189"),
    ],
)
def test_a_limit_below_what_all_need_is_refused_by_name(shop: dict[str, Any], blog: dict[str, Any], name: str) -> None:
    (sentence,) = worked_out("__postgres_contradictions", shop, blog)
    assert sentence == (
        f"{name}, but all that share this server need 190 connections (blog 60, shop 130): set it to at least 190, or leave it "
        "out for the sum."
    )


def test_values_that_differ_are_refused_by_name() -> None:
    settings = {"work_mem": "4MB"}, {"work_mem": "8MB"}
    (sentence,) = worked_out("__postgres_contradictions", {"settings": settings[0]}, {"settings": settings[1]})
    assert sentence.startswith("postgres_settings.work_mem isn't the same for all that share this server (blog, shop)")
