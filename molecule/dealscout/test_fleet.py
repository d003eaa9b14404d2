"""Deal Scout on its five hosts: what the loss of a back end costs."""

from __future__ import annotations

import time

NAME = "dealscout"
QUICK = ("--websockets 0", "--streams 0", "--uploads-every 0", "--slow-every 0")


def test_a_back_end_that_dies_under_load_costs_no_reader_anything(
    load, ask, system, machine, switched_off, wait_until, capsys
):
    scout = system(NAME)

    def schedulers():
        return {tick["beat_host"] for tick in ask(NAME, "/api/ticks?limit=3").json()}

    scheduler = scout.groups["app"][0]
    wait_until(lambda: schedulers() == {scheduler}, seconds=60)
    killed, lost = (host for host in scout.groups["app"] if host != scheduler)
    with load(f"https://{scout.domain}/api", scout.groups["nginx"], *QUICK) as seen:
        time.sleep(5)
        machine(killed).check_output("systemctl kill --signal=KILL '%s-web@*.service'", NAME)
        time.sleep(5)
        with switched_off(lost):
            time.sleep(20)
    kinds, posts = seen.result["by_kind"], seen.result["posts"]
    with capsys.disabled():
        print(f"\nWhile back ends died: {kinds['post']['failed']} of {kinds['post']['requests']} POSTs failed.")
    assert {kind: kinds[kind]["failed"] for kind in ("version", "item")} == {"version": 0, "item": 0}, seen.result[
        "examples"
    ]
    assert posts["verified"], posts
    assert (posts["lost"], posts["doubled"]) == (0, 0), posts

    def all_answer():
        return {ask(NAME, "/api/whoami").json()["hostname"] for _ in range(12)} == set(scout.groups["app"])

    wait_until(all_answer, seconds=60)
    # Back again, no host has begun to schedule.
    assert schedulers() == {scheduler}
