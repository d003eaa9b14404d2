# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter: sum the database connections that an application may hold."""

from __future__ import annotations

DOCUMENTATION = r"""
name: connection_demand
short_description: Sum the database connections that an application may hold
version_added: 0.1.0
description:
  - Hosts times instances times worker processes times (pool plus overflow) times two slots for each routed process
    (one where it may not run twice), plus task workers and their children (twice as well, since old and new ones overlap), plus
    singletons, their leases and timers, plus 10 in reserve.
  - Behind a pooler of connections, what it opens takes the place of all but the leases and the reserve.
positional: hosts, pool, overflow, shared, read
options:
  _input:
    description: Processes as returned by P(slipway.stack.process_plan#filter).
    type: list
    elements: dict
    required: true
  hosts:
    description: How many hosts run the application.
    type: int
    required: true
  pool:
    description: Connections that each worker process keeps open.
    type: int
    required: true
  overflow:
    description: Connections that each worker process may open beyond its pool.
    type: int
    required: true
  shared:
    description: Connections that a pooler opens for all clients together. V(0) where there is none.
    type: int
    default: 0
  read:
    description: Connections that each worker process keeps open beside, to read from the same server.
    type: int
    default: 0
author:
  - slipway.stack contributors (@slipway)
"""

EXAMPLES = r"""
- name: Show how many connections the application may hold
  ansible.builtin.debug:
    msg: "{{ (processes | slipway.stack.connection_demand(2, 5, 10)).total }}"
  vars:
    processes: "{{ app_processes | slipway.stack.process_plan(app_name, app_port) }}"

- name: Show how many clients a pooler that opens 90 connections has
  ansible.builtin.debug:
    msg: "{{ (processes | slipway.stack.connection_demand(2, 5, 10, 90)).clients }}"
  vars:
    processes: "{{ app_processes | slipway.stack.process_plan(app_name, app_port) }}"
"""

RETURN = r"""
_value:
  description:
    - The sum and what it is made of. Behind a pooler also C(shared), C(clients) and C(clients_steady), which is what the application
      may open to it, the reserve included, and C(opened), what that is made of.
  type: dict
  sample:
    total: 250
    steady: 130
    reserved: 10
    parts:
      - name: web
        connections: 240
        steady: 120
        formula: 2 hosts x 1 instances x 4 workers x (5 pool + 10 overflow) x 2 slots
"""

import typing as t

from ansible_collections.slipway.stack.plugins.module_utils._processes import connection_demand


class FilterModule:
    """The filter under its name."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Return the filters of this file."""
        return {"connection_demand": connection_demand}
