#!/usr/bin/python
# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ufw_rules
short_description: Bring one application's share of a host's firewall to the wanted rules
version_added: 0.1.0
author:
  - slipway.stack contributors (@slipway)
description:
  - Brings the rules of ufw that bear the name of O(owner) to those listed, with a single task and no more calls of
    C(ufw) than needed.
  - Each rule keeps the names of its owners in its comment, as in C(slipway:shop). A rule that two owners ask for bears
    both names and goes when the last of them no longer wants it. Rules without such a comment are never removed.
  - ssh is let in before anything else is done, then rules are added, then removed, then the defaults become to deny what
    comes in and to allow what goes out, and at last the firewall is enabled.
  - Fails before any change if the rules, in the order in which they will stand, would shut out new ssh connections like
    the one over which the module runs.
extends_documentation_fragment:
  - slipway.stack.attributes
attributes:
  check_mode:
    support: full
    details:
      - Where ufw isn't installed yet, check mode shows what would be done on a host with no rules at all.
  diff_mode:
    support: full
options:
  owner:
    description: The name that the rules bear, such as that of an application.
    type: str
    required: true
  rules:
    description: What may be reached on this host, apart from ssh.
    type: list
    elements: dict
    default: []
    suboptions:
      port:
        description: A port, or a range such as V(6000:6010).
        type: str
        required: true
      proto:
        description: The transport.
        type: str
        choices: [tcp, udp]
        default: tcp
      from:
        description:
          - The addresses and networks that may connect, of IPv4 and IPv6. Names aren't taken.
          - Empty means anybody.
        type: list
        elements: str
        default: []
      limit:
        description: Whether an address that opens six connections within 30 seconds is refused for a while.
        type: bool
        default: false
      comment:
        description: What the rule is for, kept behind the owner's name.
        type: str
        default: ""
  ssh:
    description: Who may come in by ssh.
    type: dict
    default: {}
    suboptions:
      port:
        description:
          - The port. With V(0) it is the one on this host that the connection comes in by.
          - For a connection that isn't ssh, V(0) means the ports of the host's own ssh server, or 22 without one.
        type: int
        default: 0
      from:
        description: The addresses and networks that may connect. Empty means anybody.
        type: list
        elements: str
        default: []
      limit:
        description: Whether an address that opens six connections within 30 seconds is refused for a while.
        type: bool
        default: true
      limit_exempt:
        description: Addresses and networks that may connect as often as they like, such as a bastion host.
        type: list
        elements: str
        default: []
  enabled:
    description:
      - With V(true), the firewall is active now and after a reboot.
      - With V(false), the rules are prepared, and the firewall stays as it is, on or off.
    type: bool
    default: true
notes:
  - ufw keeps one rule for the same packets. A rule of somebody else that already lets them in stays as it is
    (RV(covered)). Only where it has to be rate-limited and isn't, it is limited and taken over (RV(adopted)).
  - Where one owner of a rule asks for the limit and another doesn't, the rule is limited.
  - Ports that Docker publishes bypass ufw.
seealso:
  - module: community.general.ufw
"""

EXAMPLES = r"""
- name: Let visitors in, and the database's port only from the application's hosts
  slipway.stack.ufw_rules:
    owner: shop
    rules:
      - {port: "80", comment: http}
      - {port: "443", comment: https}
      - {port: "5432", from: [10.0.0.11, 10.0.0.12], comment: PostgreSQL}

- name: Let ssh in from the office only, and the bastion host as often as it likes
  slipway.stack.ufw_rules:
    owner: shop
    ssh:
      from: [203.0.113.0/24, "2001:db8:1::/48"]
      limit_exempt: [203.0.113.7]

- name: Take an application's rules away
  slipway.stack.ufw_rules:
    owner: old-shop
    rules: []
"""

RETURN = r"""
commands:
  description: The commands of ufw that were run, or in check mode would be.
  returned: success
  type: list
  elements: str
  sample: ["limit proto tcp from any to any port 22 comment 'slipway:shop ssh'", "--force enable"]
added:
  description: Rules that were not there before.
  returned: success
  type: list
  elements: str
  sample: ["allow port 443/tcp from anywhere  # slipway:shop https"]
removed:
  description: Rules that are gone.
  returned: success
  type: list
  elements: str
  sample: []
altered:
  description: Rules whose owners, comment or limit changed.
  returned: success
  type: list
  elements: str
  sample: ["allow port 80/tcp from anywhere  # slipway:blog,shop"]
covered:
  description: Rules of somebody else that already let in what is wanted.
  returned: success
  type: list
  elements: str
  sample: ["allow port 80/tcp from anywhere"]
adopted:
  description: Rules of somebody else that had to be limited, and bear the owner's name since.
  returned: success
  type: list
  elements: str
  sample: ["allow port 22/tcp from anywhere"]
rules:
  description: The rules that bear the owner's name, in their order.
  returned: success
  type: list
  elements: str
  sample: ["limit port 22/tcp from anywhere  # slipway:shop ssh"]
ssh_ports:
  description: The ports on which ssh is let in.
  returned: success
  type: list
  elements: int
  sample: [22]
active:
  description: Whether the firewall is active afterwards.
  returned: success
  type: bool
  sample: true
installed:
  description: Whether ufw is installed. It may be missing in check mode only.
  returned: success
  type: bool
  sample: true
"""

import shlex
from contextlib import nullcontext
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.slipway.stack.plugins.module_utils import _ufw_host as host
from ansible_collections.slipway.stack.plugins.module_utils._errors import StackError, conclude
from ansible_collections.slipway.stack.plugins.module_utils._ufw_plan import (
    Plan,
    check_owner,
    make_plan,
    refuse_lockout,
    wanted_rules,
    wanted_ssh,
)
from ansible_collections.slipway.stack.plugins.module_utils._ufw_state import Firewall

SYSTEM_DIRECTORIES = ["/usr/sbin", "/sbin"]


def run(module: AnsibleModule) -> dict[str, Any]:
    def call(words: list[str]) -> tuple[int, str, str]:
        code, out, err = module.run_command(words, environ_update={"LC_ALL": "C.UTF-8"}, handle_exceptions=False)
        return code, out, err

    wanted = module.params
    check_owner(wanted["owner"])
    ufw = module.get_bin_path("ufw", opt_dirs=SYSTEM_DIRECTORIES)
    if ufw is None and not module.check_mode:
        raise StackError("ufw isn't installed: install the package ufw first (ufw_install: true does it).")
    with nullcontext() if module.check_mode else host.alone():
        firewall = host.look_at_firewall(ufw, call)
        connection = host.find_connection()
        sshd = module.get_bin_path("sshd", opt_dirs=SYSTEM_DIRECTORIES)
        ports = host.ssh_ports(wanted["ssh"]["port"], connection, sshd, call)
        plan = make_plan(
            firewall,
            wanted["owner"],
            wanted_ssh(wanted["ssh"], ports, firewall),
            wanted_rules(wanted["rules"], firewall),
            wanted["enabled"],
        )
        refuse_lockout(plan, connection)
        if ufw and not module.check_mode:
            host.carry_out(plan, ufw, call)
    for warning in plan.warnings:
        module.warn(warning)
    result = report(plan, firewall, wanted["owner"], wanted["enabled"])
    result["ssh_ports"] = ports
    if module._diff:
        result["diff"] = diff_of(firewall, plan, result["active"])
    return result


def report(plan: Plan, firewall: Firewall, owner: str, enable: bool) -> dict[str, Any]:
    return {
        "changed": bool(plan.commands),
        "commands": [shlex.join(words) for words in plan.commands],
        "added": plan.added,
        "removed": plan.removed,
        "altered": plan.changed,
        "covered": plan.covered,
        "adopted": plan.adopted,
        "rules": [str(rule) for rule in plan.after if owner in rule.owners.limits],
        "active": firewall.active or enable,
        "installed": firewall.installed,
    }


def diff_of(firewall: Firewall, plan: Plan, active: bool) -> dict[str, str]:
    before = [str(rule) for rule in firewall.rules]
    after = [str(rule) for rule in plan.after]
    return {
        "before_header": "ufw" if firewall.installed else "ufw (not installed yet)",
        "after_header": "ufw",
        "before": as_text(before, firewall.stands, firewall.incoming, firewall.outgoing),
        "after": as_text(after, active, "deny", "allow"),
    }


def as_text(rules: list[str], stands: bool, incoming: str, outgoing: str) -> str:
    head = [
        f"active: {'yes' if stands else 'no'}",
        f"incoming: {incoming or 'unknown'}",
        f"outgoing: {outgoing or 'unknown'}",
    ]
    return "".join(f"{line}\n" for line in [*head, *rules])


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "owner": {"type": "str", "required": True},
            "rules": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "port": {"type": "str", "required": True},
                    "proto": {"type": "str", "choices": ["tcp", "udp"], "default": "tcp"},
                    "from": {"type": "list", "elements": "str", "default": []},
                    "limit": {"type": "bool", "default": False},
                    "comment": {"type": "str", "default": ""},
                },
            },
            "ssh": {
                "type": "dict",
                "default": {},
                "options": {
                    "port": {"type": "int", "default": 0},
                    "from": {"type": "list", "elements": "str", "default": []},
                    "limit": {"type": "bool", "default": True},
                    "limit_exempt": {"type": "list", "elements": "str", "default": []},
                },
            },
            "enabled": {"type": "bool", "default": True},
        },
        supports_check_mode=True,
    )
    conclude(module, run)


if __name__ == "__main__":
    main()
