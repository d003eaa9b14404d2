#!/usr/bin/python
# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ledger_entry
short_description: Note in an application's ledger what was done
version_added: 0.2.0
author:
  - slipway.stack contributors (@slipway)
description:
  - Appends one line to the ledger of an application on this host. What M(slipway.stack.deployment) does it notes itself.
extends_documentation_fragment:
  - slipway.stack.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
options:
  name:
    description: Name of the application.
    type: str
    required: true
  entry:
    description: What to note. The time is added.
    type: dict
    required: true
seealso:
  - module: slipway.stack.release_facts
"""

EXAMPLES = r"""
- name: Note that the column is gone
  slipway.stack.ledger_entry:
    name: shop
    entry: {outcome: contracted, release: 3f2a9c51d07e, database_before: "0004", database_after: "0005"}
"""

RETURN = r"""
entry:
  description: What was noted, but for the time.
  returned: success
  type: dict
  sample: {outcome: contracted, release: 3f2a9c51d07e}
"""

from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.slipway.stack.plugins.module_utils._errors import conclude
from ansible_collections.slipway.stack.plugins.module_utils._release import Layout, append_to_ledger


def run(module: AnsibleModule) -> dict[str, Any]:
    if not module.check_mode:
        append_to_ledger(Layout(module.params["name"], Path("/")), module.params["entry"])
    return {"changed": True, "entry": module.params["entry"]}


def main() -> None:
    module = AnsibleModule(
        argument_spec={"name": {"type": "str", "required": True}, "entry": {"type": "dict", "required": True}},
        supports_check_mode=True,
    )
    conclude(module, run)


if __name__ == "__main__":
    main()
