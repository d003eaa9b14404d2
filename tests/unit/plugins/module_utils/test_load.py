# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a load stands for."""

from __future__ import annotations

import pytest

from ansible_collections.slipway.stack.plugins.module_utils._load import load_profile
from ansible_collections.slipway.stack.plugins.module_utils._processes import plan, worker_processes
from ansible_collections.slipway.stack.plugins.plugin_utils._memory import megabytes

LOADS = ("light", "medium", "heavy", "very_heavy")
WEB = {"name": "web", "module": "a:b"}


def test_who_says_nothing_of_a_load_gets_the_sizes_of_always() -> None:
    sizes = load_profile("")
    assert (sizes["workers"], sizes["pool"], sizes["overflow"], sizes["redis_maxmemory"]) == (4, 5, 10, "256mb")


def test_no_size_shrinks_where_the_load_grows() -> None:
    profiles = [load_profile(load) for load in LOADS]
    for size in ("workers", "pool", "overflow", "keepalive"):
        assert [profile[size] for profile in profiles] == sorted(profile[size] for profile in profiles)
    memory = [megabytes(profile["redis_maxmemory"]) for profile in profiles]
    assert memory == sorted(memory)


def test_only_the_heaviest_load_needs_a_pooler() -> None:
    assert [load for load in LOADS if load_profile(load)["pooler"]] == ["very_heavy"]
    assert (load_profile("light")["pool"], load_profile("light")["overflow"]) == (5, 10)
    assert (load_profile("very_heavy")["pool"], load_profile("very_heavy")["overflow"]) == (100, 200)


def test_a_load_that_nobody_knows_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(ValueError, match="app_load is 'huge': set it to one of light, medium, heavy, very_heavy, or"):
        load_profile("huge")


@pytest.mark.parametrize(
    ("process", "environment", "cores", "expected"),
    [
        ({}, {}, None, 8),
        ({}, {}, 2, 5),
        ({}, {}, 16, 8),
        ({"workers": 3}, {}, 16, 3),
        ({}, {"WEB_CONCURRENCY": 6}, 2, 6),
        ({"server": "uvicorn"}, {}, 16, 1),
        ({"overlap": False}, {}, 16, 1),
    ],
)
def test_a_load_bounds_the_workers_that_nothing_else_counts(
    process: dict[str, object], environment: dict[str, object], cores: int | None, expected: int
) -> None:
    assert worker_processes(plan([WEB | process], "shop", 8000, environment, "heavy")[0], cores) == expected


def test_a_release_keeps_its_name_where_the_load_changes_no_process() -> None:
    assert plan([WEB], "shop", 8000, {}, "medium") == plan([WEB], "shop", 8000)
    assert plan([WEB], "shop", 8000, {}, "light") != plan([WEB], "shop", 8000)
