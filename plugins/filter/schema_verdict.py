# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter: whether an older release can run on the schema as it is."""

from __future__ import annotations

DOCUMENTATION = r"""
name: schema_verdict
short_description: Tell whether an older release can run on the schema as it is
version_added: 0.2.0
description:
  - Judges by the ledgers of all hosts, where each migration is noted with its kind. An older release can run on what was
    only added to since. After anything else it says what can be done.
positional: release, version, choice, tool
options:
  _input:
    description: The ledgers of the hosts, each with the oldest entry first.
    type: list
    elements: list
    required: true
  release:
    description: Release to go back to.
    type: str
    required: true
  version:
    description: Its version, for people.
    type: str
    required: true
  choice:
    description:
      - What was chosen. V(downgrade) takes the schema back as well, V(restore) brings the database of the backup back that
        was made before, V(force) goes back in any case.
    type: str
    choices: ["", downgrade, restore, force]
    required: true
  tool:
    description: What migrates, empty for nothing. Commands can't take a migration back.
    type: str
    required: true
author:
  - slipway.stack contributors (@slipway)
"""

EXAMPLES = r"""
- name: Refuse to go back where the release before couldn't run
  ansible.builtin.assert:
    that: ([shop_facts.ledger] | slipway.stack.schema_verdict('3f2a9c51d07e', 'v1.4.1', '', 'alembic')).obstacle == ''
"""

RETURN = r"""
_value:
  description:
    - The obstacle in words, empty for none; the revision to downgrade to; the backup to restore; how many migrations there
      were; and what there is to choose, should the release not start on their schema.
  type: dict
  sample: {obstacle: "", downgrade_to: "", restore: "", changes: 1, choices: "Choose: -e app_database=downgrade takes ..."}
"""

import typing as t

from ansible_collections.slipway.stack.plugins.module_utils._schema_history import verdict


class FilterModule:
    """The filter under its name."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Return the filters of this file."""
        return {"schema_verdict": verdict}
