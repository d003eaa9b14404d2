# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter: what a load means for every part of the stack."""

from __future__ import annotations

DOCUMENTATION = r"""
name: load_profile
short_description: Tell what a load means for every part of the stack
version_added: 0.1.0
description:
  - Returns the sizes that C(app_load) stands for, so that gunicorn, the pools of connections, Redis and nginx fit each other.
    PostgreSQL is sized for the connections that follow.
options:
  _input:
    description: V(light), V(medium), V(heavy), V(very_heavy), or empty for the sizes of who says nothing of a load.
    type: str
    required: true
author:
  - slipway.stack contributors (@slipway)
"""

EXAMPLES = r"""
- name: Show how many connections each worker keeps open
  ansible.builtin.debug:
    msg: "{{ ('heavy' | slipway.stack.load_profile).pool }}"
"""

RETURN = r"""
_value:
  description:
    - C(workers), the most that gunicorn starts where nothing says how many; C(pool) and C(overflow), the connections of each;
      C(redis_maxmemory); C(keepalive), the idle connections of nginx to each process.
    - C(pooler) tells whether so many connections need a pooler between the application and PostgreSQL.
  type: dict
  sample: {workers: 8, pool: 20, overflow: 40, redis_maxmemory: 1gb, keepalive: 64, pooler: false}
"""

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.slipway.stack.plugins.module_utils._load import load_profile as _load_profile


def load_profile(load: t.Any) -> dict[str, t.Any]:
    """Return the sizes for a load; errors become the filter's."""
    try:
        return _load_profile(str(load))
    except ValueError as error:
        raise AnsibleFilterError(f"{error}.") from error


class FilterModule:
    """The filter under its name."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Return the filters of this file."""
        return {"load_profile": load_profile}
