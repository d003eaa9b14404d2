# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: units
short_description: Bring many systemd units to their wanted states in one step
version_added: 0.1.0
author:
  - slipway.stack contributors (@slipway)
description:
  - Enables, disables, starts, stops, restarts and reloads a list of systemd units with a single task and as few
    calls of C(systemctl) as possible.
  - The manager's configuration is reloaded by itself when a unit's files are newer than what systemd has loaded.
  - When a unit fails, the message holds its result, its exit status and the last lines of its journal.
extends_documentation_fragment:
  - slipway.stack.attributes
attributes:
  check_mode:
    support: full
    details:
      - A unit that doesn't exist yet is no error in check mode. It counts as a change and is listed in
        RV(unknown_units), since nothing more can be known about it before it is installed.
  diff_mode:
    support: full
options:
  units:
    description:
      - The units. A service that was started must be running afterwards, unless it is of type C(oneshot).
      - All are first enabled and disabled, then stopped, started, restarted, and reloaded, in this order.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Full name of the unit, with its suffix.
        type: str
        required: true
      state:
        description:
          - V(started) and V(stopped) do nothing to a unit that is so already.
          - V(restarted) and V(reloaded) always act. Both start a unit that isn't running.
          - A unit that doesn't exist counts as stopped.
        type: str
        choices: [started, stopped, restarted, reloaded]
      enabled:
        description: Whether the unit starts at boot.
        type: bool
  daemon_reload:
    description:
      - Whether the manager's configuration is reloaded before anything else.
      - With V(auto), this is done if a unit has changed on disk since it was loaded, or isn't loaded yet.
      - A reload alone isn't reported as a change.
    type: str
    choices: [auto, always, never]
    default: auto
  wait:
    description:
      - For how many seconds a unit that was started may take to become active after C(systemctl start) returned.
      - C(systemctl start) itself waits for units that tell when they are ready.
    type: float
    default: 0
  journal_lines:
    description: How many of the last lines of its journal are shown for each unit that fails.
    type: int
    default: 20
seealso:
  - module: ansible.builtin.systemd_service
"""

EXAMPLES = r"""
- name: Run the web process, its worker and the nightly timer
  slipway.stack.units:
    units:
      - {name: shop-web@blue.service, state: started, enabled: true}
      - {name: shop-worker@1.service, state: restarted, enabled: true}
      - {name: shop-nightly.timer, state: started, enabled: true}

- name: Take a process out of service
  slipway.stack.units:
    units:
      - {name: shop-web@green.service, state: stopped, enabled: false}

- name: Start a unit that needs a moment to become active
  slipway.stack.units:
    units:
      - {name: shop-search.service, state: started}
    wait: 30
    journal_lines: 50
"""

RETURN = r"""
units:
  description: Each unit, in the order given.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Name of the unit.
      type: str
      sample: shop-web@blue.service
    changed:
      description: Whether the unit was changed.
      type: bool
      sample: true
    actions:
      description: What was done, or in check mode would be done.
      type: list
      elements: str
      sample: [enable, start]
    before:
      description: The state before. Its C(load) is V(not-found) for a unit that doesn't exist.
      type: dict
      sample: {load: loaded, active: inactive, sub: dead, enabled: disabled}
    after:
      description: The state after, which in check mode is a prediction.
      type: dict
      sample: {load: loaded, active: active, sub: running, enabled: enabled}
unknown_units:
  description: Units of which nothing can be known before they are installed. Empty outside check mode.
  returned: success
  type: list
  elements: str
  sample: []
daemon_reloaded:
  description: Whether the manager's configuration was reloaded, or in check mode would be.
  returned: success
  type: bool
  sample: true
failed_units:
  description: The units that did not reach their wanted states.
  returned: failure of a unit
  type: list
  elements: dict
  contains:
    name:
      description: Name of the unit.
      type: str
      sample: shop-worker@1.service
    result:
      description: Why the unit failed, as systemd names it.
      type: str
      sample: exit-code
    exit_status:
      description: Exit status of the unit's main process, or the number of the signal that ended it.
      type: str
      sample: "3"
    journal:
      description: The last lines of the unit's journal.
      type: list
      elements: str
      sample: ["2026-11-23T05:00:00+0000 web1 shop[812]: KeyError: 'BROKER_URL'"]
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.slipway.stack.plugins.module_utils._errors import conclude
from ansible_collections.slipway.stack.plugins.module_utils._units_run import Options, converge


def run(module: AnsibleModule) -> dict[str, Any]:
    def call(words: list[str]) -> tuple[int, str, str]:
        code, out, err = module.run_command(words, handle_exceptions=False)
        return code, out, err

    options = Options(
        check_mode=module.check_mode,
        diff=module._diff,
        daemon_reload=module.params["daemon_reload"],
        wait=module.params["wait"],
        journal_lines=module.params["journal_lines"],
    )
    return converge(module.params["units"], call, options)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "units": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {
                    "name": {"type": "str", "required": True},
                    "state": {"type": "str", "choices": ["started", "stopped", "restarted", "reloaded"]},
                    "enabled": {"type": "bool"},
                },
            },
            "daemon_reload": {"type": "str", "choices": ["auto", "always", "never"], "default": "auto"},
            "wait": {"type": "float", "default": 0},
            "journal_lines": {"type": "int", "default": 20},
        },
        supports_check_mode=True,
    )
    conclude(module, run)


if __name__ == "__main__":
    main()
