# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the variables of an inventory mean together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleError

from ansible_collections.slipway.stack.plugins.plugin_utils import _preflight_variables as rules
from ansible_collections.slipway.stack.plugins.plugin_utils._preflight_report import Report

InventoryOf = Callable[..., Any]


def caused_by(cause: Exception) -> AnsibleError:
    error = AnsibleError("the template failed")
    error.__cause__ = cause
    return error


def test_processes_that_contradict_themselves_are_named_once(inventory_of: InventoryOf) -> None:
    cause = caused_by(ValueError("app_processes[web].count is 11: set it from 1 to 10"))
    specs: dict[str, Any] = {"app": {"app_site": {"type": "dict"}}, "ufw": {"ufw_rules": {"type": "list"}}}
    inventory = inventory_of(given={"app_site": cause, "ufw_rules": cause}, options=specs)
    report = Report(["one", "two"])
    for role in specs:
        rules._judge_spec(inventory, report, "one", role)
    assert report.problems == ["app_processes[web].count is 11: set it from 1 to 10."]


def test_what_else_cannot_be_worked_out_is_named_with_its_host(inventory_of: InventoryOf) -> None:
    inventory = inventory_of(
        given={"app_site": caused_by(ValueError("no address"))}, options={"app": {"app_site": {"type": "dict"}}}
    )
    report = Report(["one", "two"])
    rules._judge_spec(inventory, report, "one", "app")
    assert report.problems == ["one: app_site can't be worked out: no address."]
