# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lookup: what a variable is without the command line's extra variables."""

from __future__ import annotations

DOCUMENTATION = r"""
name: inventory_value
short_description: Tell what a variable of the current host is without extra variables
version_added: 0.1.0
author:
  - slipway.stack contributors (@slipway)
description:
  - An extra variable (C(-e app_version=v1.4.3)) hides what the inventory says. A rollout notes both, so that a later run of
    P(slipway.stack.app#role) can tell whether the inventory has changed since.
options:
  _terms:
    description: Names of variables.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Say which version the inventory names
  ansible.builtin.debug:
    msg: "{{ lookup('slipway.stack.inventory_value', 'app_version') }}"
"""

RETURN = r"""
_list:
  description: Their values; an empty string for one that isn't set.
  type: list
  elements: raw
"""

import copy
import typing as t

from ansible.plugins.lookup import LookupBase
from ansible.template import Templar


class LookupModule(LookupBase):
    """Look variables up with the extra variables left out."""

    def run(self, terms: list[str], variables: dict[str, t.Any] | None = None, **_options: t.Any) -> list[t.Any]:
        """Return the value of each variable in terms."""
        variables = variables or {}
        # There's no public way to ask: hostvars holds the manager that knows where each value came from.
        manager = copy.copy(variables["hostvars"]._variable_manager)
        extra = manager._extra_vars
        templar = t.cast(Templar, self._templar)
        if not any(term in extra for term in terms):
            return [templar.template(variables.get(term, "")) for term in terms]
        manager._extra_vars = {name: value for name, value in extra.items() if name not in terms}
        host = variables["hostvars"]._inventory.get_host(variables["inventory_hostname"])
        own = manager.get_vars(host=host, include_hostvars=False)
        own_templar = templar.copy_with_new_env(available_variables={**variables, **own})
        return [own_templar.template(own.get(term, "")) for term in terms]
