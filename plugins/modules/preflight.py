#!/usr/bin/python
# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: preflight
short_description: Judge an inventory before any host is changed
version_added: 0.1.0
description:
  - Reads the variables of every host in the groups V(app), V(nginx), V(postgres) and V(redis), as the wiring completes
    them, and reports every problem at once, in sentences that name the variable and the mend. It runs on the
    controller and changes nothing.
options:
  phase:
    description:
      - V(inventory) judges what the controller knows without reaching a host. It checks each role's argument specs, secrets,
        processes, connections, certificates, groups, and variables that would silently lose.
      - V(hosts) judges what the hosts reported. It checks the distribution, memory, disk, interpreter, ports, names, and what
        the PostgreSQL server allows. It needs facts and the result of M(slipway.stack.host_probe), registered under the name
        in O(probe).
    type: str
    choices: [inventory, hosts]
    required: true
  probe:
    description: The variable under which each host's M(slipway.stack.host_probe) was registered.
    type: str
    default: __preflight_probe
  hosts:
    description: The hosts to judge in phase V(hosts).
    type: list
    elements: str
    default: []
  keeps_postgres:
    description:
      - Whether the run that follows leaves PostgreSQL's settings as they are, as a rollout does. A server that allows fewer
        connections than may be open at once is then refused; else a note says that it needs a restart.
    type: bool
    default: false
extends_documentation_fragment:
  - slipway.stack.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
    details: It changes nothing.
author:
  - slipway.stack contributors (@slipway)
"""

EXAMPLES = r"""
- name: Judge the inventory
  slipway.stack.preflight:
    phase: inventory
  run_once: true
"""

RETURN = r"""
problems:
  description: Every problem found, each with the hosts that have it.
  type: list
  elements: str
  returned: always
  sample: ["app_secrets.SECRET_KEY is a placeholder: set a random one, for instance from 'openssl rand -hex 32', in your vault."]
hints:
  description: What looks like a mistake but stops nothing.
  type: list
  elements: str
  returned: always
  sample: ["app_procceses is no variable of this collection: did you mean app_processes?"]
notes:
  description: What is as it was asked for, and good to know before it happens.
  type: list
  elements: str
  returned: always
  sample:
    - >-
      app_processes[queue] may not run twice: a rollout ends the old one before it starts the new one, ...
capacity:
  description:
    - Connections, and memory by host, in steady state and while two slots run.
    - C(table) has the lines of a table for people, with who gets how much of them on each host.
  type: dict
  returned: when O(phase=hosts)
  sample:
    connections: 130
    memory: {web1: {steady_mb: 856, peak_mb: 1456, total_mb: 4096}}
    table:
      - "web1           MB  two slots  connections  two slots"
      - "  system      256        256"
      - "  web         600       1200           60        120"
      - "  of 4096 MB  856       1456           60        120"
      - "PostgreSQL on db1: 70 connections, 130 while two slots run (10 of them in reserve); it is to allow 130."
"""
