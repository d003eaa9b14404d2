#!/usr/bin/python
# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: deployment
short_description: Run a release in a slot, hand over to it, or take it back
version_added: 0.1.0
author:
  - slipway.stack contributors (@slipway)
description:
  - Brings one release on one host to a stage of its deployment. Each stage holds what the one before it has, and each can
    be asked for again, so a run that was cut off is finished by the next one.
  - Everything that the host needs to run a release in either slot is its bundle, which is stored beside the release's
    environment. So a release that was live once can be run again without the inventory and without a build.
  - That the release answers is for M(slipway.stack.health_check) to see, with the targets that this module returns.
extends_documentation_fragment:
  - slipway.stack.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
options:
  name:
    description: Name of the application.
    type: str
    required: true
  root:
    description: Directory of the application.
    type: path
    required: true
  release:
    description: Name of the release.
    type: str
    required: true
  slot:
    description: Slot that the release runs in.
    type: str
    choices: [blue, green]
    required: true
  state:
    description:
      - With V(started), the routed processes run in the slot. Beside a live release they get little weight on processor
        and disk.
      - With V(working), its workers run as well, all of it has its full weight, and workers of the other slot are told to
        finish, which isn't waited for.
      - With V(replaced), its routed processes that may not run twice run in place of the old ones. Each old one ends first,
        while systemd goes on listening, so requests wait until the new one answers. Where it doesn't, this fails, and
        O(state=live) for the release before brings that one back.
      - With V(live), it is the live release. Its singletons and timers run after those of the other slot have ended, its
        processes start at boot, and it is recorded. The other slot is stopped by a timer of the host's own after
        O(warm) seconds, as soon as no connection to it is left.
      - With V(stopped), nothing of the slot runs, and its units are gone.
    type: str
    choices: [started, working, replaced, live, stopped]
    required: true
  bundle:
    description: The bundle. Without it, the stored one is used.
    type: dict
  site:
    description: What proxies are told of the release, to keep with it.
    type: dict
    default: {}
  anew:
    description: Whether processes of this very release that run already are started anew, for O(state=started),
      O(state=working) and O(state=replaced).
    type: bool
    default: false
  answers:
    description:
      - Whether O(state=started) waits until each process has answered once as it should, and fails where one doesn't. For what
        is gone back to, which was live before and is wanted at once.
    type: bool
    default: false
  singletons:
    description: Whether this is the host that runs singletons and timers.
    type: bool
    default: true
  wanted:
    description: What the inventory wanted when the release was made live, for O(state=live).
    type: dict
  warm:
    description:
      - For how many seconds the other slot stays warm, for O(state=live). The default is the bundle's. It is never less than the
        longest request may take.
    type: int
  keep:
    description: How many releases to keep, for O(state=live).
    type: int
    default: 5
  remove:
    description: Whether a release that never was live is removed, for O(state=stopped).
    type: bool
    default: false
  outcome:
    description: How the ledger calls it, for O(state=live). What is stopped is noted as failed, where O(ledger) is given.
    type: str
    choices: [live, rolled back, restarted, failed]
    default: live
  ledger:
    description: What else to note in the ledger.
    type: dict
    default: {}
  run:
    description:
      - The run of a playbook that this is a step of. Where M(slipway.stack.rollout_lock) let this host know of another
        since, nothing is done and the task fails. So a step that outlives its controller can't disturb the next run.
      - With or without it, one task of this module at a time does its work for an application.
    type: str
    default: ""
  timeout:
    description: For how many seconds to wait for units to be up.
    type: float
    default: 10
seealso:
  - module: slipway.stack.release
  - module: slipway.stack.rollout_lock
  - module: slipway.stack.health_check
  - module: slipway.stack.slot
"""

EXAMPLES = r"""
- name: Start the release beside the one that is live
  slipway.stack.deployment:
    name: shop
    root: /srv/shop
    release: 3f2a9c51d07e
    slot: green
    state: started
  register: shop_started

- name: Wait until it is healthy
  slipway.stack.health_check:
    targets: "{{ shop_started.targets }}"
    successes: 2

- name: Make it the live one
  slipway.stack.deployment:
    name: shop
    root: /srv/shop
    release: 3f2a9c51d07e
    slot: green
    state: live
"""

RETURN = r"""
targets:
  description:
    - What M(slipway.stack.health_check) is to look at, without the processes that may not run twice. Empty with
      O(state=stopped).
  returned: success
  type: list
  elements: dict
  sample: [{name: shop-web@green.service, url: "http://127.0.0.1:8050/health"}]
replaced_targets:
  description: The same for routed processes that may not run twice, which stay what they are until O(state=replaced).
  returned: O(state) other than V(stopped)
  type: list
  elements: dict
  sample: [{name: shop-queue.service, url: "http://127.0.0.1:8019/health"}]
pauses:
  description: For how many seconds each process that was replaced gave no answer, from the old one's end on.
  returned: O(state=replaced)
  type: list
  elements: dict
  sample: [{name: shop-queue.service, seconds: 1.9}]
smoke:
  description: The smoke check of the release, C(command) and C(paths).
  returned: success
  type: dict
  sample: {command: python -m shop.smoke, paths: [/items]}
moved:
  description: Whether another release or slot was recorded as live.
  returned: O(state=live)
  type: bool
  sample: true
removed:
  description: Old releases that were removed.
  returned: O(state=live) and O(state=stopped)
  type: list
  elements: str
  sample: [0c5b11d2e3f4]
failed_units:
  description: Units that didn't start, each with the last lines of its journal.
  returned: failure of a unit
  type: list
  elements: dict
  sample: []
"""

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.slipway.stack.plugins.module_utils import _deployment as logic
from ansible_collections.slipway.stack.plugins.module_utils import _deployment_host as actions
from ansible_collections.slipway.stack.plugins.module_utils._errors import conclude
from ansible_collections.slipway.stack.plugins.module_utils._release import Layout
from ansible_collections.slipway.stack.plugins.module_utils._turn import turn


def run(module: AnsibleModule) -> dict[str, Any]:
    def call(words: list[str]) -> tuple[int, str, str]:
        code, out, err = module.run_command(words, handle_exceptions=False, expand_user_and_vars=False)
        return code, out, err

    parameters = module.params
    layout = Layout(parameters["name"], Path(parameters["root"]))
    host = actions.Executor(layout, call, parameters["timeout"], check_mode=module.check_mode, diff=module._diff)
    if parameters["state"] == "started" and parameters["anew"]:
        # Nobody has to wait for a step that only waits, and what came after it is seen once it is over.
        host.let_drain(parameters["slot"], parameters["release"])
    with contextlib.nullcontext() if module.check_mode else turn(layout.state / layout.name, parameters["run"]):
        return perform(host, layout, parameters, diff=module._diff)


def perform(host: actions.Executor, layout: Layout, parameters: Mapping[str, Any], *, diff: bool) -> dict[str, Any]:
    if parameters["state"] == "stopped":
        return host.stop(parameters["release"], parameters["slot"], parameters["ledger"], remove=parameters["remove"])
    if parameters["bundle"]:
        bundle = logic.Bundle(parameters["bundle"], parameters["singletons"])
    else:
        bundle = logic.read_bundle(layout, parameters["release"], singletons=parameters["singletons"])
    if parameters["site"]:
        bundle = logic.Bundle({**bundle.content, "site": parameters["site"]}, bundle.singletons)
    result = host.store(bundle)
    if parameters["state"] == "live":
        stage = host.serve(
            bundle,
            parameters["slot"],
            actions.Record(
                outcome=parameters["outcome"],
                ledger=parameters["ledger"],
                wanted=parameters["wanted"],
                warm=parameters["warm"],
                keep=parameters["keep"],
            ),
        )
    elif parameters["state"] == "replaced":
        stage = host.replace(bundle, parameters["slot"], anew=parameters["anew"])
    elif parameters["state"] == "working":
        stage = host.work(bundle, parameters["slot"], anew=parameters["anew"])
    else:
        stage = host.start(bundle, parameters["slot"], anew=parameters["anew"], answers=parameters["answers"])
    return {
        **stage,
        "changed": result["changed"] or stage["changed"],
        "targets": bundle.targets(parameters["slot"], exclusive=False),
        "replaced_targets": bundle.targets(parameters["slot"], exclusive=True),
        "smoke": bundle.content.get("smoke", {}),
    } | ({"diff": result["diff"] + stage["diff"]} if diff else {})


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "root": {"type": "path", "required": True},
            "release": {"type": "str", "required": True},
            "slot": {"type": "str", "choices": ["blue", "green"], "required": True},
            "state": {
                "type": "str",
                "choices": ["started", "working", "replaced", "live", "stopped"],
                "required": True,
            },
            "bundle": {"type": "dict"},
            "site": {"type": "dict", "default": {}},
            "anew": {"type": "bool", "default": False},
            "answers": {"type": "bool", "default": False},
            "singletons": {"type": "bool", "default": True},
            "wanted": {"type": "dict"},
            "warm": {"type": "int"},
            "keep": {"type": "int", "default": 5},
            "remove": {"type": "bool", "default": False},
            "outcome": {"type": "str", "choices": ["live", "rolled back", "restarted", "failed"], "default": "live"},
            "ledger": {"type": "dict", "default": {}},
            "run": {"type": "str", "default": ""},
            "timeout": {"type": "float", "default": 10},
        },
        supports_check_mode=True,
    )
    conclude(module, run)


if __name__ == "__main__":
    main()
