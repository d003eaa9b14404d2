# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter: estimate the memory that an application takes on a host."""

from __future__ import annotations

DOCUMENTATION = r"""
name: memory_demand
short_description: Estimate the memory that an application takes on a host
version_added: 0.1.0
description:
  - A process takes its C(memory_max) for each instance. Where nothing limits it, it takes 150 MB for each worker process of a
    server, and for each task worker and its children.
  - Routed processes and task workers run twice while a release is replaced, unless they may not overlap.
positional: cores, limit, singletons
options:
  _input:
    description: Processes as returned by P(slipway.stack.process_plan#filter).
    type: list
    elements: dict
    required: true
  cores:
    description: How many cores the host has, of which gunicorn makes its number of workers. V(0) where that isn't known.
    type: int
    default: 0
  limit:
    description: The limit, such as V(2G), of processes that have none of their own.
    type: str
    default: ""
  singletons:
    description: Whether what runs once in the fleet runs on this host.
    type: bool
    default: true
author:
  - slipway.stack contributors (@slipway)
"""

EXAMPLES = r"""
- name: Show how much memory the application takes while two slots run
  ansible.builtin.debug:
    msg: "{{ (processes | slipway.stack.memory_demand(ansible_facts['processor_vcpus'])).peak }} MB"
  vars:
    processes: "{{ app_processes | slipway.stack.process_plan(app_name, app_port) }}"
"""

RETURN = r"""
_value:
  description: The sums in MB, and what they are made of.
  type: dict
  sample:
    steady: 600
    peak: 1200
    parts:
      - name: web
        steady: 600.0
        peak: 1200.0
"""

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.slipway.stack.plugins.plugin_utils._memory import memory_demand as _memory_demand


def memory_demand(
    planned: t.Sequence[t.Mapping[str, t.Any]], cores: int = 0, limit: str = "", singletons: bool = True
) -> dict[str, t.Any]:
    """Estimate the memory; errors become the filter's."""
    try:
        return _memory_demand(planned, int(cores), str(limit), bool(singletons))
    except ValueError as error:
        raise AnsibleFilterError(f"{error}.") from error


class FilterModule:
    """The filter under its name."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Return the filters of this file."""
        return {"memory_demand": memory_demand}
