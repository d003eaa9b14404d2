# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module utility is private to slipway.stack: it may change in any release.

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.slipway.stack.plugins.module_utils._errors import StackError
from ansible_collections.slipway.stack.plugins.module_utils._ufw_state import (
    ANYWHERE,
    Connection,
    Firewall,
    Owners,
    Packets,
    Rule,
    normal_address,
    plain_rule,
    replaced,
)

SSH_TEXT = "ssh"
_OWNER = re.compile(r"[a-z0-9][a-z0-9._-]*")
_TEXT = re.compile(r"[^'\x00-\x1f]*")
_LAST_PORT = 65535


@dataclass(frozen=True)
class Wanted:
    packets: Packets
    limit: bool
    text: str
    is_ssh: bool = False
    is_exempt: bool = False


@dataclass
class Plan:
    """The commands that lead to the wanted rules, in an order in which no step shuts anybody out."""

    after: list[Rule]
    ssh: list[list[str]] = field(default_factory=list)
    add: list[list[str]] = field(default_factory=list)
    remove: list[list[str]] = field(default_factory=list)
    switch: list[list[str]] = field(default_factory=list)
    added: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    adopted: list[str] = field(default_factory=list)
    covered: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @property
    def commands(self) -> list[list[str]]:
        return [*self.ssh, *self.add, *self.remove, *self.switch]


def check_owner(owner: str) -> None:
    if not _OWNER.fullmatch(owner):
        raise StackError(
            f"owner {owner!r} can't be kept in a rule's comment: use lower-case letters, digits, dots, - and _."
        )


def wanted_rules(rules: Sequence[Mapping[str, Any]], firewall: Firewall) -> list[Wanted]:
    wanted: list[Wanted] = []
    for number, rule in enumerate(rules):
        where = f"rules[{number}]"
        text = rule["comment"] or ""
        if not _TEXT.fullmatch(text):
            raise StackError(f"{where}.comment holds a quote or a control character: leave it out.")
        all_packets = _packets(rule["port"], rule["proto"], rule["from"] or [], where, firewall)
        wanted.extend(Wanted(packets, rule["limit"], text) for packets in all_packets)
    return _without_repetition(wanted)


def wanted_ssh(ssh: Mapping[str, Any], ports: Sequence[int], firewall: Firewall) -> list[Wanted]:
    wanted: list[Wanted] = []
    for port in map(str, ports):
        if ssh["limit_exempt"]:
            exempt = _packets(port, "tcp", ssh["limit_exempt"], "ssh.limit_exempt", firewall)
            wanted.extend(Wanted(packets, False, SSH_TEXT, is_ssh=True, is_exempt=True) for packets in exempt)
        others = _packets(port, "tcp", ssh["from"] or [], "ssh.from", firewall)
        wanted.extend(Wanted(packets, ssh["limit"], SSH_TEXT, is_ssh=True) for packets in others)
    return _without_repetition(wanted)


def _without_repetition(wanted: Sequence[Wanted]) -> list[Wanted]:
    first: dict[Packets, Wanted] = {}
    for each in wanted:
        first.setdefault(each.packets, each)
    return list(first.values())


def _packets(port: str, proto: str, sources: Sequence[str], where: str, firewall: Firewall) -> list[Packets]:
    port = _normal_port(port, where)
    if not sources:
        return [Packets(family, proto, port, ANYWHERE[family]) for family in firewall.families]
    packets = []
    for source in sources:
        try:
            address = normal_address(source)
        except ValueError:
            raise StackError(
                f"{where} names {source!r}, which is no IP address or network: names aren't taken, since whoever "
                "controls them would be let in."
            ) from None
        family = 6 if ":" in address else 4
        if family not in firewall.families:
            raise StackError(
                f"{where} names {source}, but /etc/default/ufw says IPV6=no: set it to yes, or leave it out."
            )
        packets.append(Packets(family, proto, port, address))
    return packets


def _normal_port(port: str, where: str) -> str:
    numbers = [int(part) if part.isascii() and part.isdigit() else 0 for part in port.split(":")]
    in_range = all(1 <= number <= _LAST_PORT for number in numbers)
    if not in_range or len(numbers) > 2 or (len(numbers) == 2 and numbers[0] >= numbers[1]):
        raise StackError(
            f'{where}.port is {port!r}: give a port from 1 to {_LAST_PORT}, or a range such as "6000:6010".'
        )
    return ":".join(str(number) for number in numbers)


def make_plan(firewall: Firewall, owner: str, ssh: Sequence[Wanted], others: Sequence[Wanted], enable: bool) -> Plan:
    plan = Plan(after=list(firewall.rules))
    wanted = _without_repetition([*ssh, *others])
    for each in sorted(wanted, key=lambda one: one.is_exempt):
        _plan_one(plan, owner, each)
    _plan_removals(plan, owner, {each.packets for each in wanted})
    for commands in (plan.ssh, plan.add, plan.remove):
        commands[:] = _joined(commands)
    _plan_switch(plan, firewall, enable)
    _warn_of_shadows(plan, [each.packets for each in ssh if each.limit])
    return plan


def _find(rules: Sequence[Rule], packets: Packets) -> Rule | None:
    return next((rule for rule in rules if rule.packets == packets), None)


def _plan_one(plan: Plan, owner: str, wanted: Wanted) -> None:
    existing = _find(plan.after, wanted.packets)
    commands = plan.ssh if wanted.is_ssh else plan.add
    if existing is None:
        _plan_new(plan, commands, wanted, plain_rule(wanted.packets, Owners({owner: wanted.limit}, wanted.text)))
        return
    if not existing.owners.limits and not _may_be_adopted(plan, existing, wanted):
        return
    owners = existing.owners.with_owner(owner, wanted.limit, wanted.text)
    new = plain_rule(wanted.packets, owners)
    if wanted.is_exempt and _stands_behind_limit(plan.after, existing):
        commands.append(_delete_command(existing))
        plan.after.remove(existing)
        _plan_new(plan, commands, wanted, new)
    elif (new.action, new.comment) != (existing.action, existing.comment):
        commands.append(_command(new))
        plan.after = replaced(plan.after, existing, new)
        plan.changed.append(str(new))


def _may_be_adopted(plan: Plan, existing: Rule, wanted: Wanted) -> bool:
    """A rule of somebody else stays theirs, unless it has to be limited: ufw keeps one rule for the same packets."""
    if not existing.accepts:
        raise StackError(
            f"somebody else's rule says `{existing}`, which contradicts what is wanted here: delete that rule, or leave "
            f"port {wanted.packets.port} out."
        )
    if wanted.limit and existing.action == "allow":
        plan.adopted.append(str(existing))
        return True
    plan.covered.append(str(existing))
    return False


def _plan_new(plan: Plan, commands: list[list[str]], wanted: Wanted, rule: Rule) -> None:
    plan.added.append(str(rule))
    if wanted.is_exempt or (wanted.is_ssh and _is_let_in_before(plan.after, wanted.packets)):
        commands.append(_command(rule, first=True))
        plan.after.insert(0, rule)
    else:
        commands.append(_command(rule))
        plan.after.append(rule)


def _is_let_in_before(rules: Sequence[Rule], packets: Packets) -> bool:
    """Whether a limit at the end would come too late. Where somebody else denies first, the end is right."""
    connection = Connection(*_any_address(packets), int(packets.port))
    for rule in rules:
        may, surely = rule.reaches(connection)
        if may and not rule.accepts:
            return False
        if surely and rule.source == ANYWHERE[rule.family]:
            return True
    return False


def _any_address(packets: Packets) -> tuple[str, str]:
    address = packets.source.partition("/")[0]
    return address, address


def _stands_behind_limit(rules: Sequence[Rule], exempt: Rule) -> bool:
    before = rules[: rules.index(exempt)]
    connection = Connection(
        *_any_address(Packets(exempt.family, "tcp", exempt.ports, exempt.source)), int(exempt.ports)
    )
    return any(rule.action == "limit" and rule.owners.limits and rule.reaches(connection)[0] for rule in before)


def _plan_removals(plan: Plan, owner: str, wanted: set[Packets]) -> None:
    for rule in list(plan.after):
        if owner not in rule.owners.limits or rule.packets is None or rule.packets in wanted:
            continue
        owners = rule.owners.without_owner(owner)
        if owners.limits:
            new = plain_rule(rule.packets, owners)
            plan.remove.append(_command(new))
            plan.after = replaced(plan.after, rule, new)
            plan.changed.append(str(new))
        else:
            plan.remove.append(_delete_command(rule))
            plan.after.remove(rule)
            plan.removed.append(str(rule))


def _plan_switch(plan: Plan, firewall: Firewall, enable: bool) -> None:
    if firewall.incoming != "deny":
        plan.switch.append(["default", "deny", "incoming"])
    if firewall.outgoing != "allow":
        plan.switch.append(["default", "allow", "outgoing"])
    if enable and not firewall.stands:
        plan.switch.append(["--force", "enable"])


def _command(rule: Rule, first: bool = False) -> list[str]:
    words = [rule.action, "proto", rule.proto, "from", rule.source, "to", "any", "port", rule.ports]
    return [*(["prepend"] if first else []), *words, "comment", rule.comment]


def _delete_command(rule: Rule) -> list[str]:
    return ["delete", rule.action, "proto", rule.proto, "from", rule.source, "to", "any", "port", rule.ports]


def _joined(commands: Sequence[list[str]]) -> list[list[str]]:
    """What is the same for IPv4 and IPv6 takes one command instead of two."""
    joined: list[list[str]] = []
    pending = list(commands)
    while pending:
        words = pending.pop(0)
        sources = {ANYWHERE[4]: ANYWHERE[6], ANYWHERE[6]: ANYWHERE[4]}
        other = [sources.get(word, word) for word in words]
        if other != words and other in pending:
            pending.remove(other)
            words = ["any" if word in sources else word for word in words]
        joined.append(words)
    return joined


def _warn_of_shadows(plan: Plan, limited: Sequence[Packets]) -> None:
    for packets in limited:
        connection = Connection(*_any_address(packets), int(packets.port))
        for rule in plan.after:
            if rule.packets == packets:
                break
            if rule.action == "allow" and rule.reaches(connection)[1] and rule.source == ANYWHERE[rule.family]:
                plan.warnings.append(f"ssh isn't rate-limited, since somebody else's rule comes first: `{rule}`.")
                break


def refuse_lockout(plan: Plan, connection: Connection | None) -> None:
    """Judge the rules as they will be, in the order in which the kernel asks them."""
    if connection is None:
        return
    here = f"this connection from {connection.client} to port {connection.port}"
    for rule in plan.after:
        may, surely = rule.reaches(connection)
        if may and not rule.accepts:
            raise StackError(
                f"the rule `{rule}` would shut out {here}: delete it, or move it behind those that let it in."
            )
        if surely:
            return
    raise StackError(
        f"no rule would let in {here}: leave ssh.port (ufw_ssh_port) at 0 or set it to {connection.port}, and see to it "
        f"that ssh.from (ufw_ssh_from) is empty or holds {connection.client}."
    )
