from __future__ import annotations

import json
import time

import pytest

PORTS = "22,80,443,5432,5999-6011,9000,9100"
USUAL = {22, 80, 443, 6005}
# ufw's limit looks back over 30 seconds.
LIMIT_WINDOW = 31
KNOCK = """
import json, socket, sys
def knocks(host, port, count):
    for _ in range(count):
        try:
            socket.create_connection((host, port), timeout=3).close()
            yield True
        except OSError:
            yield False
print(json.dumps(list(knocks(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))))
"""


def wipe(host) -> None:
    # ufw names its copies by the second, and refuses to write one twice.
    host.check_output("rm -f /etc/ufw/*.rules.2*; ufw --force reset")


def said(result) -> str:
    return " ".join((result.stdout + result.stderr).split())


def rules_of(host) -> list[str]:
    return host.check_output("ufw show added").splitlines()[1:]


@pytest.fixture(scope="module")
def host(machine):
    return machine("one")


@pytest.fixture(scope="module")
def converge(play):
    """converge(VARIABLES, playbook=…): runs it again, without asking apt."""

    def run(variables=None, playbook="converge.yml", check=True):
        return play(playbook, "-e", json.dumps({"ufw_install": False, **(variables or {})}), check=check)

    return run


@pytest.fixture
def back_to_usual(converge):
    yield
    converge()


def test_only_what_is_allowed_is_reachable(open_ports, host):
    listening = host.check_output("ss -Hltn")
    for port in (80, 443, 5432, 6005, 9000, 9100):
        assert f":{port} " in listening
    assert open_ports("one", PORTS) == USUAL


def test_a_port_for_a_named_address_opens_for_it_alone(machine, run_python):
    assert json.loads(machine("neighbour").check_output("python3 -c %s one 5432 1", KNOCK)) == [True]
    assert run_python(KNOCK, "one", "5432", "1") == [False]


def test_the_firewall_denies_what_comes_in_and_allows_what_goes_out(host):
    status = host.check_output("ufw status verbose")
    assert "Status: active" in status
    assert "Default: deny (incoming), allow (outgoing)" in status
    assert host.run("timeout 5 bash -c '</dev/tcp/neighbour/22'").rc == 0


def test_ipv6_is_closed_in_the_same_way(host):
    assert "-P INPUT DROP" in host.check_output("ip6tables -S INPUT")
    chain = host.check_output("ip6tables -S ufw6-user-input")
    assert "--dport 80 -j ACCEPT" in chain
    assert "--dport 22 -m conntrack --ctstate NEW -m recent --update --seconds 30 --hitcount 6" in chain
    for port in (5432, 9000, 9100):
        assert f"--dport {port}" not in chain


def test_ssh_is_limited_and_recovers(run_python):
    time.sleep(LIMIT_WINDOW)
    answers = run_python(KNOCK, "one", "22", "8")
    assert answers[:5] == [True] * 5
    assert answers[6:] == [False] * 2
    time.sleep(LIMIT_WINDOW)
    assert run_python(KNOCK, "one", "22", "1") == [True]


def test_an_exempt_address_is_not_limited(run_python, converge, client, back_to_usual):
    own = client.check_output("hostname -i").split()[0]
    converge({"exempt": [own]})
    assert run_python(KNOCK, "one", "22", "20") == [True] * 20


def test_what_is_no_longer_wanted_goes_and_nothing_else(host, open_ports, converge, back_to_usual):
    host.check_output("ufw allow 9000/tcp")
    host.check_output("ufw allow 9100/tcp comment 'slipwayish'")
    converge({"shop_rules": []})
    assert open_ports("one", PORTS) == {22, 80, 443, 9000, 9100}
    converge({"shop_rules": [], "blog_rules": []})
    assert open_ports("one", PORTS) == {22, 9000, 9100}
    host.check_output("ufw delete allow 9000/tcp && ufw delete allow 9100/tcp")


def test_owners_share_a_rule_and_the_limit_holds(host):
    rules = rules_of(host)
    assert "ufw allow 80/tcp comment 'slipway:blog,shop http'" in rules
    assert "ufw limit 443/tcp comment 'slipway:blog,shop=allow https'" in rules
    assert "ufw limit 22/tcp comment 'slipway:blog,shop ssh'" in rules


def test_rules_that_were_there_stay_and_are_not_taken_over(host, converge, back_to_usual):
    by_hand = ["allow OpenSSH", "allow 80/tcp", "deny from 192.0.2.66"]
    wipe(host)
    for rule in by_hand:
        host.check_output(f"ufw {rule}")
    before = set(rules_of(host))
    converge()
    rules = rules_of(host)
    assert before <= set(rules)
    assert "ufw allow 80/tcp" in rules
    # The profile lets ssh in without a limit: ours has to come before it.
    assert rules.index("ufw limit 22/tcp comment 'slipway:blog,shop ssh'") < rules.index("ufw allow OpenSSH")
    for rule in by_hand:
        host.check_output(f"ufw delete {rule}")


def test_an_unlimited_ssh_rule_becomes_limited(host, converge, back_to_usual):
    wipe(host)
    host.check_output("ufw allow 22/tcp")
    converge(playbook="alone.yml")
    assert rules_of(host) == ["ufw limit 22/tcp comment 'slipway:shop ssh'"]


LOCKOUTS = [
    ({"ufw_ssh_from": ["192.0.2.1"]}, "true", "no rule would let in this connection from"),
    ({"ufw_ssh_port": 2222}, "true", "set it to 22"),
    ({}, "ufw deny in proto tcp from any to any port 22", "contradicts"),
    ({}, "ufw deny proto tcp from 0.0.0.0/0 to any port 20:25", "would shut out this connection"),
]


def test_its_own_connection_is_never_shut_out(host, converge, back_to_usual):
    for variables, by_hand, reason in LOCKOUTS:
        wipe(host)
        host.check_output(by_hand)
        before = rules_of(host)
        result = converge(variables, playbook="alone.yml", check=False)
        untouched = rules_of(host) == before and "Status: inactive" in host.check_output("ufw status")
        wipe(host)
        assert result.returncode != 0
        assert reason in said(result)
        assert untouched


def test_a_name_instead_of_an_address_is_refused_before_any_change(converge, host):
    before = rules_of(host)
    result = converge({"ufw_rules": [{"port": 80, "from": ["db.example"]}]}, playbook="alone.yml", check=False)
    assert result.returncode != 0
    assert "ufw_rules lets in db.example" in said(result)
    assert rules_of(host) == before


@pytest.mark.parametrize("damage", ["ufw disable && ufw default allow incoming", "systemctl stop ufw.service"])
def test_what_is_broken_is_mended(host, converge, open_ports, damage):
    host.check_output(damage)
    converge()
    assert open_ports("one", PORTS) == USUAL
    assert "Status: active" in host.check_output("ufw status")


def test_the_firewall_stands_after_a_reboot(reboot, open_ports):
    reboot("one")
    assert open_ports("one", PORTS) == USUAL
