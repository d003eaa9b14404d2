#!/usr/bin/python
# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: release_facts
short_description: Tell which releases of an application a host holds, and which slot is live
version_added: 0.1.0
author:
  - slipway.stack contributors (@slipway)
description:
  - Looks at the host and changes nothing. Everything is empty on a host that never saw the application.
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
  root:
    description: Directory of the application.
    type: path
    required: true
  user:
    description: User of the application. The default is O(name).
    type: str
  uid:
    description: Number that the user shall get; V(0) for 1000 where that is free.
    type: int
    default: 0
  settings:
    description: Hash of what this host is told, which is returned as it is, so that one host's is known to the others.
    type: str
    default: ""
  ledger:
    description: How many of the ledger's last entries to return.
    type: int
    default: 0
seealso:
  - module: slipway.stack.release
"""

EXAMPLES = r"""
- name: Look at what is there
  slipway.stack.release_facts:
    name: shop
    root: /srv/shop
  register: shop

- name: Say which release serves
  ansible.builtin.debug:
    msg: "{{ shop.live.release }} in slot {{ shop.live.slot }}"
"""

RETURN = r"""
releases:
  description: What is known of each complete release, the newest first.
  returned: success
  type: list
  elements: dict
  sample: [{id: 3f2a9c51d07e, version: v1.4.2, built_at: '2026-11-23T10:00:00+00:00'}]
release_ids:
  description: The names of the complete releases, the newest first.
  returned: success
  type: list
  elements: str
  sample: [3f2a9c51d07e, 0c5b11d2e3f4]
slots:
  description: For each slot the release that it holds and the unit files that there are.
  returned: success
  type: dict
  sample: {blue: {release: 3f2a9c51d07e, units: [shop-web@blue.service]}, green: {release: "", units: []}}
live:
  description: The live slot, its release, and the release before. C(slot) is empty where nothing was ever live.
  returned: success
  type: dict
  sample: {slot: blue, release: 3f2a9c51d07e, previous: 0c5b11d2e3f4, version: v1.4.2}
draining:
  description:
    - Who is still connected to the slot that isn't live, and may be for longer than a new release that needs it waits. Empty
      where nobody is.
  returned: success
  type: dict
  sample: {units: [shop-live@blue.service], connections: 5, until: '2026-11-23T14:00:00+00:00'}
previous_good:
  description: The release that was live before the live one was deployed, by the ledger, where it is still there.
  returned: success
  type: str
  sample: 0c5b11d2e3f4
sites:
  description: What proxies were told of each release that was live, as kept with it.
  returned: success
  type: dict
  sample: {3f2a9c51d07e: {addresses: {web1: 10.0.0.11}, processes: [{name: web, blue: [":8000"], green: [":8050"]}], routes: [{path: /}]}}
static_releases:
  description: The releases that have static files.
  returned: success
  type: list
  elements: str
  sample: [3f2a9c51d07e]
ledger:
  description: The ledger's last entries, the oldest first.
  returned: success
  type: list
  elements: dict
  sample: [{at: '2026-11-23T10:00:00+00:00', outcome: live, release: 3f2a9c51d07e, version: v1.4.2, slot: green}]
live_inputs:
  description: What the bundle of the live release was made of, beside the release.
  returned: success
  type: str
  sample: 9f86d081884c7d65
live_targets:
  description: What M(slipway.stack.health_check) looks at to tell whether the live release is healthy, workers included.
  returned: success
  type: list
  elements: dict
  sample: [{name: shop-web@blue.service, url: "http://127.0.0.1:8000/health"}]
units:
  description: All unit files of the application, timers included.
  returned: success
  type: list
  elements: str
  sample: [shop-nightly.timer, shop-web@blue.service]
user:
  description: Whether the user exists, and its number; V(0) where the system shall choose one.
  returned: success
  type: dict
  sample: {name: shop, exists: true, uid: 1000}
settings:
  description: O(settings).
  returned: success
  type: str
  sample: 9f86d081884c7d65
interpreters:
  description: Versions of Python that the host has.
  returned: success
  type: list
  elements: str
  sample: ["3.13"]
"""

from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.slipway.stack.plugins.module_utils._errors import conclude
from ansible_collections.slipway.stack.plugins.module_utils._release import Layout, look


def run(module: AnsibleModule) -> dict[str, Any]:
    name, layout = module.params["name"], Layout(module.params["name"], Path(module.params["root"]))
    seen = look(layout, module.params["user"] or name, module.params["uid"], module.params["ledger"])
    return {"changed": False, "settings": module.params["settings"], **seen}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "root": {"type": "path", "required": True},
            "user": {"type": "str"},
            "uid": {"type": "int", "default": 0},
            "settings": {"type": "str", "default": ""},
            "ledger": {"type": "int", "default": 0},
        },
        supports_check_mode=True,
    )
    conclude(module, run)


if __name__ == "__main__":
    main()
