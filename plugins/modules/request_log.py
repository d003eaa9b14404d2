# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: request_log
short_description: Count what visitors met, from nginx's access log
version_added: 0.1.0
author:
  - slipway.stack contributors (@slipway)
description:
  - Counts the requests of a period, how they ended and how long they took, in the access log that the role
    P(slipway.stack.nginx#role) writes as JSON.
  - The start of the period is looked up in the file, so a log of gigabytes costs little. The log that was rotated last
    (C(.1)) is read too, where the period began in it.
  - A request is logged when it ends. One that is still under way isn't counted, nor are those that the role keeps out of the
    log (RV(ignore:nginx_quiet_paths)).
extends_documentation_fragment:
  - slipway.stack.attributes
attributes:
  check_mode:
    support: full
    details:
      - It changes nothing.
  diff_mode:
    support: none
    details:
      - It changes nothing.
options:
  path:
    description: The access log.
    type: path
    required: true
  since:
    description: Start of the period, in seconds since 1970. Requests that ended then or later are counted.
    type: float
    required: true
  until:
    description:
      - End of the period, in seconds since 1970. Requests that ended before are counted, so that periods may follow each other.
      - Left out, the period has not ended.
    type: float
  slot:
    description: Count only the requests that went to this slot.
    type: str
    choices: [blue, green]
seealso:
  - module: slipway.stack.slot
"""

EXAMPLES = r"""
- name: Count what visitors met during the last minute
  slipway.stack.request_log:
    path: /var/log/nginx/shop/access.log
    since: "{{ now(utc=true).timestamp() - 60 }}"
  register: shop_requests

- name: Stop when a request failed, or when that can't be known
  ansible.builtin.assert:
    that:
      - shop_requests.complete
      - shop_requests.total.failed == 0
"""

RETURN = r"""
total:
  description: The requests that ended in the period, to whichever slot.
  returned: success
  type: dict
  contains:
    requests:
      description: How many there were, however they ended.
      returned: success
      type: int
      sample: 18233
    failed:
      description:
        - How many were answered with a status of 500 or more, by the application or by nginx itself (502 and 504, where
          the application didn't answer).
      returned: success
      type: int
      sample: 0
    gone:
      description: How many visitors went away before they were answered (status 499, or none).
      returned: success
      type: int
      sample: 3
    limited:
      description: How many were turned away by a rate limit (status 429).
      returned: success
      type: int
      sample: 0
    p50_ms:
      description:
        - The time in milliseconds that half of the requests took at most, from the first byte of the request to the last
          one of the answer. Null when there were none.
        - WebSockets are left out.
      returned: success
      type: int
      sample: 12
    p95_ms:
      description: Like RV(total.p50_ms), for 95 of 100 requests.
      returned: success
      type: int
      sample: 38
    p99_ms:
      description: Like RV(total.p50_ms), for 99 of 100 requests.
      returned: success
      type: int
      sample: 71
by_slot:
  description:
    - Like RV(total), for each slot. Requests that ended before nginx had looked up the slot are in neither.
  returned: success
  type: dict
  sample:
    blue: {requests: 9120, failed: 0, gone: 2, limited: 0, p50_ms: 12, p95_ms: 37, p99_ms: 70}
    green: {requests: 9113, failed: 0, gone: 1, limited: 0, p50_ms: 12, p95_ms: 38, p99_ms: 72}
by_status:
  description: How many requests ended with each status.
  returned: success
  type: dict
  sample: {"200": 18230, "499": 3}
unread:
  description: How many lines of the period can't be read.
  returned: success
  type: int
  sample: 0
files:
  description: The logs that were read, the oldest first. Empty where there are none.
  returned: success
  type: list
  elements: str
  sample: [/var/log/nginx/shop/access.log]
complete:
  description:
    - Whether everything since O(since) was read. V(false) where there is no log, or where the period began in a log that was
      rotated more than once.
  returned: success
  type: bool
  sample: true
"""

import math
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.slipway.stack.plugins.module_utils import _request_log as logic
from ansible_collections.slipway.stack.plugins.module_utils._errors import StackError, conclude


def run(module: AnsibleModule) -> dict[str, Any]:
    since, until = module.params["since"], module.params["until"]
    if until is None:
        until = math.inf
    if until < since:
        raise StackError(f"until ({until}) is before since ({since}): a period ends after it begins.")
    window = logic.Window(since, until, module.params["slot"])
    return {"changed": False, **logic.count(module.params["path"], window)}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "since": {"type": "float", "required": True},
            "until": {"type": "float"},
            "slot": {"type": "str", "choices": ["blue", "green"]},
        },
        supports_check_mode=True,
    )
    conclude(module, run)


if __name__ == "__main__":
    main()
