# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: rollout_lock
short_description: Let one rollout of an application run at a time
version_added: 0.1.0
author:
  - slipway.stack contributors (@slipway)
description:
  - Takes, renews and gives back the lock of an application, a file on one host of its fleet that the caller chooses. It says
    who runs the rollout, since when, for what, and until when the lease lasts.
  - While another run has the lock, the task fails and says all of that.
  - The lock of a dead run is taken over, and the task says so. A run is dead when its lease is over, or when the same
    machine, in the same boot and PID namespace, asks for the lock and finds that the C(ansible-playbook) which took it
    has ended. So after a crash the next run from the same controller needs neither to wait nor to clean up.
  - A lock is no part of a host's configuration, so this is never reported as a change.
extends_documentation_fragment:
  - slipway.stack.attributes
attributes:
  check_mode:
    support: full
    details:
      - Nothing is written. Where another run has the lock, the task warns and RV(held) is V(false), rather than failing.
  diff_mode:
    support: none
    details:
      - A lock is no part of a host's configuration.
options:
  name:
    description: Name of the application, as in RV(ignore:app_name).
    type: str
    required: true
  state:
    description:
      - V(held) takes the lock. Where O(run) has it already, its lease is renewed.
      - V(entered) lets this host know that O(run) has the lock, which lies on another host maybe. It waits until a step of
        an earlier run has ended that is still under way here. From then on M(slipway.stack.deployment) and
        M(slipway.stack.slot) refuse steps of earlier runs on this host, such as those that outlive their controller. With
        O(proxy) and O(application) it then tells what the host holds, which a run wants to know next.
      - V(released) gives it back. Where another run has it, or nobody, nothing is done.
      - V(query) only tells who has it.
    type: str
    choices: [held, entered, released, query]
    default: held
  run:
    description:
      - A text that no other run of a playbook has. Required with each O(state) but V(query).
    type: str
  proxy:
    description: Whether this host is a proxy, so that O(state=entered) tells which slot it sends requests of O(name) to.
    type: bool
    default: false
  application:
    description: Where this host runs the application, so that O(state=entered) tells which releases it holds.
    type: dict
    suboptions:
      root:
        description: Where the application is.
        type: path
        required: true
      user:
        description: The application's user, O(name) where it is left out.
        type: str
      uid:
        description: The number that the user shall get.
        type: int
        default: 0
      ledger:
        description: How many of the ledger's last entries to return.
        type: int
        default: 0
  purpose:
    description: What the lock is held for, for those who find it taken.
    type: str
    default: ""
  minutes:
    description:
      - How long the lease lasts, counted by the host's clock from this task on. Renew it before, in a run that may last longer.
    type: int
    default: 60
  owner:
    description: Who takes the lock. Left out, it is the user and the machine that run the playbook.
    type: str
  directory:
    description:
      - Where applications have their folders. The lock is C(rollout.lock) in the folder named O(name).
      - Folders that don't exist are made with mode V(0755).
    type: path
    default: /var/lib/slipway
  controller:
    description: Identity of the process that runs the playbook. The action finds it; a task leaves it out.
    type: dict
    default: {}
  ended:
    description:
      - Identity of a process that has ended, so that its lock may be taken over. The action finds it; a task leaves it out.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Roll out, alone
  block:
    - name: Take the lock
      slipway.stack.rollout_lock:
        name: shop
        run: "{{ rollout_run }}"
        purpose: upgrade to v1.4.3
      run_once: true

    - name: Let each host know
      slipway.stack.rollout_lock:
        name: shop
        state: entered
        run: "{{ rollout_run }}"
        proxy: true
        application:
          root: /srv/shop
      register: shop_entered

    - name: Roll out
      ansible.builtin.include_tasks: rollout.yml
  always:
    - name: Give the lock back
      slipway.stack.rollout_lock:
        name: shop
        state: released
        run: "{{ rollout_run }}"
      run_once: true

- name: Ask who is rolling out
  slipway.stack.rollout_lock:
    name: shop
    state: query
  register: shop_lock
"""

RETURN = r"""
file:
  description: The lock's file.
  returned: success
  type: str
  sample: /var/lib/slipway/shop/rollout.lock
slot:
  description: What M(slipway.stack.slot) returns. Empty where O(proxy) is V(false).
  returned: when O(state=entered)
  type: dict
  sample: {before: blue, after: blue, canary: 0, configured: true, readable: true, slots: "", at: 1795420800.25}
facts:
  description: What M(slipway.stack.release_facts) returns. Empty without O(application).
  returned: when O(state=entered)
  type: dict
  sample: {release_ids: [3f2a9c51d07e], live: {slot: blue, release: 3f2a9c51d07e}, ledger: []}
holder:
  description:
    - Who has the lock after this task, or in check mode now. Empty when nobody has it.
    - When the task fails since another run has the lock, it is here too.
  returned: when O(state) is other than V(entered)
  type: dict
  sample:
    run: 20261123T120005-9f2c
    owner: alice@deploy1
    purpose: upgrade to v1.4.3
    since: "2026-11-23T12:00:05+00:00"
    expires: "2026-11-23T13:00:05+00:00"
    controller:
      hostname: deploy1
      boot_id: 3a1d0f1e-8d6c-4c3b-9a55-0c2f1f3f4b11
      pid_namespace: pid:[4026531836]
      pid: 4711
      started: 8123456
dead:
  description: Why the holder is taken for dead, so that the next run will take the lock over. Empty while it may live.
  returned: when O(state=query)
  type: str
  sample: its lease ended at 2026-11-23 13:00:05 UTC
held:
  description: Whether O(run) has the lock now, or in check mode would get it.
  returned: when O(state=held) and success
  type: bool
  sample: true
taken_over:
  description: The dead holder that the lock was taken from, or in check mode would be. Empty when there was none.
  returned: when O(state=held) and success
  type: str
  sample: >-
    alice@deploy1 (process 4711 there) since 2026-11-23 12:00:05 UTC for upgrade to v1.4.3: its lease ended at
    2026-11-23 13:00:05 UTC
released:
  description: Whether O(run) had the lock and gave it back, or in check mode would.
  returned: when O(state=released)
  type: bool
  sample: true
msg:
  description: Why nothing was released, where another run has the lock.
  returned: when O(state=released) and another run has the lock
  type: str
  sample: >-
    Nothing was released: the lock of shop belongs to another run, that of bob@deploy2 (process 99 there) since
    2026-11-23 13:00:07 UTC for rollback.
"""

import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.slipway.stack.plugins.module_utils import _rollout_lock as logic
from ansible_collections.slipway.stack.plugins.module_utils import _slot, _turn
from ansible_collections.slipway.stack.plugins.module_utils._errors import StackError, conclude
from ansible_collections.slipway.stack.plugins.module_utils._release import Layout, look

APPLICATION_SPEC: dict[str, dict[str, Any]] = {
    "root": {"type": "path", "required": True},
    "user": {"type": "str"},
    "uid": {"type": "int", "default": 0},
    "ledger": {"type": "int", "default": 0},
}


def hold(module: AnsibleModule, path: Path) -> dict[str, Any]:
    parameters = module.params
    if parameters["minutes"] < 1:
        raise StackError(f"minutes is {parameters['minutes']}: a lease lasts for one minute at least.")
    claim = logic.Claim(
        run=parameters["run"],
        owner=parameters["owner"] or "",
        purpose=parameters["purpose"],
        minutes=parameters["minutes"],
        controller=parameters["controller"],
        ended=parameters["ended"],
    )
    now = logic.now()
    decision = logic.decide(logic.read(path), claim, now) if module.check_mode else logic.hold(path, claim, now)
    if decision.before and not decision.after:
        message = logic.refusal(path, decision.before, now)
        if not module.check_mode:
            raise StackError(message, holder=asdict(decision.before))
        module.warn(message)
    if decision.taken_over:
        module.warn(f"The lock of {parameters['name']} was held by {decision.taken_over}, so this run takes it over.")
    return {
        "held": decision.after is not None,
        "holder": as_dict(decision.before if module.check_mode else decision.after),
        "taken_over": decision.taken_over,
    }


def release(module: AnsibleModule, path: Path) -> dict[str, Any]:
    name, run = module.params["name"], module.params["run"]
    holder = logic.read(path) if module.check_mode else logic.release(path, run)
    if holder and holder.run != run:
        return {
            "released": False,
            "holder": asdict(holder),
            "msg": f"Nothing was released: the lock of {name} belongs to another run, that of {holder.described()}.",
        }
    return {"released": holder is not None, "holder": as_dict(holder if module.check_mode else None)}


def enter(module: AnsibleModule, path: Path) -> dict[str, Any]:
    if not module.check_mode:
        _turn.enter(path.parent, module.params["run"])
    name, application = module.params["name"], module.params["application"]
    return {
        "slot": look_at_slot(name) if module.params["proxy"] else {},
        "facts": look_at_releases(name, application) if application else {},
    }


def look_at_slot(site: str) -> dict[str, Any]:
    flags = _slot.Flags(site, _slot.DIRECTORY, _slot.CANARY_DIRECTORY)
    state = flags.read()
    return {**_slot.describe(flags, state, state, Path(_slot.SITES)), "at": time.time()}


def look_at_releases(name: str, application: Mapping[str, Any]) -> dict[str, Any]:
    layout = Layout(name, Path(application["root"]))
    return look(layout, application["user"] or name, application["uid"], application["ledger"])


def query(module: AnsibleModule, path: Path) -> dict[str, Any]:
    holder = logic.read(path)
    dead = logic.cause_of_death(holder, module.params["ended"], logic.now()) if holder else ""
    return {"holder": as_dict(holder), "dead": dead}


def as_dict(holder: logic.Holder | None) -> dict[str, Any]:
    return asdict(holder) if holder else {}


def run(module: AnsibleModule) -> dict[str, Any]:
    path = logic.lock_path(module.params["directory"], module.params["name"])
    states = {"held": hold, "entered": enter, "released": release, "query": query}
    return {"changed": False, "file": str(path), **states[module.params["state"]](module, path)}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["held", "entered", "released", "query"], "default": "held"},
            "run": {"type": "str"},
            "proxy": {"type": "bool", "default": False},
            "application": {"type": "dict", "options": APPLICATION_SPEC},
            "purpose": {"type": "str", "default": ""},
            "minutes": {"type": "int", "default": 60},
            "owner": {"type": "str"},
            "directory": {"type": "path", "default": "/var/lib/slipway"},
            "controller": {"type": "dict", "default": {}},
            "ended": {"type": "dict", "default": {}},
        },
        required_if=[("state", state, ["run"]) for state in ("held", "entered", "released")],
        supports_check_mode=True,
    )
    conclude(module, run)


if __name__ == "__main__":
    main()
