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
  - While there is a canary, a share of the clients gets the slot that isn't live, each of them always the same one. A switch
    ends it, and no client is sent back meanwhile. A reboot ends it too, since what runs in that slot isn't started again.
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
      - With V(query), it stays as it is, and is returned.
    type: str
    choices: [query, blue, green]
    default: query
  canary:
    description:
      - Share of the clients, in per cent, that gets the slot that isn't live. V(0) ends a canary.
      - Left out, a canary goes on as it is, except when O(state) changes the live slot, which ends it.
    type: int
    choices: [0, 1, 5, 10, 25, 50]
  maintenance:
    description:
      - Whether visitors get the site's maintenance page, with status 503. Those in RV(ignore:nginx_maintenance_allow) never do.
        It outlives a reboot.
      - Left out, it stays as it is, whatever the slots do.
    type: bool
  directory:
    description: Where the flags are.
    type: path
    default: /var/lib/slipway/slots
  canary_directory:
    description: Where the flags of canaries are, which do not outlive a reboot.
    type: path
    default: /run/slipway/slots
  run:
    description:
      - The run of a playbook that this is a step of. Where M(slipway.stack.rollout_lock) let this host know of another
        since, for the application that is named like O(site), nothing is changed and the task fails.
    type: str
    default: ""
  run_directory:
    description: Where M(slipway.stack.rollout_lock) notes runs.
    type: path
    default: /var/lib/slipway
  sites:
    description: Where the configurations of sites are.
    type: path
    default: /etc/nginx/sites-available
seealso:
  - module: slipway.stack.canary
  - module: slipway.stack.rollout_lock
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

- name: Let a tenth of the clients try the other slot
  slipway.stack.slot:
    site: shop
    canary: 10

- name: Show visitors the maintenance page
  slipway.stack.slot:
    site: shop
    maintenance: true
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
canary:
  description: Share of the clients, in per cent, that gets the slot that isn't live, or in check mode would get it.
  returned: success
  type: int
  sample: 0
maintenance:
  description: Whether visitors get the maintenance page, or in check mode would get it.
  returned: success
  type: bool
  sample: false
at:
  description: When this was so, in seconds since 1970, by the host's clock.
  returned: success
  type: float
  sample: 1795420800.25
path:
  description: The flag file.
  returned: success
  type: str
  sample: /var/lib/slipway/slots/shop.green
configured:
  description: Whether nginx has the site's configuration. A proxy that joins later has not, and its slot means nothing.
  returned: success
  type: bool
  sample: true
slots:
  description: What the configuration says of RV(ignore:nginx_slots), as a hash of it; empty where it says nothing.
  returned: success
  type: str
  sample: 2f1d3c4b5a6978877665544332211000ffeeddcc
readable:
  description:
    - Whether nginx's workers can look into every directory above the flag. Where they can't, they take the slot for blue.
    - O(state=blue) and O(state=green) fail rather than return V(false).
  returned: success
  type: bool
  sample: true
"""

import contextlib
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.slipway.stack.plugins.module_utils import _slot as logic
from ansible_collections.slipway.stack.plugins.module_utils._errors import StackError, conclude
from ansible_collections.slipway.stack.plugins.module_utils._rollout import other
from ansible_collections.slipway.stack.plugins.module_utils._turn import turn


def run(module: AnsibleModule) -> dict[str, Any]:
    site, state = module.params["site"], module.params["state"]
    flags = logic.Flags(site, module.params["directory"], module.params["canary_directory"])
    before = flags.read()
    after = wanted(before, state, module.params["canary"], module.params["maintenance"])
    hidden_by = logic.hidden_by(flags.live)
    if hidden_by and state != "query":
        raise StackError(
            f"nginx's workers can't look into {hidden_by}, so they would take every slot for blue: chmod o+x {hidden_by}."
        )
    if hidden_by and after.maintenance != before.maintenance:
        raise StackError(
            f"nginx's workers can't look into {hidden_by}, so nobody would get the maintenance page: chmod o+x {hidden_by}."
        )
    for canary in after.canaries - before.canaries:
        if hidden := logic.hidden_by(flags.canary(canary)):
            raise StackError(
                f"nginx's workers can't look into {hidden}, so nobody would get a canary: chmod o+x {hidden}."
            )
    described = logic.describe(flags, before, after, Path(module.params["sites"]))
    result: dict[str, Any] = {"changed": before != after, **described}
    if module._diff and result["changed"]:
        result["diff"] = {
            "before": text(before),
            "after": text(after),
            "before_header": f"live slot of {site}",
            "after_header": f"live slot of {site}",
        }
    if result["changed"] and not module.check_mode:
        folder, its_run = Path(module.params["run_directory"], site), module.params["run"]
        with turn(folder, its_run) if its_run else contextlib.nullcontext():
            flags.change(before, after)
    result["at"] = time.time()
    return result


def wanted(before: logic.State, state: str, percent: int | None, maintenance: bool | None) -> logic.State:
    live = before.live if state == "query" else state
    after = before if live == before.live else before.switched(live)
    if percent is not None:
        after = after.with_canary(percent, other(live))
    return after if maintenance is None else replace(after, maintenance=maintenance)


def text(state: logic.State) -> str:
    lines = [state.live, *(f"{canary.percent} % of the clients: {canary.slot}" for canary in sorted(state.canaries))]
    return "\n".join([*lines, *(["maintenance"] if state.maintenance else []), ""])


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "site": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["query", "blue", "green"], "default": "query"},
            "canary": {"type": "int", "choices": [0, 1, 5, 10, 25, 50]},
            "maintenance": {"type": "bool"},
            "directory": {"type": "path", "default": logic.DIRECTORY},
            "canary_directory": {"type": "path", "default": logic.CANARY_DIRECTORY},
            "run": {"type": "str", "default": ""},
            "run_directory": {"type": "path", "default": "/var/lib/slipway"},
            "sites": {"type": "path", "default": logic.SITES},
        },
        supports_check_mode=True,
    )
    conclude(module, run)


if __name__ == "__main__":
    main()
