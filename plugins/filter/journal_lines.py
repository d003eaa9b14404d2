# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter: the journals of several hosts as lines in the order of time."""

from __future__ import annotations

DOCUMENTATION = r"""
name: journal_lines
short_description: Merge the journals of several hosts by time
version_added: 0.1.0
description:
  - Makes one line of each entry, with its time in UTC, its host and its unit. The newest is the last line.
  - What would move the cursor or begin another line becomes a space.
positional: limit
options:
  _input:
    description: What C(journalctl --output=json) printed on each host, by the host's name.
    type: dict
    required: true
  limit:
    description: How many lines to give at most, the newest ones. V(0) gives all.
    type: int
    default: 0
author:
  - slipway.stack contributors (@slipway)
"""

EXAMPLES = r"""
- name: Show what two hosts wrote
  ansible.builtin.debug:
    msg: "{{ {'web1': one.stdout, 'web2': two.stdout} | slipway.stack.journal_lines(100) }}"
  vars:
    one: {stdout: '{"__REALTIME_TIMESTAMP": "1795420800250000", "_SYSTEMD_UNIT": "shop-web@blue.service", "MESSAGE": "ready"}'}
    two: {stdout: ""}
"""

RETURN = r"""
_value:
  description: The lines.
  type: list
  elements: str
  sample: ["2026-11-23T08:00:00.250Z  web1  shop-web@blue  ready"]
"""

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.slipway.stack.plugins.module_utils._journal_lines import journal_lines as merge


def journal_lines(journals: t.Any, limit: int = 0) -> list[str]:
    """Merge the journals; errors become the filter's."""
    try:
        return merge(journals, int(limit))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise AnsibleFilterError(
            f"journals can't be merged: give what journalctl --output=json printed, by the host's name ({error})."
        ) from error


class FilterModule:
    """The filter under its name."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Return the filters of this file."""
        return {"journal_lines": journal_lines}
