# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is said of an inventory that passes."""

from __future__ import annotations

from ansible_collections.slipway.stack.plugins.plugin_utils._preflight_report import Report
from ansible_collections.slipway.stack.plugins.plugin_utils._preflight_variables import replacement_note


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
