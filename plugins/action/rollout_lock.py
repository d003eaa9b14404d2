# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Action: take the lock of an application with the identity of the controller, also from a controller that has ended."""

from __future__ import annotations

import typing as t

from ansible.plugins.action import ActionBase

from ansible_collections.slipway.stack.plugins.plugin_utils._controller_process import (
    has_ended,
    this_controller,
    this_owner,
)


class ActionModule(ActionBase):
    """The action under its name."""

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Ask the host, and once more when the holder turns out to be a process of this machine that has ended."""
        super().run(tmp, task_vars)
        here = this_controller()
        arguments = {"owner": this_owner(), **self._task.args, "controller": here, "ended": {}}
        result = self._execute_module(module_args=arguments, task_vars=task_vars)
        holder = (result.get("holder") or {}).get("controller") or {}
        if arguments.get("state") != "released" and has_ended(holder, here):
            result = self._execute_module(module_args={**arguments, "ended": holder}, task_vars=task_vars)
        return t.cast("dict[str, t.Any]", result)
