# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter: complete an application's processes with ports and units."""

from __future__ import annotations

DOCUMENTATION = r"""
name: process_plan
short_description: Complete an application's processes with their kinds, ports and units
version_added: 0.1.0
description:
  - Takes C(app_processes) as the user wrote them and returns each with its defaults, its kind, and the ports and
    systemd units of its instances in both slots.
  - A process with a C(module), or with C(routed=true), is routed; one with a C(schedule) is a timer; one with
    C(singleton=true) runs once in the fleet; every other one is a worker.
  - A routed process or a worker with C(overlap=false) is C(exclusive), with one unit and one port for both slots.
  - A server that C(WEB_CONCURRENCY), C(GUNICORN_WORKERS) or C(UVICORN_WORKERS) tells how many workers to start has that
    number as C(told_workers).
  - A load, which bounds how many workers gunicorn starts by itself, leaves its bound as C(most_workers).
positional: app_name, app_port, environment, load
options:
  _input:
    description: The processes as in C(app_processes).
    type: list
    elements: dict
    required: true
  app_name:
    description: The application's name, the first part of each unit's name.
    type: str
    required: true
  app_port:
    description: The first port of the application's range of 100.
    type: int
    required: true
  environment:
    description: Variables that every process of the application is told, as in C(app_environment).
    type: dict
    default: {}
  load:
    description: The load that P(slipway.stack.load_profile#filter) knows, as in C(app_load).
    type: str
    default: ""
author:
  - slipway.stack contributors (@slipway)
"""

EXAMPLES = r"""
- name: Show the ports of the first process in slot green
  ansible.builtin.debug:
    msg: "{{ (app_processes | slipway.stack.process_plan(app_name, app_port))[0].ports.green }}"
"""

RETURN = r"""
_value:
  description: The completed processes, in the order given.
  type: list
  elements: dict
  sample:
    - name: web
      kind: routed
      ports: {blue: [8000], green: [8050]}
      units: {blue: [shop-web@blue.service], green: [shop-web@green.service]}
"""

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.slipway.stack.plugins.module_utils._processes import plan


def process_plan(
    processes: t.Any,
    app_name: str,
    app_port: int,
    environment: t.Mapping[str, t.Any] | None = None,
    load: str = "",
) -> list[dict[str, t.Any]]:
    """Complete processes; errors become the filter's."""
    try:
        return plan(processes, app_name, int(app_port), environment, load)
    except (ValueError, KeyError, TypeError) as error:
        raise AnsibleFilterError(f"app_processes can't be planned: {error}") from error


class FilterModule:
    """The filter under its name."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Return the filters of this file."""
        return {"process_plan": process_plan}
