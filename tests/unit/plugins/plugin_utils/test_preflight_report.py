# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is said of an inventory that passes."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.slipway.stack.plugins.module_utils._processes import plan
from ansible_collections.slipway.stack.plugins.plugin_utils._preflight_report import Report
from ansible_collections.slipway.stack.plugins.plugin_utils._preflight_variables import (
    recycles_asgi,
    recycling_note,
    replacement_note,
)


def test_a_note_stops_nothing_and_warns_of_nothing() -> None:
    report = Report(["one"])
    report.note(replacement_note("queue", 1))
    result = report.result("the inventory")
    assert "failed" not in result
    assert "warnings" not in result
    assert "app_processes[queue] may not run twice" in result["notes"][0]
    assert "gives up the health gate before the switch" in result["notes"][0]


def test_a_note_says_where_it_runs_on_several_hosts() -> None:
    assert replacement_note("queue", 2).endswith("It runs once on each of the 2 hosts.")


@pytest.mark.parametrize(
    ("process", "costs"),
    [
        ({"name": "web", "module": "a:b", "max_requests": 1000}, True),
        ({"name": "web", "module": "a:b", "max_requests": 1000, "server": "uvicorn"}, True),
        ({"name": "web", "module": "a:b", "max_requests": 1000, "worker_class": "gthread"}, False),
        ({"name": "web", "module": "a:b"}, False),
        ({"name": "web", "command": "serve", "routed": True, "max_requests": 1000}, False),
    ],
)
def test_what_visitors_notice_of_recycled_workers_is_said(process: dict[str, t.Any], costs: bool) -> None:
    assert recycles_asgi(plan([process], "shop", 8000)[0]) == costs
    assert recycling_note("web").startswith("app_processes[web].max_requests replaces workers while they serve: ")
