from __future__ import annotations

import json
import time
import uuid

import pytest

ROTATE = "logrotate --force /etc/logrotate.d/slipway-shop"
# Rotations in quick succession would otherwise drop the oldest lines, as they should.
KEEP_ALL = "sed 's/rotate 30/rotate 100/' /etc/logrotate.d/slipway-shop > /run/keep && chmod 644 /run/keep"
JOURNAL = "/etc/systemd/journald.conf.d"


@pytest.fixture(scope="module")
def host(machine):
    return machine("one")


def numbers_in(host, pattern: str) -> list[int]:
    # Not only the current file: each rotated one, compressed or not.
    return [int(line) for line in host.check_output(f"zcat -f {pattern}").split()]


def count_in(host, pattern: str) -> int:
    return len(host.check_output(f"ls {pattern}").split())


def test_files_are_rotated_daily_and_thirty_kept(host):
    assert not host.file("/etc/logrotate.d/slipway-default").exists
    rotation = host.file("/etc/logrotate.d/slipway-shop").content_string
    for word in ("daily", "rotate 30", "compress", "delaycompress"):
        assert word in rotation
    assert host.run("logrotate --debug /etc/logrotate.conf").rc == 0
    assert host.service("logrotate.timer").is_running
    assert host.service("logrotate.timer").is_enabled


def test_nginx_loses_no_line_while_rotating_under_load(host):
    host.check_output(KEEP_ALL)
    host.check_output("rm -f /var/log/nginx/shop/*; systemctl kill --kill-whom=main --signal=USR1 nginx.service")
    requests, rotations = 40000, 0
    host.check_output(f"systemd-run --unit=load --remain-after-exit python3 /srv/shop/load.py {requests}")
    while host.check_output("systemctl show --property=SubState --value load.service") == "running":
        host.check_output("logrotate --force /run/keep")
        rotations += 1
        time.sleep(0.3)
    assert host.check_output("systemctl show --property=Result --value load.service") == "success"
    host.check_output("systemctl stop load.service")
    assert rotations >= 4
    assert sorted(numbers_in(host, "/var/log/nginx/shop/*")) == list(range(1, requests + 1))
    assert count_in(host, "/var/log/nginx/shop/access.log.*.gz") >= 3


def test_an_application_loses_no_line_while_rotating(host):
    host.check_output(KEEP_ALL)
    host.check_output("rm -f /srv/shop/log/*; systemctl restart shop-writer.service")
    for _ in range(5):
        time.sleep(0.7)
        host.check_output("logrotate --force /run/keep")
    time.sleep(0.5)
    host.check_output("systemctl stop shop-writer.service")
    numbers = numbers_in(host, "/srv/shop/log/*")
    assert len(numbers) > 1000
    assert sorted(numbers) == list(range(1, len(numbers) + 1))
    current = host.file("/srv/shop/log/shop.log")
    assert (current.user, current.group, current.mode) == ("shop", "shop", 0o640)
    assert current.size > 0


def test_a_writer_that_does_not_run_is_no_error(host):
    host.check_output(
        "systemctl stop shop-writer.service; echo 1 >> /srv/shop/log/shop.log; chown shop: /srv/shop/log/shop.log"
    )
    assert host.run(ROTATE).rc == 0


def test_the_largest_wish_bounds_the_journal(host):
    effective = {}
    for line in host.check_output("systemd-analyze cat-config systemd/journald.conf").splitlines():
        if "=" in line and not line.startswith("#"):
            key, _, value = line.partition("=")
            effective[key] = value
    assert effective["SystemMaxUse"] == "1G"
    assert effective["MaxRetentionSec"] == "60day"
    assert effective["RateLimitBurst"] == "200000"
    assert effective["Storage"] == "persistent"
    journal = host.check_output("journalctl -u systemd-journald --no-pager --boot")
    assert "max 1.0G" in journal.splitlines()[-1] or "max 1G" in journal


def test_a_flood_of_lines_is_kept_over_a_restart_of_the_journal(host):
    lines, unit = 40000, f"flood-{uuid.uuid4().hex[:8]}"
    host.check_output(f"systemd-run --unit={unit} seq {lines}")
    host.check_output("systemctl restart systemd-journald.service")

    def arrived() -> list[int]:
        out = host.check_output(f"journalctl --sync; journalctl --unit={unit} --output=cat --no-pager")
        return [int(line) for line in out.split() if line.isdigit()]

    deadline = time.monotonic() + 60
    while len(arrived()) < lines and time.monotonic() < deadline:
        time.sleep(1)
    assert arrived() == list(range(1, lines + 1))


def collected(machine, marker: str) -> list[str]:
    return machine("collector").run(f"grep -a {marker} /var/log/collected.log").stdout.splitlines()


def test_the_journal_arrives_at_the_collector_once(host, machine, wait_until):
    marker = uuid.uuid4().hex
    text = json.dumps({"id": marker, "filler": "x" * 20000, "last": "end"})
    host.run("systemd-run --wait --unit=said-%s printf %%s %s", marker, text)

    def has_arrived() -> bool:
        return any(line.split()[1] == "printf" for line in collected(machine, marker))

    wait_until(has_arrived, seconds=60)
    # systemd's own line about the command quotes the text, too.
    messages = [line for line in collected(machine, marker) if line.split()[1] == "printf"]
    # Two applications on this host name the same collector.
    assert len(messages) == 1
    assert messages[0].startswith("one ")
    assert json.loads(messages[0][messages[0].index("{") :])["filler"] == "x" * 20000


def test_what_the_collector_cannot_take_waits(host, machine, wait_until):
    marker = uuid.uuid4().hex
    machine("collector").check_output("systemctl stop rsyslog.service")
    for number in range(20):
        host.check_output(f"logger --tag patience {marker}-{number}")
    # The first line into a connection that was closed is lost: syslog over TCP has no receipt.
    host.check_output("systemctl restart slipway-forward.service")
    machine("collector").check_output("systemctl start rsyslog.service")

    def all_arrived() -> bool:
        return {line.split()[-1] for line in collected(machine, marker)} >= {f"{marker}-{n}" for n in range(2, 20)}

    wait_until(all_arrived, seconds=120)


def test_the_forwarding_is_confined(host):
    assert host.service("slipway-forward.service").is_enabled
    exposure = host.check_output("systemd-analyze security slipway-forward.service --no-pager | tail -n 1")
    assert float(exposure.split(": ")[1].split()[0]) < 4


@pytest.fixture(scope="module")
def converge(play):
    """converge(VARIABLES, playbook=…): runs it again, without asking apt."""

    def run(variables=None, playbook="converge.yml", check=True):
        return play(playbook, "-e", json.dumps({"logrotate_install": False, **(variables or {})}), check=check)

    return run


def test_a_collector_of_another_authority_gets_nothing(host, machine, converge, wait_until):
    marker = uuid.uuid4().hex
    converge({"authority": "other-ca.pem"})
    try:
        host.check_output(f"logger {marker}")

        def is_refused() -> bool:
            said = host.check_output("journalctl --unit=slipway-forward.service --since=-5min --no-pager")
            return "not valid" in said or "invalid" in said

        wait_until(is_refused, seconds=120)
        assert collected(machine, marker) == []
    finally:
        converge()

    def arrives_later() -> bool:
        return bool(collected(machine, marker))

    wait_until(arrives_later, seconds=180)


def test_what_is_broken_is_mended(host, converge):
    host.check_output("systemctl disable --now logrotate.timer; systemctl stop slipway-forward.service")
    host.check_output("echo junk > /etc/logrotate.d/slipway-shop")
    converge()
    assert host.service("logrotate.timer").is_running
    assert host.service("logrotate.timer").is_enabled
    assert host.service("slipway-forward.service").is_running
    assert "rotate 30" in host.file("/etc/logrotate.d/slipway-shop").content_string


def test_a_path_that_another_file_rotates_is_refused(host, converge):
    host.check_output("printf '/srv/shop/log/shop.log {\\n daily\\n}\\n' > /etc/logrotate.d/aaa-other")
    host.check_output("rm /etc/logrotate.d/slipway-shop")
    try:
        result = converge(check=False)
        assert result.returncode != 0
        assert not host.file("/etc/logrotate.d/slipway-shop").exists
        assert "duplicate log entry" in result.stdout + result.stderr
    finally:
        host.check_output("rm /etc/logrotate.d/aaa-other")
        converge()
    assert host.file("/etc/logrotate.d/slipway-shop").exists


def test_a_name_takes_away_only_what_is_its_own(host, converge):
    converge({"leaving": "shop"}, playbook="quiet.yml")
    try:
        assert not host.file("/etc/logrotate.d/slipway-shop").exists
        assert not host.file("/etc/slipway/forward.d/shop.conf").exists
        assert host.file("/etc/slipway/forward.d/blog.conf").exists
        assert host.service("slipway-forward.service").is_running
        wishes = host.check_output(f"ls {JOURNAL}").split()
        assert len([wish for wish in wishes if wish.endswith(".shop.conf")]) == 3
        assert len([wish for wish in wishes if wish.endswith(".blog.conf")]) == 3
        converge({"leaving": "blog"}, playbook="quiet.yml")
        assert not host.service("slipway-forward.service").is_running
        assert "changed=0" in converge({"leaving": "blog"}, playbook="quiet.yml").stdout
    finally:
        converge()
    assert host.service("slipway-forward.service").is_running


def test_all_comes_back_after_a_reboot(host, reboot):
    reboot("one")
    assert host.service("logrotate.timer").is_running
    assert host.service("slipway-forward.service").is_running
