# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter: measure how long each step of something takes, by the controller's clock."""

from __future__ import annotations

DOCUMENTATION = r"""
name: step
short_description: End the step that is under way, and begin another
version_added: 0.1.0
description:
  - Takes what it returned at the step before, and notes how long that took. So the steps add up to the whole.
  - The clock is the controller's, since those of hosts differ.
positional: name
options:
  _input:
    description: What was noted so far; empty at the first step.
    type: dict
    required: true
  name:
    description: The step that begins. Empty where none does.
    type: str
    default: ""
author:
  - slipway.stack contributors (@slipway)
"""

EXAMPLES = r"""
- name: Begin
  ansible.builtin.set_fact:
    shop_steps: "{{ {} | slipway.stack.step('build') }}"

- name: Go on to the switch
  ansible.builtin.set_fact:
    shop_steps: "{{ shop_steps | slipway.stack.step('switch') }}"

- name: Say how long each took
  ansible.builtin.debug:
    msg: "{{ (shop_steps | slipway.stack.step).seconds }}"
"""

RETURN = r"""
_value:
  description: The step that is under way, when it and the first one began, and how long each of those before took.
  type: dict
  sample:
    name: switch
    since: 1795431605.2
    began: 1795431596.1
    seconds: {build: 9.12}
"""

import time
import typing as t


def step(steps: t.Mapping[str, t.Any], name: str = "") -> dict[str, t.Any]:
    """A step that is gone back to goes on."""
    now = time.time()
    seconds = dict(steps.get("seconds", {}))
    under_way = steps.get("name", "")
    if under_way:
        seconds[under_way] = round(seconds.get(under_way, 0.0) + now - steps["since"], 2)
    return {"name": name, "since": now, "began": steps.get("began", now), "seconds": seconds}


class FilterModule:
    """The filter under its name."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Return the filters of this file."""
        return {"step": step}
