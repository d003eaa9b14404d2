# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: health_check
short_description: Find out whether services are healthy, and say what is wrong where they aren't
version_added: 0.1.0
author:
  - slipway.stack contributors (@slipway)
description:
  - Asks one or many targets at the same time, over HTTP, HTTPS or plain TCP, until each gave enough good answers in
    a row or its time is over.
  - A good answer has the expected status, body, JSON values and version, came in time, and was given by the unit that
    is expected to hold the port.
  - Changes nothing. Needs nothing but Python on the host.
extends_documentation_fragment:
  - slipway.stack.attributes
attributes:
  check_mode:
    support: full
    details:
      - The targets are asked in check mode too. Set O(fail=false) for those that don't exist before the first run.
  diff_mode:
    support: none
options:
  targets:
    description: What to ask. All targets are asked side by side.
    type: list
    elements: dict
    required: true
    suboptions:
      url:
        description:
          - C(http://host:port/path), C(https://host:port/path), or C(tcp://host:port), which only connects.
          - C(unit://name.service) is healthy while systemd says that the unit is active, for at least O(targets[].uptime).
            Tries end early for it as for a O(targets[].unit).
          - A redirect is an answer like any other. It isn't followed.
        type: str
        required: true
      name:
        description: How messages call the target. The default is its URL.
        type: str
      unix_socket:
        description: Path of a Unix socket to connect to in place of the URL's host and port.
        type: path
      host:
        description:
          - The C(Host) header, and for HTTPS the name that the certificate must bear. The default is the URL's host.
        type: str
      forwarded_proto:
        description: The C(X-Forwarded-Proto) header, for an application that stands behind a proxy.
        type: str
        choices: [http, https]
      status:
        description: The expected statuses.
        type: list
        elements: int
        default: [200]
      body:
        description: A regular expression that must match somewhere in the body.
        type: str
      json:
        description:
          - Expected values by their dotted path in the JSON body, as in C(checks.0.state).
          - Where a list is expected, one of its items must be there.
        type: dict
      version:
        description: The expected version. A leading C(v) doesn't count.
        type: str
      version_key:
        description: Dotted path of the version in the JSON body. Empty where the body is nothing but the version.
        type: str
        default: version
      max_latency_ms:
        description: An answer that takes longer, in milliseconds, isn't good.
        type: float
      validate_certs:
        description:
          - Whether the certificate must be trusted and bear the right name.
          - What is known of the certificate is returned in either case.
        type: bool
        default: true
      ca_path:
        description: File with the certificates of the authorities to trust in place of the system's.
        type: path
      unit:
        description:
          - The systemd unit that must hold the port, so that a process left from another one can't answer for it.
          - For targets on this host.
          - When systemd gives the unit up, or has restarted it twice while tries were made, it won't become healthy, and
            the tries end before O(targets[].deadline).
        type: str
      uptime:
        description: Seconds that a C(unit://) target must have been active, so that one that is restarted again and again isn't.
        type: float
        default: 0
      journal_unit:
        description: The systemd unit of which the last lines of the journal are shown when the target isn't healthy.
        type: str
      timeout:
        description: Seconds for this target in place of O(timeout).
        type: float
      interval:
        description: Seconds for this target in place of O(interval).
        type: float
      successes:
        description: Number for this target in place of O(successes).
        type: int
      deadline:
        description: Seconds for this target in place of O(deadline).
        type: float
      failures:
        description: Number for this target in place of O(failures).
        type: int
      steady:
        description: Seconds for this target in place of O(steady).
        type: float
  timeout:
    description: For how many seconds one try waits for the whole answer.
    type: float
    default: 5
  interval:
    description: Seconds between two tries.
    type: float
    default: 1
  successes:
    description: How many good answers in a row make a target healthy.
    type: int
    default: 1
  deadline:
    description:
      - For how many seconds tries are made. V(0) makes one try.
    type: float
    default: 60
  failures:
    description:
      - How many bad answers in a row, once there was a good one, end the tries before O(deadline). With V(0), none do.
    type: int
    default: 0
  steady:
    description:
      - For how many seconds, besides, a target must have given good answers only, so that one that answers slowly is watched
        for as long as one that answers at once.
    type: float
    default: 0
  journal_lines:
    description: How many lines of the journal are shown for each target that isn't healthy.
    type: int
    default: 20
  fail:
    description: With V(false), the module reports RV(healthy) as V(false) rather than failing.
    type: bool
    default: true
seealso:
  - module: ansible.builtin.uri
  - module: ansible.builtin.wait_for
"""

EXAMPLES = r"""
- name: Wait until the new slot is healthy, and is the one that answers
  slipway.stack.health_check:
    targets:
      - name: web in slot green
        url: http://127.0.0.1:8050/health
        host: shop.example.com
        forwarded_proto: https
        json: {status: healthy, checks.database: ok}
        version: v1.4.3
        unit: shop-web@green.service
        journal_unit: shop-web@green.service
    successes: 3
    deadline: 90

- name: See how long the certificate is good for, without failing
  slipway.stack.health_check:
    targets:
      - url: https://127.0.0.1/health
        host: shop.example.com
        validate_certs: false
    deadline: 0
    fail: false

- name: Check a Unix socket and a database port
  slipway.stack.health_check:
    targets:
      - {url: "http://localhost/ready", unix_socket: /run/shop/web.sock, max_latency_ms: 250}
      - {url: "tcp://127.0.0.1:5432"}
      - {url: "unit://shop-worker@green.service", uptime: 5}
"""

RETURN = r"""
healthy:
  description: Whether every target is healthy.
  returned: when the parameters are valid
  type: bool
  sample: true
targets:
  description: Each target, in the order given.
  returned: when the parameters are valid
  type: list
  elements: dict
  contains:
    name:
      description: Name of the target.
      type: str
      sample: web in slot green
    url:
      description: URL of the target.
      type: str
      sample: http://127.0.0.1:8050/health
    healthy:
      description: Whether the target is healthy.
      type: bool
      sample: true
    reason:
      description: Why the target isn't healthy, in one sentence. Empty for one that is.
      type: str
      sample: ""
    seconds:
      description: How long it took to know.
      type: float
      sample: 2.3
    latency_ms:
      description: Latencies of the tries that were answered, in milliseconds. Null where none was.
      type: dict
      sample: {p50: 3.1, p95: 8.4, max: 8.4}
    certificate:
      description: What is known of the certificate of an HTTPS target, else null.
      type: dict
      sample: {not_after: "2027-02-01T10:00:00+00:00", days_left: 69, names: [shop.example.com], name_matches: true}
    samples:
      description: Each try, in order.
      type: list
      elements: dict
      sample:
        - {at_s: 0.0, ok: false, latency_ms: null, status: null, reason: "expected an answer, got Connection refused"}
        - {at_s: 1.0, ok: true, latency_ms: 8.4, status: 200, reason: ""}
    journal:
      description: The last lines of the journal, for a target that isn't healthy and has a O(targets[].journal_unit).
      type: list
      elements: str
      sample: []
"""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.slipway.stack.plugins.module_utils import _health as logic
from ansible_collections.slipway.stack.plugins.module_utils._errors import StackError, conclude
from ansible_collections.slipway.stack.plugins.module_utils._journal import last_lines
from ansible_collections.slipway.stack.plugins.module_utils._probe import probe
from ansible_collections.slipway.stack.plugins.module_utils._unit_probe import CrashWatch, probe_unit

MOST_THREADS = 32

PACE_SPEC: dict[str, dict[str, Any]] = {
    "timeout": {"type": "float", "default": 5},
    "interval": {"type": "float", "default": 1},
    "successes": {"type": "int", "default": 1},
    "deadline": {"type": "float", "default": 60},
    "failures": {"type": "int", "default": 0},
    "steady": {"type": "float", "default": 0},
}

TARGET_SPEC: dict[str, dict[str, Any]] = {
    "url": {"type": "str", "required": True},
    "name": {"type": "str"},
    "unix_socket": {"type": "path"},
    "host": {"type": "str"},
    "forwarded_proto": {"type": "str", "choices": ["http", "https"]},
    "status": {"type": "list", "elements": "int", "default": [200]},
    "body": {"type": "str"},
    "json": {"type": "dict"},
    "version": {"type": "str"},
    "version_key": {"type": "str", "default": "version", "no_log": False},
    "max_latency_ms": {"type": "float"},
    "validate_certs": {"type": "bool", "default": True},
    "ca_path": {"type": "path"},
    "unit": {"type": "str"},
    "uptime": {"type": "float", "default": 0},
    "journal_unit": {"type": "str"},
    **{name: {"type": option["type"]} for name, option in PACE_SPEC.items()},
}


def run(module: AnsibleModule) -> dict[str, Any]:
    targets = logic.parse_targets(module.params["targets"], module.params)

    def call(words: list[str]) -> tuple[int, str, str]:
        code, out, err = module.run_command(words, handle_exceptions=False)
        return code, out, err

    def look(target: logic.Target, timeout: float) -> logic.Answer:
        return probe_unit(target, call) if target.scheme == "unit" else probe(target, timeout)

    def watch(target: logic.Target) -> logic.Verdict:
        more = [CrashWatch(target.watched_unit, call)] if target.watched_unit else []
        return logic.watch(target, look, time.monotonic, time.sleep, *more)

    with ThreadPoolExecutor(max_workers=MOST_THREADS) as pool:
        verdicts = list(pool.map(watch, targets))
    reports = [report(module, verdict) for verdict in verdicts]
    result = {"changed": False, "healthy": all(each["healthy"] for each in reports), "targets": reports}
    if module.params["fail"] and not result["healthy"]:
        raise StackError(failure_message(reports), **result)
    return result


def report(module: AnsibleModule, verdict: logic.Verdict) -> dict[str, Any]:
    journal: list[str] = []
    if not verdict.healthy and verdict.target.journal_unit:
        journal = last_lines(
            verdict.target.journal_unit,
            module.params["journal_lines"],
            lambda words: module.run_command(words, handle_exceptions=False),
        )
    return {**logic.describe(verdict, datetime.now(UTC)), "journal": journal}


def failure_message(reports: list[dict[str, Any]]) -> str:
    return "\n".join("\n".join([each["reason"], *each["journal"]]) for each in reports if not each["healthy"])


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "targets": {"type": "list", "elements": "dict", "required": True, "options": TARGET_SPEC},
            **PACE_SPEC,
            "journal_lines": {"type": "int", "default": 20},
            "fail": {"type": "bool", "default": True},
        },
        supports_check_mode=True,
    )
    conclude(module, run)


if __name__ == "__main__":
    main()
