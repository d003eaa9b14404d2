# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module utility is private to slipway.stack: it may change in any release.

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

ANYWHERE = {4: "0.0.0.0/0", 6: "::/0"}
FAMILIES = (4, 6)

_TUPLE = re.compile(r"^### tuple ### (?P<fields>.*)$", re.MULTILINE)
_COMMENT = re.compile(r"^slipway:(?P<owners>\S+)(?: (?P<text>.*))?$")
_SETTING = re.compile(r"^\s*(?P<name>[A-Z0-9_]+)\s*=\s*[\"']?(?P<value>[^\"'#\s]*)", re.MULTILINE)
# An owner who'd be content without the limit that another owner of the same rule asked for.
_CONTENT_WITHOUT_LIMIT = "=allow"
_FIELDS_WITHOUT_APPLICATIONS = 7
_FIELDS_WITH_APPLICATIONS = 9


@dataclass(frozen=True, order=True)
class Packets:
    """What a rule of ours speaks about: new connections to a port, from an address, in one family."""

    family: int
    proto: str
    port: str
    source: str

    @property
    def is_from_anywhere(self) -> bool:
        return self.source == ANYWHERE[self.family]


@dataclass(frozen=True)
class Owners:
    """Who asked for a rule (name, and whether they want it limited), as kept in the rule's comment."""

    limits: Mapping[str, bool] = field(default_factory=dict)
    text: str = ""

    @classmethod
    def parse(cls, comment: str) -> Owners:
        found = _COMMENT.match(comment)
        if not found:
            return cls()
        names = found["owners"].split(",")
        limits = {
            name.removesuffix(_CONTENT_WITHOUT_LIMIT): not name.endswith(_CONTENT_WITHOUT_LIMIT) for name in names
        }
        return cls(limits, found["text"] or "")

    @property
    def action(self) -> str:
        return "limit" if any(self.limits.values()) else "allow"

    @property
    def comment(self) -> str:
        def mark(name: str) -> str:
            differs = self.action == "limit" and not self.limits[name]
            return name + (_CONTENT_WITHOUT_LIMIT if differs else "")

        return f"slipway:{','.join(mark(name) for name in sorted(self.limits))} {self.text}".rstrip()

    def read_for(self, action: str) -> Owners:
        """The marks stand only on a limited rule: on an allowed one, nobody asked for a limit."""
        return self if action == "limit" else Owners(dict.fromkeys(self.limits, False), self.text)

    def with_owner(self, name: str, limit: bool, text: str) -> Owners:
        shared = set(self.limits) - {name}
        return Owners({**self.limits, name: limit}, self.text if shared else text)

    def without_owner(self, name: str) -> Owners:
        return Owners({each: limit for each, limit in self.limits.items() if each != name}, self.text)


@dataclass(frozen=True)
class Rule:
    """A rule of ufw, whoever made it."""

    family: int
    action: str
    proto: str
    ports: str
    source: str
    destination: str = ""
    source_ports: str = "any"
    direction: str = "in"
    interface: str = ""
    application: str = ""
    routed: bool = False
    comment: str = ""

    @property
    def accepts(self) -> bool:
        return self.action in ("allow", "limit")

    @property
    def owners(self) -> Owners:
        return Owners.parse(self.comment).read_for(self.action)

    @property
    def packets(self) -> Packets | None:
        """What it speaks about, where ufw would take a rule of ours for the same one."""
        is_plain = (
            not self.routed
            and self.direction == "in"
            and not self.interface
            and not self.application
            and self.source_ports == "any"
            and self.destination in ("", ANYWHERE[self.family])
        )
        return Packets(self.family, self.proto, self.ports, self.source) if is_plain else None

    def __str__(self) -> str:
        ports = "any port" if self.ports == "any" else f"port {self.ports}"
        proto = "" if self.proto == "any" else f"/{self.proto}"
        source = "anywhere" if self.source == ANYWHERE[self.family] else self.source
        family = " (v6)" if self.family == FAMILIES[1] and source == "anywhere" else ""
        application = f" ({self.application})" if self.application else ""
        interface = f" on {self.interface}" if self.interface else ""
        comment = f"  # {self.comment}" if self.comment else ""
        way = "" if self.direction == "in" and not self.routed else " route" if self.routed else " out"
        return f"{self.action}{way} {ports}{proto}{application} from {source}{family}{interface}{comment}"

    def reaches(self, connection: Connection) -> tuple[bool, bool]:
        """Whether the rule may, and whether it certainly does, speak about new connections like this one."""
        may = (
            not self.routed
            and self.direction == "in"
            and self.family == connection.family
            and self.proto in ("any", "tcp")
            and _holds_port(self.ports, connection.port)
            and _holds_address(self.source, connection.client)
            and _holds_address(self.destination or ANYWHERE[self.family], connection.server)
        )
        return may, may and not self.interface and self.source_ports == "any"


@dataclass(frozen=True)
class Connection:
    """The ssh connection over which the module runs, as the host sees it."""

    client: str
    server: str
    port: int

    @property
    def family(self) -> int:
        return ipaddress.ip_address(self.client).version


@dataclass(frozen=True)
class Firewall:
    """What is configured and what is active."""

    installed: bool = False
    enabled_at_boot: bool = False
    active: bool = False
    ipv6: bool = True
    incoming: str = ""
    outgoing: str = ""
    rules: tuple[Rule, ...] = ()

    @property
    def stands(self) -> bool:
        return self.active and self.enabled_at_boot

    @property
    def families(self) -> tuple[int, ...]:
        return FAMILIES if self.ipv6 else FAMILIES[:1]


def read_settings(text: str) -> dict[str, str]:
    return {found["name"]: found["value"] for found in _SETTING.finditer(text)}


def read_rules(text: str, family: int) -> list[Rule]:
    """Read the tuples in which ufw itself keeps its rules (user.rules, user6.rules)."""
    return [_read_rule(found["fields"].split(), family) for found in _TUPLE.finditer(text)]


def _read_rule(fields: list[str], family: int) -> Rule:
    comment = ""
    if fields[-1].startswith("comment="):
        comment = bytes.fromhex(fields.pop().removeprefix("comment=")).decode(errors="replace")
    action, proto, ports, destination, source_ports, source = fields[:6]
    application = ""
    if len(fields) >= _FIELDS_WITH_APPLICATIONS - 1:
        application = " ".join(name.replace("%20", " ") for name in fields[6:8] if name != "-")
    has_direction = len(fields) in (_FIELDS_WITHOUT_APPLICATIONS, _FIELDS_WITH_APPLICATIONS)
    direction, _separator, interface = (fields[-1] if has_direction else "in").partition("_")
    return Rule(
        family=family,
        action=action.removeprefix("route:").partition("_")[0],
        proto=proto,
        ports=ports,
        source=source,
        destination=destination,
        source_ports=source_ports,
        direction=direction,
        interface=interface,
        application=application,
        routed=action.startswith("route:"),
        comment=comment,
    )


def plain_rule(packets: Packets, owners: Owners) -> Rule:
    return Rule(
        family=packets.family,
        action=owners.action,
        proto=packets.proto,
        ports=packets.port,
        source=packets.source,
        destination=ANYWHERE[packets.family],
        comment=owners.comment,
    )


def replaced(rules: Iterable[Rule], old: Rule, new: Rule) -> list[Rule]:
    return [replace(old, action=new.action, comment=new.comment) if rule is old else rule for rule in rules]


def normal_address(text: str) -> str:
    """The spelling that ufw keeps. Raises ValueError for what is no address or network."""
    network = ipaddress.ip_network(text, strict=False)
    return str(network.network_address) if network.num_addresses == 1 else str(network)


def plain_ip(text: str) -> str:
    """Without a zone, and as IPv4 where it is an IPv4 client of an IPv6 socket."""
    address = ipaddress.ip_address(text.partition("%")[0])
    mapped = getattr(address, "ipv4_mapped", None)
    return str(mapped or address)


def _holds_port(ports: str, port: int) -> bool:
    for part in ports.split(","):
        first, _separator, last = part.partition(":")
        if part == "any" or int(first) <= port <= int(last or first):
            return True
    return False


def _holds_address(network: str, address: str) -> bool:
    return ipaddress.ip_address(address) in ipaddress.ip_network(network, strict=False)
