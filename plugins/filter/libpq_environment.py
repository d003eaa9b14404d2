# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter: the environment by which PostgreSQL's own programs reach what a URL names."""

from __future__ import annotations

DOCUMENTATION = r"""
name: libpq_environment
short_description: Give the environment by which PostgreSQL's own programs reach what a URL names
version_added: 0.1.0
description:
  - Takes the URL of a database for any driver, and returns the variables that C(psql), C(pg_dump) and libpq read.
  - What the URL says for another driver alone is left out.
options:
  _input:
    description: A URL, such as C(postgresql+asyncpg://user:password@host:5432/name?ssl=require).
    type: str
    required: true
author:
  - slipway.stack contributors (@slipway)
"""

EXAMPLES = r"""
- name: Ask the database for its version
  ansible.builtin.command:
    argv: [psql, -Atc, SELECT version()]
  environment: "{{ app_database_url | slipway.stack.libpq_environment }}"
  changed_when: false
"""

RETURN = r"""
_value:
  description: The variables.
  type: dict
  sample: {PGHOST: 10.0.0.5, PGPORT: "5432", PGUSER: shop, PGPASSWORD: p@ss, PGDATABASE: shop, PGSSLMODE: require}
"""

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.slipway.stack.plugins.module_utils._urls import libpq_environment as derive


def libpq_environment(url: str) -> dict[str, str]:
    """Derive the variables; errors become the filter's."""
    try:
        return derive(url)
    except (ValueError, TypeError) as error:
        raise AnsibleFilterError(f"the database URL can't be understood: {error}") from error


class FilterModule:
    """The filter under its name."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Return the filters of this file."""
        return {"libpq_environment": libpq_environment}
