"""A share of the clients gets the other slot for a while, and is watched."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

SHOP = "https://shop.example"
pytestmark = pytest.mark.usefixtures("blue_again")
CLIENTS = 2000
LIVE = "/var/lib/slipway/slots"
CANARIES = "/run/slipway/slots"


@pytest.fixture
def share(program):
    """share(): the clients that got green, of many."""

    def ask():
        slots = program("share.py", f"{SHOP}/", CLIENTS)
        return {number for number, slot in enumerate(slots) if slot == "green"}

    return ask


@pytest.fixture
def visitors(client, program):
    """visitors(PATH): clients while its block runs; what they met afterwards."""

    @contextmanager
    def run(path):
        stop = "/tmp/stop"
        client.check_output("rm -f %s", stop)
        met = {}
        with ThreadPoolExecutor() as pool:
            load = pool.submit(program, "load.py", SHOP + path, stop)
            try:
                yield met
            finally:
                client.check_output("touch %s", stop)
        met.update(load.result())

    return run


def test_a_share_of_the_clients_gets_the_other_slot_and_keeps_it(play, curl, share):
    assert share() == set()
    play("canary.yml", "-e", "scenario_percent=10")
    told = curl(f"{SHOP}/.slipway/slot").json()
    assert (told["slot"], told["canary"]) == ("blue", 10)
    tenth = share()
    # Five standard deviations.
    assert 133 <= len(tenth) <= 267
    assert share() == tenth
    for number in list(tenth)[:20]:
        assert curl("https://blog.example/", "-A", f"client {number}").json()["slot"] == "blue"
    # Who had it keeps it when it grows.
    play("canary.yml", "-e", "scenario_percent=25")
    quarter = share()
    assert 403 <= len(quarter) <= 597
    assert tenth < quarter
    play("canary.yml", "-e", "scenario_percent=0")
    assert share() == set()


@pytest.mark.parametrize("percent", [1, 5, 50])
def test_each_share_is_as_large_as_it_says(share, host, percent):
    host.check_output("touch %s", f"{CANARIES}/shop.canary-{percent}-green")
    expected = CLIENTS * percent / 100
    assert abs(len(share()) - expected) <= 5 * (expected * (1 - percent / 100)) ** 0.5


def test_a_flag_that_is_left_over_means_nothing(share, host, curl):
    host.check_output("touch %s %s", f"{LIVE}/shop.green", f"{CANARIES}/shop.canary-50-green")
    told = curl(f"{SHOP}/.slipway/slot").json()
    assert (told["slot"], told["canary"]) == ("green", 0)
    assert len(share()) == CLIENTS


@pytest.mark.for_long
def test_a_canary_that_becomes_the_live_slot_costs_nothing_and_sends_nobody_back(play, visitors):
    with visitors("/counted") as met:
        time.sleep(1)
        play("canary_often.yml")
    print(met)
    assert met["errors"] == []
    assert met["requests"] > 1000
    assert met["connections"] == 20
    # Everybody moves once for each of the six switches: with the canary, or with the switch.
    assert met["journeys"] == [["blue", "green"] * 3 + ["blue"]] * 20


def test_a_canary_that_fares_well_goes_on(play, visitors, host):
    with visitors("/counted"):
        play("canary.yml", "-e", "scenario_percent=50", "-e", "scenario_seconds=3")
    assert host.file(f"{CANARIES}/shop.canary-50-green").exists


def test_a_canary_that_fails_is_ended_by_itself(play, visitors, host, access_log, refusal):
    begin = time.time()
    with visitors("/broken-in-green"):
        told = refusal("canary.yml", "-e", "scenario_percent=50", "-e", "scenario_seconds=60")
        ended = time.time()
    assert ended - begin < 30
    assert "over the budget of 1 % more" in told
    assert not host.file(f"{CANARIES}/shop.canary-50-green").exists
    entries = [entry for entry in access_log() if entry["uri"] == "/broken-in-green"]
    failed = [entry for entry in entries if entry["status"] == 500]
    assert {entry["slot"] for entry in failed} == {"green"}
    # The last ones were answered by what is live.
    assert {entry["slot"] for entry in entries[-20:]} == {"blue"}
