# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Action: judge an inventory before any host is changed."""

from __future__ import annotations

import typing as t

from ansible import context
from ansible.plugins.action import ActionBase

from ansible_collections.slipway.stack.plugins.plugin_utils._preflight_hosts import judge_hosts
from ansible_collections.slipway.stack.plugins.plugin_utils._preflight_inventory import Inventory
from ansible_collections.slipway.stack.plugins.plugin_utils._preflight_report import Report
from ansible_collections.slipway.stack.plugins.plugin_utils._preflight_variables import judge_variables


class ActionModule(ActionBase):
    """The action under its name."""

    _requires_connection = False

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Judge one phase and report every problem at once."""
        super().run(tmp, task_vars)
        _result, arguments = self.validate_argument_spec(
            argument_spec={
                "phase": {"type": "str", "choices": ["inventory", "hosts"], "required": True},
                "probe": {"type": "str", "default": "__preflight_probe"},
                "hosts": {"type": "list", "elements": "str", "default": []},
                "keeps_postgres": {"type": "bool", "default": False},
            }
        )
        inventory = Inventory(task_vars or {}, self._templar, self._loader)
        report = Report(inventory.hosts)
        if arguments["phase"] == "inventory":
            judge_variables(inventory, report, context.CLIARGS.get("args", ()))
            return report.result("the inventory")
        judge_hosts(inventory, report, arguments["hosts"], arguments["probe"], arguments["keeps_postgres"])
        return report.result("the hosts")
