# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter: compose the URL of a database for one driver."""

from __future__ import annotations

DOCUMENTATION = r"""
name: database_url
short_description: Compose the URL of a database for one driver
version_added: 0.1.0
description:
  - Composes a URL from parts, or gives a URL another driver or port. User names and passwords are percent-encoded.
  - The wish for an encrypted connection is spelled as the driver wants it (C(ssl) for asyncpg, else C(sslmode)).
positional: driver, port
options:
  _input:
    description:
      - A URL, or a mapping with C(host), C(name), C(user), and optionally C(driver), C(port), C(password), C(sslmode).
    type: raw
    required: true
  driver:
    description: The scheme of the result, such as C(postgresql+asyncpg). Left out, that of the input is kept.
    type: str
  port:
    description: The port of the result. Left out, that of the input is kept.
    type: int
author:
  - slipway.stack contributors (@slipway)
"""

EXAMPLES = r"""
- name: Give a second library the URL for its own driver
  ansible.builtin.debug:
    msg: "{{ app_database_url | slipway.stack.database_url('postgresql+psycopg') }}"

- name: Show the URL of the server behind a pooler
  ansible.builtin.debug:
    msg: "{{ app_database_url | slipway.stack.database_url(port=5432) }}"
"""

RETURN = r"""
_value:
  description: The URL.
  type: str
  sample: postgresql+asyncpg://shop:p%40ss@10.0.0.5:5432/shop?ssl=require
"""

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.slipway.stack.plugins.module_utils._urls import database_url as compose


def database_url(source: t.Any, driver: str = "", port: int = 0) -> str:
    """Compose the URL; errors become the filter's."""
    try:
        return compose(source, driver, int(port))
    except (ValueError, KeyError, TypeError) as error:
        raise AnsibleFilterError(f"the database URL can't be composed: {error}") from error


class FilterModule:
    """The filter under its name."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Return the filters of this file."""
        return {"database_url": database_url}
