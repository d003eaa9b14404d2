"""What the modules' examples left on real hosts, and what the modules do when something is wrong."""

from __future__ import annotations

import pytest


@pytest.fixture
def host(machine):
    return machine("one")


def active(host, unit):
    return host.run("systemctl is-active %s", unit).stdout.strip()


@pytest.fixture
def refusal(play):
    """refusal(PLAYBOOK, *OPTIONS): what a run says that has to fail, on one line."""

    def run(playbook, *options):
        result = play(playbook, *options, check=False)
        assert result.returncode != 0
        return " ".join((result.stdout + result.stderr).split())

    return run


def main_pid(host, unit):
    return host.run("systemctl show --property=MainPID --value %s", unit).stdout.strip()


def test_the_files_of_the_example_are_there(host):
    environment = host.file("/etc/shop/environment")
    assert environment.content_string == "SECRET_KEY=correct-horse-battery-staple\n"
    assert (environment.user, environment.group, environment.mode) == ("root", "root", 0o600)
    assert host.file("/etc/shop").mode == 0o750
    assert host.file("/etc/nginx/sites-enabled/shop.conf").linked_to == "/etc/nginx/sites-available/shop.conf"
    assert host.run("nginx -T 2>/dev/null").stdout.count("server_name shop.example.com") == 1
    assert host.file("/etc/sudoers.d/shop").mode == 0o440


def test_what_the_example_prunes_is_gone(host):
    assert not host.file("/etc/nginx/sites-enabled/shop-old.conf").exists
    assert host.file("/etc/nginx/sites-enabled/default").exists


def test_nothing_is_left_in_between(host):
    assert host.run("find /etc -name '.slipway-*'").stdout == ""


def test_the_units_of_the_example_run(host):
    for unit in ("shop-web@blue.service", "shop-worker@1.service", "shop-nightly.timer", "shop-search.service"):
        assert active(host, unit) == "active", unit
    for unit in ("shop-web@blue.service", "shop-worker@1.service", "shop-nightly.timer"):
        assert host.run("systemctl is-enabled %s", unit).stdout.strip() == "enabled", unit
    assert active(host, "shop-web@green.service") == "inactive"
    assert host.run("systemctl is-enabled shop-web@green.service").stdout.strip() == "disabled"


def test_a_fragment_that_is_no_longer_needed_is_gone(host):
    assert host.file("/etc/slipway/postgres.d").mode == 0o755
    assert host.file("/etc/slipway/postgres.d").listdir() == []


def test_a_refused_site_puts_everything_back(host, refusal):
    def state():
        listing = host.run("ls -lR --time-style=full-iso /etc/shop /etc/nginx/sites-available").stdout
        # Writing and putting back touches the directories.
        return [line for line in listing.splitlines() if not line.startswith(("d", "total"))]

    before = state()
    text = refusal("plays/rejected_site.yml", "--diff")
    assert 'unknown directive "sever"' in text
    assert "every file is as it was before" in text
    assert "another-secret-value" not in text
    assert state() == before
    assert host.run("nginx -t").rc == 0


def test_a_new_drop_in_directory_is_noticed(host, play):
    play("plays/environment.yml")
    show = host.run("systemctl show --property=Environment,NeedDaemonReload shop-web@blue.service").stdout
    assert "Environment=COLOUR=blue" in show
    environment = host.file(f"/proc/{main_pid(host, 'shop-web@blue.service')}/environ").content_string
    assert "COLOUR=blue" in environment.split("\0")
    again = play("plays/environment.yml")
    assert "changed=0" in again.stdout


def test_check_mode_foresees_a_restart_and_does_not_do_it(host, play):
    host.run("rm -r /etc/systemd/system/shop-web@.service.d")
    pid = main_pid(host, "shop-web@blue.service")
    foreseen = play("plays/environment.yml", "--check", "--diff")
    assert "actions: restart" in foreseen.stdout
    assert main_pid(host, "shop-web@blue.service") == pid
    assert not host.file("/etc/systemd/system/shop-web@.service.d").exists


def test_a_unit_that_fails_says_why_and_stops_nobody(host, refusal):
    pid = main_pid(host, "shop-search.service")
    text = refusal("plays/broken_unit.yml")
    assert "shop-broken.service did not start" in text
    assert "Result=exit-code, its main process exited with status 3" in text
    assert "no broker at redis://broker" in text
    assert active(host, "shop-search.service") == "active"
    assert main_pid(host, "shop-search.service") != pid


def test_a_stranger_on_the_port_is_named(refusal):
    text = refusal("plays/stranger.yml")
    assert "expected port 8000 to be held by shop-web@green.service" in text
    assert "of shop-web@blue.service" in text
