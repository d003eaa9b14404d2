# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter: the ledgers of several hosts as one table for people."""

from __future__ import annotations

DOCUMENTATION = r"""
name: ledger_table
short_description: Show the ledgers of several hosts as one table
version_added: 0.1.0
description:
  - Makes one line of each run, whichever hosts noted it, with aligned columns under a line of headings.
  - The newest is the last line. It is what one looks for, and in a terminal the last lines are the ones in sight.
  - A run that ended in two ways, such as failed on one host and rolled back on the others, has a line for each.
  - Columns that would be empty are left out. Fields that have no column are ignored.
positional: limit
options:
  _input:
    description:
      - The entries of each host, by the host's name.
      - An entry may have the fields C(at), C(outcome), C(run), C(release), C(version), C(revision), C(wanted), C(slot), C(by),
        C(from), C(seconds), C(steps), C(database_before), C(database_after) and C(reason).
    type: dict
    required: true
  limit:
    description: How many lines to show at most, the newest ones. V(0) shows all.
    type: int
    default: 20
author:
  - slipway.stack contributors (@slipway)
"""

EXAMPLES = r"""
- name: Show what was released
  ansible.builtin.debug:
    msg: "{{ (ledgers | slipway.stack.ledger_table(10)).splitlines() }}"
  vars:
    ledgers:
      web1:
        - at: "2026-11-23T11:00:05+00:00"
          outcome: live
          run: 20261123T110000-9f2c
          release: 4f0c1b7d9a21e6b3
          version: v1.4.3
          seconds: 11.4
"""

RETURN = r"""
_value:
  description:
    - The table, with line feeds between its lines. Empty when no host has an entry.
    - The columns are when it ended in local time, the outcome, version, release, commit and slot, the version that the inventory
      asked for, the database's revision before and after, by whom and from where, the seconds of the slowest host, the hosts,
      the seconds of each step and, where it failed, the reason, shortened.
  type: str
  sample: |-
    at                   outcome  version  release       by            seconds  hosts
    2026-11-23T12:00:05  live     v1.4.3   4f0c1b7d9a21  alice@deploy1    11.4  web1,web2
"""

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.slipway.stack.plugins.module_utils import _ledger_table as logic


def ledger_table(ledgers: t.Any, limit: int = 20) -> str:
    """Make the table; errors become the filter's."""
    if int(limit) < 0:
        raise AnsibleFilterError(f"limit is {limit}: give the number of lines to show, or 0 for all.")
    try:
        return logic.ledger_table(ledgers, int(limit))
    except (AttributeError, TypeError) as error:
        raise AnsibleFilterError(
            f"ledgers can't be shown: give each host's list of entries by its name ({error})."
        ) from error


class FilterModule:
    """The filter under its name."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Return the filters of this file."""
        return {"ledger_table": ledger_table}
