# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: canary
short_description: Watch how a canary fares, and end it where it fails
version_added: 0.1.0
author:
  - slipway.stack contributors (@slipway)
description:
  - While the module M(slipway.stack.slot) sends a share of a site's clients to the slot that isn't live, the requests of both
    slots are counted each second in the access log that the role P(slipway.stack.nginx#role) writes.
  - As soon as the canary has failed more than its budget allows, it is ended and the module fails. Else it goes on, for the
    switch to end it.
  - A request has failed when it was answered with a status of 500 or more, by the application or by nginx. One that hangs is
    seen when nginx gives up on it, so only a canary that lasts longer than nginx's read timeout finds these.
extends_documentation_fragment:
  - slipway.stack.attributes
attributes:
  check_mode:
    support: full
    details:
      - What is in the log by now is judged, without waiting, and nothing is ended.
  diff_mode:
    support: none
options:
  site:
    description: Name of the site, as in RV(ignore:nginx_site).
    type: str
    required: true
  seconds:
    description: For how long to watch.
    type: float
    default: 60
  since:
    description:
      - When the canary began, in seconds since 1970. Requests that ended before don't count.
      - Left out, it is the begin of the task.
    type: float
  budget:
    description:
      - By how many per cent of its requests the canary may fail more than the live slot. With V(1), where 2 of 100 requests
        to the live slot fail, 3 of 100 to the canary may.
    type: float
    default: 1
  requests:
    description:
      - Of how many requests the canary's failures are a share, while it has had fewer. So a budget of V(5) and V(100)
        requests allow five failures to a canary that hardly anyone visits.
    type: int
    default: 20
  log:
    description:
      - The access log.
      - The default is the one of the role P(slipway.stack.nginx#role), C(/var/log/nginx/<site>/access.log).
    type: path
  directory:
    description: Where the flags are.
    type: path
    default: /var/lib/slipway/slots
  canary_directory:
    description: Where the flags of canaries are.
    type: path
    default: /run/slipway/slots
seealso:
  - module: slipway.stack.slot
  - module: slipway.stack.request_log
"""

EXAMPLES = r"""
- name: Let a tenth of the clients try the other slot
  slipway.stack.slot:
    site: shop
    canary: 10
  register: shop_canary

- name: Watch for five minutes how it fares with them
  slipway.stack.canary:
    site: shop
    since: "{{ shop_canary.at }}"
    seconds: 300
"""

RETURN = r"""
slot:
  description: The slot that the canary leads to.
  returned: success and failure of the canary
  type: str
  sample: green
percent:
  description: Share of the clients, in per cent, that gets it.
  returned: success and failure of the canary
  type: int
  sample: 10
canary:
  description: The requests to the slot of the canary, counted as by M(slipway.stack.request_log).
  returned: success and failure of the canary
  type: dict
  sample: {requests: 912, failed: 0, gone: 1, limited: 0, p50_ms: 12, p95_ms: 38, p99_ms: 72}
live:
  description: The same for the live slot.
  returned: success and failure of the canary
  type: dict
  sample: {requests: 8205, failed: 3, gone: 9, limited: 0, p50_ms: 12, p95_ms: 37, p99_ms: 70}
seconds:
  description: For how long the canary was watched.
  returned: success and failure of the canary
  type: float
  sample: 60.0
"""

import contextlib
import time
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.slipway.stack.plugins.module_utils import _canary as logic
from ansible_collections.slipway.stack.plugins.module_utils._errors import StackError, conclude
from ansible_collections.slipway.stack.plugins.module_utils._slot import Flags, State


def run(module: AnsibleModule) -> dict[str, Any]:
    parameters = module.params
    since = time.time() if parameters["since"] is None else parameters["since"]
    budget = logic.Budget(parameters["budget"], parameters["requests"])
    if budget.requests < 1:
        raise StackError("requests is less than 1: say of how many requests failures are a share.")
    flags = Flags(parameters["site"], parameters["directory"], parameters["canary_directory"])
    state = flags.read()
    if state.canary is None:
        raise StackError(f"{flags.site} has no canary: start one by canary: 10 of the module slipway.stack.slot.")
    seconds = 0 if module.check_mode else parameters["seconds"]
    with contextlib.ExitStack() as stack:
        log = logic.GrowingLog(parameters["log"] or f"/var/log/nginx/{flags.site}/access.log", since, stack)
        outcome = logic.watch(log, state.canary.slot, budget, seconds, time.monotonic, time.sleep)
    canary, live = outcome.by_slot[state.canary.slot], outcome.by_slot[state.live]
    result = {
        "changed": outcome.exceeded,
        "slot": state.canary.slot,
        "percent": state.canary.percent,
        "canary": canary.as_dict(),
        "live": live.as_dict(),
        "seconds": round(outcome.seconds, 1),
    }
    if not outcome.exceeded:
        return result
    if not module.check_mode:
        flags.change(state, State(state.live))
    raise StackError(
        f"The canary in slot {state.canary.slot} failed {canary.failed} of its {canary.requests} requests, the live slot "
        f"{live.failed} of {live.requests}: that is over the budget of {budget.percent:g} % more (of "
        f"{budget.requests} requests or more), so the canary was ended after {outcome.seconds:.0f} s.",
        **result,
    )


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "site": {"type": "str", "required": True},
            "seconds": {"type": "float", "default": 60},
            "since": {"type": "float"},
            "budget": {"type": "float", "default": 1},
            "requests": {"type": "int", "default": 20},
            "log": {"type": "path"},
            "directory": {"type": "path", "default": "/var/lib/slipway/slots"},
            "canary_directory": {"type": "path", "default": "/run/slipway/slots"},
        },
        supports_check_mode=True,
    )
    conclude(module, run)


if __name__ == "__main__":
    main()
