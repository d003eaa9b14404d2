# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter: the addresses of each routed process in both slots."""

from __future__ import annotations

DOCUMENTATION = r"""
name: upstreams
short_description: List the addresses of each routed process in both slots
version_added: 0.1.0
description:
  - Pairs the ports of routed processes with the addresses of the hosts that run them, in the form that
    C(nginx_upstreams) wants.
  - A process that may not run twice has the same port in both slots, no idle connections, and as long to answer as its
    replacement may take.
positional: addresses
options:
  _input:
    description: Processes as returned by P(slipway.stack.process_plan#filter).
    type: list
    elements: dict
    required: true
  addresses:
    description: One address for each host that runs the application. An empty one leaves a port with its colon.
    type: list
    elements: str
    required: true
author:
  - slipway.stack contributors (@slipway)
"""

EXAMPLES = r"""
- name: Show the upstreams of two hosts
  ansible.builtin.debug:
    msg: "{{ processes | slipway.stack.upstreams(['10.0.0.11', '10.0.0.12']) }}"
  vars:
    processes: "{{ app_processes | slipway.stack.process_plan(app_name, app_port) }}"
"""

RETURN = r"""
_value:
  description: One entry for each routed process.
  type: list
  elements: dict
  sample:
    - name: web
      blue: ["10.0.0.11:8000", "10.0.0.12:8000"]
      green: ["10.0.0.11:8050", "10.0.0.12:8050"]
"""

import typing as t

from ansible_collections.slipway.stack.plugins.module_utils._processes import upstreams


class FilterModule:
    """The filter under its name."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Return the filters of this file."""
        return {"upstreams": upstreams}
