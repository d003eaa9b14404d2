# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter: which release a fleet is to run, and in which slot."""

from __future__ import annotations

DOCUMENTATION = r"""
name: rollout_plan
short_description: Decide which release a fleet is to run, and in which slot
version_added: 0.1.0
description:
  - Decides once for all hosts, from what M(slipway.stack.release_facts) found on each of them and what
    M(slipway.stack.slot) read on each proxy.
  - The proxies say which slot is live. Where they disagree, since an earlier run ended in the middle of its switch, it is
    what the hosts recorded.
positional: proxies, source, mode, settings
options:
  _input:
    description: For each host that runs the application, what M(slipway.stack.release_facts) returned.
    type: dict
    required: true
  proxies:
    description: For each proxy, what M(slipway.stack.slot) returned.
    type: dict
    required: true
  source:
    description: What M(slipway.stack.source) returned. May be empty with O(mode=rollback) and O(mode=restart).
    type: dict
    required: true
  mode:
    description:
      - With V(deploy), what the inventory says.
      - With V(keep), the same, but version and settings stay as they are where the inventory's have not changed since the
        live release was made live, so that an upgrade or a rollback isn't undone.
      - With V(rollback), the release before, or O(back_to).
      - With V(restart), the live release, in the other slot.
    type: str
    choices: [deploy, keep, rollback, restart]
    required: true
  settings:
    description: Hash of everything but the source of which a change needs a restart.
    type: str
    required: true
  version:
    description: The version that is asked for; empty for a directory or an archive.
    type: str
    default: ""
  inventory_version:
    description: The version that the inventory names, which C(-e app_version=...) may outrank.
    type: str
    default: ""
  back_to:
    description: Release or version to go back to.
    type: str
    default: ""
  cut:
    description: Whether connections that a process lets last for long may be ended, where the release needs their slot.
    type: bool
    default: false
  site:
    description:
      - What proxies are to be told of the release, C(addresses) of the hosts by their names, C(processes) as
        P(slipway.stack.upstreams#filter) returns them for no address, and C(routes). Nothing is told where it is empty.
      - A release that is gone back to, or kept, has what was kept with it.
    type: dict
    default: {}
  has_files:
    description: Whether the release has static files.
    type: bool
    default: false
author:
  - slipway.stack contributors (@slipway)
"""

EXAMPLES = r"""
- name: Decide
  ansible.builtin.set_fact:
    shop_rollout: "{{ {inventory_hostname: shop_facts} | slipway.stack.rollout_plan({}, shop_source, 'deploy', 'a1') }}"
"""

RETURN = r"""
_value:
  description: The release, its slot, what is live now, and whether anything moves.
  type: dict
  sample:
    mode: deploy
    release: 3f2a9c51d07e
    version: v1.4.2
    revision: 0c5b11d2e3f4a5b6c7d8e9f00112233445566778
    slot: green
    live_slot: blue
    before: {slot: blue, release: 91aa0c3de512, version: v1.4.1}
    described: true
    moves: true
    strays: []
    wanted: {version: v1.4.2, settings: a1}
    note: ""
    site: {}
    sites: {}
    files: {}
"""

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.slipway.stack.plugins.module_utils._rollout import UndecidedError, Wish, choose


def rollout_plan(
    hosts: t.Mapping[str, t.Any],
    proxies: t.Mapping[str, t.Any],
    source: t.Mapping[str, t.Any],
    mode: str,
    settings: str,
    **more: t.Any,
) -> dict[str, t.Any]:
    """Decide; errors become the filter's."""
    try:
        return choose(hosts, proxies, source, Wish(mode, settings, **more))
    except UndecidedError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """The filter under its name."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Return the filters of this file."""
        return {"rollout_plan": rollout_plan}
