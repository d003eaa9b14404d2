# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The memory of an application's processes."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.slipway.stack.plugins.module_utils._processes import plan
from ansible_collections.slipway.stack.plugins.plugin_utils._memory import megabytes, memory_demand


def demand(*processes: dict[str, Any], **more: Any) -> dict[str, tuple[float, float]]:
    found = memory_demand(plan(processes, "s", 8000), **more)
    assert found["peak"] == sum(part["peak"] for part in found["parts"])
    return {part["name"]: (part["steady"], part["peak"]) for part in found["parts"]}


WEB = {"name": "web", "module": "a:b"}
BEAT = {"name": "beat", "command": "c", "singleton": True}
NIGHTLY = {"name": "nightly", "command": "c", "schedule": "daily"}


@pytest.mark.parametrize(("text", "expected"), [("256mb", 256), ("2G", 2048), ("512MiB", 512), ("1048576", 1), ("", 0)])
def test_sizes_are_read(text: str, expected: float) -> None:
    assert megabytes(text) == expected


def test_what_is_no_size_is_refused() -> None:
    with pytest.raises(ValueError, match="write it like 512M"):
        megabytes("much")


def test_each_worker_takes_its_share_in_both_slots() -> None:
    assert demand(WEB | {"workers": 3}, {"name": "job", "command": "c", "concurrency": 2}) == {
        "web": (450, 900),
        "job": (450, 900),
    }


def test_gunicorns_workers_follow_the_cores_where_these_are_known() -> None:
    assert demand(WEB, cores=1)["web"] == (450, 900)
    assert demand(WEB)["web"] == (600, 1200)


def test_what_may_not_run_twice_is_counted_once() -> None:
    assert demand(WEB | {"overlap": False})["web"] == (150, 150)


def test_a_limit_takes_the_place_of_the_estimate() -> None:
    limited = WEB | {"count": 2, "memory_max": "1G"}
    assert demand(limited, BEAT, limit="200M") == {"web": (2048, 4096), "beat": (200, 200)}


def test_what_runs_once_runs_on_one_host() -> None:
    assert list(demand(WEB, BEAT, NIGHTLY, singletons=False)) == ["web"]


@pytest.mark.parametrize(
    ("process", "limit", "name"),
    [
        ({"memory_max": "50%"}, "", r"app_processes\[web\].memory_max is '50%'"),
        ({"memory_max": "2GB"}, "", r"app_processes\[web\].memory_max is '2GB'"),
        ({}, "lots", "app_memory_max is 'lots'"),
    ],
)
def test_a_limit_that_is_no_size_is_refused(process: dict[str, Any], limit: str, name: str) -> None:
    with pytest.raises(ValueError, match=f"{name}: write it like 512M or 2G"):
        demand(WEB | process, limit=limit)
