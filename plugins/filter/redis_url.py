# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter: compose the URL of a Redis server."""

from __future__ import annotations

DOCUMENTATION = r"""
name: redis_url
short_description: Compose the URL of a Redis server
version_added: 0.1.0
description:
  - Composes a URL from a host and its credentials. Names and passwords are percent-encoded.
positional: port, password, database, user
options:
  _input:
    description: The host's name or address.
    type: str
    required: true
  port:
    description: The port.
    type: int
    default: 6379
  password:
    description: The password; empty for none.
    type: str
    default: ""
  database:
    description: The number of the database.
    type: int
    default: 0
  user:
    description: The ACL user; empty for the default user.
    type: str
    default: ""
author:
  - slipway.stack contributors (@slipway)
"""

EXAMPLES = r"""
- name: Show where the cache is
  ansible.builtin.debug:
    msg: "{{ '10.0.0.5' | slipway.stack.redis_url(6379) }}"
"""

RETURN = r"""
_value:
  description: The URL.
  type: str
  sample: redis://10.0.0.5:6379/0
"""

import typing as t

from ansible_collections.slipway.stack.plugins.module_utils._urls import redis_url


class FilterModule:
    """The filter under its name."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Return the filters of this file."""
        return {"redis_url": redis_url}
