"""The switch between the slots."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

SHOP = "https://shop.example"
BLOG = "https://blog.example"
HOSTS = ("twelve", "thirteen")
pytestmark = pytest.mark.usefixtures("blue_again")


def told_by(curl, name):
    """The live slot and the percentage of a canary, as nginx's workers see them."""
    told = curl(f"{SHOP}/.slipway/slot", at=name).json()
    return told["slot"], told["canary"]


def test_a_switch_moves_one_site_at_once_and_the_workers_say_so(play, curl, name):
    before = curl(f"{SHOP}/.slipway/slot", at=name).json()
    play("switch.yml", "--limit", name, "-e", "nginx_slot=green")
    after = curl(f"{SHOP}/.slipway/slot", at=name).json()
    assert (before["slot"], after["slot"]) == ("blue", "green")
    assert before["configuration"] == after["configuration"]
    assert curl(f"{SHOP}/", at=name).json()["slot"] == "green"
    assert curl(f"{BLOG}/", at=name).json()["slot"] == "blue"
    assert curl("http://shop.example/.slipway/slot", at=name).json() == after
    assert "changed=0" in play("switch.yml", "--limit", name, "-e", "nginx_slot=green").stdout


def test_a_run_for_something_else_leaves_the_slot_alone(play, machine, curl):
    machine("twelve").check_output("touch /var/lib/slipway/slots/shop.green")
    assert "changed=0" in play("shop.yml", "--limit", "twelve").stdout
    assert curl(f"{SHOP}/", at="twelve").json()["slot"] == "green"


def test_only_the_fleet_may_ask_for_the_slot(curl, machine, name):
    assert curl(f"{BLOG}/.slipway/slot", at=name).status == 404
    assert curl(f"{SHOP}/.slipway/slot", "-H", "X-Forwarded-For: 203.0.113.9", at=name).status == 404
    asked = machine(name).check_output(
        "python3 -c %s",
        "import urllib.request as r;"
        "q = r.Request('http://127.0.0.1/.slipway/slot', headers={'Host': 'blog.example'});"
        "print(r.urlopen(q).read().decode())",
    )
    assert json.loads(asked)["slot"] == "blue"


def test_a_flag_that_the_workers_can_not_read_is_noticed(machine, refusal, name):
    machine(name).check_output("chmod 0700 /var/lib/slipway/slots")
    told = refusal("switch.yml", "--limit", name, "-e", "nginx_slot=green")
    machine(name).check_output("chmod 0755 /var/lib/slipway/slots")
    assert "can't look into /var/lib/slipway/slots" in told
    assert not machine(name).file("/var/lib/slipway/slots/shop.green").exists


def test_switches_under_load_fail_nothing(client, play, program):
    stop = "/tmp/stop"
    client.check_output("rm -f %s", stop)
    with ThreadPoolExecutor() as pool:
        loads = {host: pool.submit(program, "load.py", f"https://{host}.shop.example/counted", stop) for host in HOSTS}
        try:
            play("switch_often.yml")
        finally:
            client.check_output("touch %s", stop)
    for host, load in loads.items():
        outcome = load.result()
        print(f"{host}: {outcome}")
        assert outcome["errors"] == []
        assert outcome["slots"] == ["blue", "green"]
        assert outcome["changes"] >= 10
        assert outcome["requests"] > 1000
        # Nobody's connection was closed.
        assert outcome["connections"] == 20


def test_a_websocket_stays_where_it_is_when_the_slot_changes(client, machine, program, curl, wait_until, name):
    opened = f"/tmp/opened-{name}"
    client.check_output("rm -f %s", opened)
    with ThreadPoolExecutor() as pool:
        said = pool.submit(program, "websocket.py", f"wss://{name}.shop.example/ws", 0.5, 20, opened)
        wait_until(lambda: client.file(opened).exists)
        machine(name).check_output("touch /var/lib/slipway/slots/shop.green")
        assert curl(f"{SHOP}/", at=name).json()["slot"] == "green"
        assert not said.done()
    assert said.result() == [f"blue: {number}" for number in range(20)]


def test_a_reboot_keeps_the_slot_and_ends_a_canary(play, reboot, curl, wait_until):
    play("switch.yml", "--limit", "thirteen", "-e", "nginx_slot=green")
    play("canary.yml", "--limit", "thirteen", "-e", "scenario_percent=50")
    assert told_by(curl, "thirteen") == ("green", 50)
    reboot("thirteen")

    def green_answers():
        return curl(f"{SHOP}/", at="thirteen").headers.get("x-slot") == "green"

    wait_until(green_answers, seconds=20)
    assert told_by(curl, "thirteen") == ("green", 0)
    assert curl(f"{BLOG}/", at="thirteen").headers["x-slot"] == "blue"
