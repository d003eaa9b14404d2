"""The switch between the slots."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

SHOP = "https://shop.example"
BLOG = "https://blog.example"
pytestmark = pytest.mark.usefixtures("blue_again")


def told_by(curl):
    """The live slot and the percentage of a canary, as nginx's workers see them."""
    told = curl(f"{SHOP}/.slipway/slot").json()
    return told["slot"], told["canary"]


def test_a_switch_moves_one_site_at_once_and_the_workers_say_so(play, curl):
    before = curl(f"{SHOP}/.slipway/slot").json()
    play("switch.yml", "-e", "nginx_slot=green")
    after = curl(f"{SHOP}/.slipway/slot").json()
    assert (before["slot"], after["slot"]) == ("blue", "green")
    assert before["configuration"] == after["configuration"]
    assert curl(f"{SHOP}/").json()["slot"] == "green"
    assert curl(f"{BLOG}/").json()["slot"] == "blue"
    assert curl("http://shop.example/.slipway/slot").json() == after
    assert "changed=0" in play("switch.yml", "-e", "nginx_slot=green").stdout


def test_a_run_for_something_else_leaves_the_slot_alone(play, host, curl):
    host.check_output("touch /var/lib/slipway/slots/shop.green")
    assert "changed=0" in play("shop.yml").stdout
    assert curl(f"{SHOP}/").json()["slot"] == "green"


def test_only_the_fleet_may_ask_for_the_slot(curl, host):
    assert curl(f"{BLOG}/.slipway/slot").status == 404
    assert curl(f"{SHOP}/.slipway/slot", "-H", "X-Forwarded-For: 203.0.113.9").status == 404
    asked = host.check_output(
        "python3 -c %s",
        "import urllib.request as r;"
        "q = r.Request('http://127.0.0.1/.slipway/slot', headers={'Host': 'blog.example'});"
        "print(r.urlopen(q).read().decode())",
    )
    assert json.loads(asked)["slot"] == "blue"


def test_a_flag_that_the_workers_can_not_read_is_noticed(host, refusal):
    host.check_output("chmod 0700 /var/lib/slipway/slots")
    told = refusal("switch.yml", "-e", "nginx_slot=green")
    host.check_output("chmod 0755 /var/lib/slipway/slots")
    assert "can't look into /var/lib/slipway/slots" in told
    assert not host.file("/var/lib/slipway/slots/shop.green").exists


def test_switches_under_load_fail_nothing(client, play, program):
    stop = "/tmp/stop"
    client.check_output("rm -f %s", stop)
    with ThreadPoolExecutor() as pool:
        load = pool.submit(program, "load.py", f"{SHOP}/counted", stop)
        try:
            play("switch_often.yml")
        finally:
            client.check_output("touch %s", stop)
    outcome = load.result()
    print(outcome)
    assert outcome["errors"] == []
    assert outcome["slots"] == ["blue", "green"]
    assert outcome["changes"] >= 10
    assert outcome["requests"] > 1000
    # Nobody's connection was closed.
    assert outcome["connections"] == 20


def test_a_websocket_stays_where_it_is_when_the_slot_changes(client, host, program, curl, wait_until):
    opened = "/tmp/opened"
    client.check_output("rm -f %s", opened)
    with ThreadPoolExecutor() as pool:
        said = pool.submit(program, "websocket.py", "wss://shop.example/ws", 0.5, 20, opened)
        wait_until(lambda: client.file(opened).exists)
        host.check_output("touch /var/lib/slipway/slots/shop.green")
        assert curl(f"{SHOP}/").json()["slot"] == "green"
        assert not said.done()
    assert said.result() == [f"blue: {number}" for number in range(20)]


def test_a_reboot_keeps_the_slot_and_ends_a_canary(play, reboot, curl, wait_until):
    play("switch.yml", "-e", "nginx_slot=green")
    play("canary.yml", "-e", "scenario_percent=50")
    assert told_by(curl) == ("green", 50)
    reboot("one")

    def green_answers():
        return curl(f"{SHOP}/").headers.get("x-slot") == "green"

    wait_until(green_answers, seconds=20)
    assert told_by(curl) == ("green", 0)
    assert curl(f"{BLOG}/").headers["x-slot"] == "blue"
