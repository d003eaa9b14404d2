"""What is true of several hosts only."""

from __future__ import annotations


def test_a_release_that_fails_on_one_host_takes_the_others_back_too(run, visitors, serving, group, machine):
    before = serving()
    with visitors() as seen:
        told = run("upgrade", "-e", "app_version=v2.0.0-second", check=False)
    assert told.status != 0
    assert "app2: shop-web@" in told.text
    seen.assert_nothing_failed()
    assert serving() == before
    records = {machine(host).check_output("grep version /etc/slipway/shop/live.json") for host in group("app")}
    assert len(records) == 1


def test_a_part_of_the_fleet_is_not_upgraded_alone(run, serving):
    before = serving()
    told = run("upgrade", "-e", "app_version=v1.3.0", "--limit", "app1,proxy1,proxy2", check=False)
    assert told.status != 0
    assert "run this without --limit" in told.text
    assert serving() == before


def test_a_proxy_that_is_away_stops_the_run_before_anything_changes(run, serving, machine, ask):
    # With the connections that the controller keeps open.
    machine("proxy2").run("systemctl stop ssh.socket; systemctl stop ssh; pkill -KILL sshd")
    try:
        told = run("upgrade", "-e", "app_version=v1.3.0", check=False)
    finally:
        machine("proxy2").check_output("systemctl start ssh")
    assert told.status != 0
    assert "proxy2" in told.text
    assert serving() == {"v1.2.0"}


def test_a_proxy_whose_workers_cannot_see_the_flag_stops_the_run(run, serving, machine):
    machine("proxy1").check_output("chmod o-x /var/lib/slipway")
    try:
        told = run("upgrade", "-e", "app_version=v1.3.0", check=False)
    finally:
        machine("proxy1").check_output("chmod o+x /var/lib/slipway")
    assert told.status != 0
    assert "chmod o+x" in told.text
    assert serving() == {"v1.2.0"}


def test_a_proxy_that_comes_back_empty_agrees_with_the_other(run, serving, machine, ask):
    slot = ask("/whoami").json()["slot"]
    machine("proxy2").check_output(
        "systemctl stop nginx; rm -f /var/lib/slipway/slots/shop.green /etc/nginx/sites-*/shop.conf"
    )
    run("site")
    assert ask("/whoami", at="proxy2").json()["slot"] == slot
    assert serving() == {"v1.2.0"}
