# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: slot
short_description: Read or switch the slot that a site's requests go to
version_added: 0.1.0
author:
  - slipway.stack contributors (@slipway)
description:
  - A site that the role P(slipway.stack.nginx#role) made sends its requests to the slot blue, or to the slot green while
    a flag file exists. nginx looks for the flag at each request, so nothing is reloaded and no connection is closed.
  - The flag is created and removed in one step and outlives a reboot.
extends_documentation_fragment:
  - slipway.stack.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
options:
  site:
    description: Name of the site, as in RV(ignore:nginx_site).
    type: str
    required: true
  state:
    description:
      - The slot that new requests shall go to.
      - With V(query), nothing changes, and the slot is returned.
    type: str
    choices: [query, blue, green]
    default: query
  directory:
    description: Where the flags are.
    type: path
    default: /var/lib/slipway/slots
seealso:
  - module: slipway.stack.health_check
"""

EXAMPLES = r"""
- name: Ask which slot is live
  slipway.stack.slot:
    site: shop
  register: shop_slot

- name: Send new requests to the other slot
  slipway.stack.slot:
    site: shop
    state: "{{ 'blue' if shop_slot.after == 'green' else 'green' }}"
"""

RETURN = r"""
before:
  description: The slot that requests went to.
  returned: success
  type: str
  sample: blue
after:
  description: The slot that requests go to now, or in check mode would go to.
  returned: success
  type: str
  sample: green
path:
  description: The flag file.
  returned: success
  type: str
  sample: /var/lib/slipway/slots/shop.green
readable:
  description:
    - Whether nginx's workers can look into every directory above the flag. Where they can't, they take the slot for blue.
    - O(state=blue) and O(state=green) fail rather than return V(false).
  returned: success
  type: bool
  sample: true
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.slipway.stack.plugins.module_utils import _slot as logic
from ansible_collections.slipway.stack.plugins.module_utils._errors import StackError


def run(module: AnsibleModule) -> dict[str, Any]:
    path = logic.flag_path(module.params["directory"], module.params["site"])
    state = module.params["state"]
    before = logic.read(path)
    after = before if state == "query" else state
    hidden_by = logic.hidden_by(path)
    if hidden_by and state != "query":
        raise StackError(
            f"nginx's workers can't look into {hidden_by}, so they would take every slot for blue: chmod o+x {hidden_by}."
        )
    result: dict[str, Any] = {
        "changed": before != after,
        "before": before,
        "after": after,
        "path": path,
        "readable": hidden_by is None,
    }
    if module._diff and result["changed"]:
        result["diff"] = {
            "before": f"{before}\n",
            "after": f"{after}\n",
            "before_header": f"live slot of {module.params['site']}",
            "after_header": f"live slot of {module.params['site']}",
        }
    if result["changed"] and not module.check_mode:
        logic.switch(path, after)
    return result


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "site": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["query", "blue", "green"], "default": "query"},
            "directory": {"type": "path", "default": "/var/lib/slipway/slots"},
        },
        supports_check_mode=True,
    )
    try:
        result = run(module)
    except StackError as error:
        module.fail_json(msg=str(error), **error.details)
    except OSError as error:
        module.fail_json(msg=f"{error.filename}: {error.strerror}")
    module.exit_json(**result)


if __name__ == "__main__":
    main()
