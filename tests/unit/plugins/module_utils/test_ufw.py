# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ansible_collections.slipway.stack.plugins.module_utils import _ufw_host as host
from ansible_collections.slipway.stack.plugins.module_utils._errors import StackError
from ansible_collections.slipway.stack.plugins.module_utils._ufw_plan import (
    Plan,
    make_plan,
    refuse_lockout,
    wanted_rules,
    wanted_ssh,
)
from ansible_collections.slipway.stack.plugins.module_utils._ufw_state import (
    Connection,
    Firewall,
    Owners,
    plain_ip,
    read_rules,
    read_settings,
)

FROM_OFFICE = Connection("203.0.113.9", "10.0.0.5", 22)


def encoded(comment: str) -> str:
    return f" comment={comment.encode().hex()}" if comment else ""


def rule_lines(*lines: str, family: int = 4) -> Firewall:
    """A firewall that stands, with rules as ufw keeps them; `#` sets off a comment."""
    text = ""
    for line in lines:
        fields, _separator, comment = line.partition(" # ")
        text += f"### tuple ### {fields}{encoded(comment)}\n"
    return Firewall(
        installed=True,
        enabled_at_boot=True,
        active=True,
        ipv6=False,
        incoming="deny",
        outgoing="allow",
        rules=tuple(read_rules(text, family)),
    )


def anywhere(action: str, port: str, comment: str = "") -> str:
    return f"{action} tcp {port} 0.0.0.0/0 any 0.0.0.0/0 in" + (f" # {comment}" if comment else "")


SSH = anywhere("limit", "22", "slipway:shop ssh")


def rule(port: str, **options: object) -> dict[str, object]:
    return {"port": port, "proto": "tcp", "from": [], "limit": False, "comment": "", **options}


def plan_for(
    firewall: Firewall, *rules: dict[str, object], owner: str = "shop", ssh: dict[str, object] | None = None
) -> Plan:
    ssh_options = {"from": [], "limit": True, "limit_exempt": [], **(ssh or {})}
    return make_plan(
        firewall, owner, wanted_ssh(ssh_options, [22], firewall), wanted_rules(rules, firewall), enable=True
    )


def commands(plan: Plan) -> list[str]:
    return [" ".join(words) for words in plan.commands]


def test_a_bare_host_gets_ssh_first_and_is_enabled_last() -> None:
    plan = plan_for(Firewall(installed=True), rule("443", comment="https"))
    assert commands(plan) == [
        "limit proto tcp from any to any port 22 comment slipway:shop ssh",
        "allow proto tcp from any to any port 443 comment slipway:shop https",
        "default deny incoming",
        "default allow outgoing",
        "--force enable",
    ]


def test_what_is_there_already_needs_no_command() -> None:
    firewall = rule_lines(SSH, anywhere("allow", "443", "slipway:shop https"))
    assert commands(plan_for(firewall, rule("443", comment="https"))) == []


def test_a_family_of_its_own_gets_a_command_of_its_own() -> None:
    firewall = rule_lines(SSH, anywhere("allow", "443", "slipway:shop"))
    with_ipv6 = Firewall(**{**vars(firewall), "ipv6": True})
    assert commands(plan_for(with_ipv6, rule("443"))) == [
        "limit proto tcp from ::/0 to any port 22 comment slipway:shop ssh",
        "allow proto tcp from ::/0 to any port 443 comment slipway:shop",
    ]


def test_only_rules_that_bear_the_name_alone_are_removed() -> None:
    firewall = rule_lines(
        SSH,
        anywhere("allow", "80"),
        anywhere("allow", "81", "slipway:workshop"),
        anywhere("allow", "82", "slipway:shop"),
        anywhere("allow", "83", "slipway:blog,shop"),
        anywhere("allow", "84", "about slipway:shop"),
    )
    plan = plan_for(firewall)
    assert commands(plan) == [
        "delete allow proto tcp from 0.0.0.0/0 to any port 82",
        "allow proto tcp from 0.0.0.0/0 to any port 83 comment slipway:blog",
    ]


def test_owners_of_one_rule_do_not_undo_each_other() -> None:
    blog_limits = rule_lines(SSH, anywhere("limit", "443", "slipway:blog"))
    plan = plan_for(blog_limits, rule("443"))
    assert commands(plan) == ["limit proto tcp from 0.0.0.0/0 to any port 443 comment slipway:blog,shop=allow"]
    both = rule_lines(SSH, anywhere("limit", "443", "slipway:blog,shop=allow"))
    assert commands(plan_for(both, rule("443"))) == []
    blog_ssh = [anywhere("limit", "22", "slipway:blog,shop ssh")]
    again = plan_for(rule_lines(*blog_ssh, anywhere("limit", "443", "slipway:blog,shop=allow")), owner="blog")
    assert commands(again) == ["allow proto tcp from 0.0.0.0/0 to any port 443 comment slipway:shop"]


def test_a_rule_of_somebody_else_covers_what_is_wanted() -> None:
    plan = plan_for(rule_lines(SSH, anywhere("allow", "80", "by hand")), rule("80"))
    assert commands(plan) == []
    assert plan.covered == ["allow port 80/tcp from anywhere  # by hand"]


def test_a_rule_of_somebody_else_is_taken_over_to_be_limited() -> None:
    plan = plan_for(rule_lines(anywhere("allow", "22")))
    assert commands(plan) == ["limit proto tcp from 0.0.0.0/0 to any port 22 comment slipway:shop ssh"]
    assert plan.adopted == ["allow port 22/tcp from anywhere"]


def test_a_rule_of_somebody_else_that_contradicts_is_refused() -> None:
    with pytest.raises(StackError, match="contradicts"):
        plan_for(rule_lines(SSH, anywhere("deny", "80")), rule("80"))


def test_the_limit_comes_before_a_profile_that_lets_everybody_in() -> None:
    plan = plan_for(rule_lines("allow tcp 22 0.0.0.0/0 any 0.0.0.0/0 OpenSSH - in"))
    assert commands(plan) == ["prepend limit proto tcp from 0.0.0.0/0 to any port 22 comment slipway:shop ssh"]


def test_a_ban_stays_before_ssh() -> None:
    firewall = rule_lines("deny any any 0.0.0.0/0 any 0.0.0.0/0 in_eth1", anywhere("allow", "20:25"))
    plan = plan_for(firewall)
    assert commands(plan)[0].startswith("limit ")
    assert plan.warnings == [
        "ssh isn't rate-limited, since somebody else's rule comes first: `allow port 20:25/tcp from anywhere`."
    ]


def test_exempt_addresses_come_before_the_limit() -> None:
    ssh = {"limit_exempt": ["203.0.113.9"]}
    first = "prepend allow proto tcp from 203.0.113.9 to any port 22 comment slipway:shop ssh"
    assert commands(plan_for(rule_lines(SSH), ssh=ssh)) == [first]
    exempt = "allow tcp 22 0.0.0.0/0 any 203.0.113.9 in # slipway:shop ssh"
    assert commands(plan_for(rule_lines(exempt, SSH), ssh=ssh)) == []
    assert commands(plan_for(rule_lines(SSH, exempt), ssh=ssh)) == [
        "delete allow proto tcp from 203.0.113.9 to any port 22",
        first,
    ]


@pytest.mark.parametrize(
    ("port", "sources", "reason"),
    [
        ("0", [], "give a port"),
        ("99999", [], "give a port"),
        ("20:10", [], "give a port"),
        ("http", [], "give a port"),
        ("80", ["db.example"], "no IP address"),
        ("80", ["2001:db8::1"], "IPV6=no"),
    ],
)
def test_nonsense_is_refused(port: str, sources: list[str], reason: str) -> None:
    with pytest.raises(StackError, match=reason):
        plan_for(rule_lines(SSH), rule(port, **{"from": sources}))


def test_networks_are_spelled_as_ufw_keeps_them() -> None:
    firewall = rule_lines(
        SSH,
        "allow tcp 80 0.0.0.0/0 any 10.0.0.0/24 in # slipway:shop",
        "allow tcp 80 0.0.0.0/0 any 10.1.0.1 in # slipway:shop",
    )
    assert commands(plan_for(firewall, rule("80", **{"from": ["10.0.0.7/24", "10.1.0.1/32"]}))) == []


@pytest.mark.parametrize(
    ("lines", "ssh", "reason"),
    [
        ([], {"from": ["192.0.2.1"]}, "no rule would let in"),
        (["deny any any 0.0.0.0/0 any 203.0.113.0/24 in"], {}, "would shut out"),
        (["reject tcp 1:1024 10.0.0.5 any 0.0.0.0/0 in"], {}, "would shut out"),
        (["deny tcp 22,80 0.0.0.0/0 any 0.0.0.0/0 in_eth0"], {}, "would shut out"),
    ],
)
def test_a_lockout_is_refused(lines: list[str], ssh: dict[str, object], reason: str) -> None:
    with pytest.raises(StackError, match=reason):
        refuse_lockout(plan_for(rule_lines(*lines), ssh=ssh), FROM_OFFICE)


@pytest.mark.parametrize(
    "line",
    [
        "deny any any 0.0.0.0/0 any 198.51.100.0/24 in",
        "deny udp 22 0.0.0.0/0 any 0.0.0.0/0 in",
        "deny any any 0.0.0.0/0 any 0.0.0.0/0 out",
        "route:deny any any 0.0.0.0/0 any 0.0.0.0/0 in_eth0",
        "deny tcp 22 10.0.0.6 any 0.0.0.0/0 in",
    ],
)
def test_rules_about_others_lock_nobody_out(line: str) -> None:
    refuse_lockout(plan_for(rule_lines(line)), FROM_OFFICE)


def test_a_connection_that_is_not_ssh_is_not_judged() -> None:
    refuse_lockout(plan_for(rule_lines(), ssh={"from": ["192.0.2.1"]}), None)


def test_comments_keep_owners_and_what_each_wants() -> None:
    owners = Owners({"shop": False, "blog": True}, "https")
    assert owners.comment == "slipway:blog,shop=allow https"
    assert Owners.parse(owners.comment) == owners
    assert Owners({"shop": False, "blog": False}).comment == "slipway:blog,shop"
    assert Owners.parse("not ours") == Owners()


def test_settings_are_read_as_a_shell_would() -> None:
    text = '# IPV6=no\nIPV6=yes\nDEFAULT_INPUT_POLICY="DROP"\n'
    assert read_settings(text) == {"IPV6": "yes", "DEFAULT_INPUT_POLICY": "DROP"}


def test_addresses_lose_their_zone_and_their_mapping() -> None:
    assert plain_ip("fe80::1%eth0") == "fe80::1"
    assert plain_ip("::ffff:192.0.2.1") == "192.0.2.1"


def test_the_connection_is_found_in_an_ancestor(tmp_path: Path) -> None:
    def process(pid: int, parent: int, environ: bytes) -> None:
        (tmp_path / str(pid)).mkdir()
        (tmp_path / str(pid) / "environ").write_bytes(environ)
        (tmp_path / str(pid) / "stat").write_text(f"{pid} (a ) b) S {parent} 0 0")

    process(os.getpid(), 400, b"HOME=/root\0")
    process(400, 300, b"")
    process(300, 1, b"A=b\0SSH_CONNECTION=203.0.113.9 5000 ::ffff:10.0.0.5 2222\0")
    assert host.find_connection(str(tmp_path)) == Connection("203.0.113.9", "10.0.0.5", 2222)
    (tmp_path / "300" / "environ").write_bytes(b"A=b\0")
    assert host.find_connection(str(tmp_path)) is None


@pytest.mark.parametrize(
    ("asked", "connection", "sshd", "ports"),
    [
        (2200, FROM_OFFICE, "sshd", [2200]),
        (0, FROM_OFFICE, "sshd", [22]),
        (0, None, "sshd", [2022, 2222]),
        (0, None, None, [22]),
    ],
)
def test_the_ssh_port(asked: int, connection: Connection | None, sshd: str | None, ports: list[int]) -> None:
    def run(_words: list[str]) -> tuple[int, str, str]:
        return 0, "port 2222\nport 2022\naddressfamily any\n", ""

    assert host.ssh_ports(asked, connection, sshd, run) == ports


def test_a_firewall_that_does_not_come_up_is_switched_off_again() -> None:
    ran = []

    def run(words: list[str]) -> tuple[int, str, str]:
        ran.append(words)
        return (1, "", "problem running ufw-init") if words[-1] == "enable" else (0, "", "")

    with pytest.raises(StackError, match="switched off again"):
        host.carry_out(plan_for(Firewall(installed=True)), "ufw", run)
    assert ran[-1] == ["ufw", "disable"]
