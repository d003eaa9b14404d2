# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: fragment
short_description: Leave what one application needs of a shared server beside what the others need
version_added: 0.1.0
author:
  - slipway.stack contributors (@slipway)
description:
  - Some settings of a server are the sum or the maximum of what several applications need. Each application leaves
    its needs as a JSON file under its own name in a common directory.
  - The module writes or removes the file of one application, and returns the needs of all, so that the caller can
    compute the setting. The files of the others are never touched.
extends_documentation_fragment:
  - slipway.stack.attributes
attributes:
  check_mode:
    support: full
    details:
      - In check mode too, RV(merged) is what it would be after the change.
  diff_mode:
    support: full
options:
  directory:
    description:
      - Absolute path of the common directory.
      - It and its parents are created with mode V(0755) where they don't exist.
    type: path
    required: true
  name:
    description: Name of the application, in lower-case letters, digits and hyphens.
    type: str
    required: true
  content:
    description: What the application needs. Required with O(state=present).
    type: dict
  state:
    description: Whether the application needs anything of the server.
    type: str
    choices: [present, absent]
    default: present
  mode:
    description: Permissions of the file, as a quoted octal number with a leading zero.
    type: str
    default: "0644"
seealso:
  - module: slipway.stack.files
"""

EXAMPLES = r"""
- name: Say how many connections the shop needs
  slipway.stack.fragment:
    directory: /etc/slipway/postgres.d
    name: shop
    content:
      connections: 60
  register: needs

- name: Show how many connections all applications need
  ansible.builtin.debug:
    msg: "{{ needs.merged.values() | map(attribute='connections') | sum }}"

- name: Need nothing any more
  slipway.stack.fragment:
    directory: /etc/slipway/postgres.d
    name: shop
    state: absent
"""

RETURN = r"""
file:
  description: Path of this application's file.
  returned: success
  type: str
  sample: /etc/slipway/postgres.d/shop.json
merged:
  description: What each application needs, by its name, as it is after the change.
  returned: success
  type: dict
  sample: {blog: {connections: 40}, shop: {connections: 60}}
others:
  description: Like RV(merged), without the application itself.
  returned: success
  type: dict
  sample: {blog: {connections: 40}}
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.slipway.stack.plugins.module_utils._atomic import parse_mode
from ansible_collections.slipway.stack.plugins.module_utils._errors import conclude
from ansible_collections.slipway.stack.plugins.module_utils._fragments import apply, diff_of, plan


def run(module: AnsibleModule) -> dict[str, Any]:
    parameters = module.params
    content = parameters["content"] if parameters["state"] == "present" else None
    mode = parse_mode(parameters["mode"], parameters["name"])
    step = plan(parameters["directory"], parameters["name"], content, mode)
    if step.changed and not module.check_mode:
        apply(step)
    result: dict[str, Any] = {
        "changed": step.changed,
        "file": step.path,
        "merged": step.merged,
        "others": step.others,
    }
    if module._diff:
        result["diff"] = diff_of(step)
    return result


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "directory": {"type": "path", "required": True},
            "name": {"type": "str", "required": True},
            "content": {"type": "dict"},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "mode": {"type": "str", "default": "0644"},
        },
        required_if=[("state", "present", ["content"])],
        supports_check_mode=True,
    )
    conclude(module, run)


if __name__ == "__main__":
    main()
