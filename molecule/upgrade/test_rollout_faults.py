"""What goes wrong around a rollout: other processes, other runs, and a controller that dies."""

from __future__ import annotations

import json
import os
import re
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime
from itertools import pairwise
from threading import Event

import pytest

# Where the controller is killed: once after the switch, and at each step by `make soak`.
SWITCH = "Send new requests to the release"
STEPS = (
    "Begin",
    "Take the lock of the application",
    "Let each host know of this run, and look at what it holds",
    "slipway.stack.app : Build the release",
    "slipway.stack.app : Migrate the database",
    "slipway.stack.app : Start the release in its slot",
    "slipway.stack.app : Wait until each instance is healthy",
    "slipway.stack.app : Run the command of the smoke check",
    "Configure the proxies",
    "slipway.stack.app : Start the release's workers, and let the old ones finish",
    "Watch how it fares with them",
    SWITCH,
    "Check that the release answers through every proxy",
    "slipway.stack.app : Run workers, singletons and timers of the release, and record that it is live",
)
SOAK = "SOAK" in os.environ
KILLED_AT = STEPS if SOAK else (SWITCH,)
ORPHAN = """
import http.server, json
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps({"status": "healthy", "version": "v1.3.0"}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
http.server.ThreadingHTTPServer(("127.0.0.1", %d), Handler).serve_forever()
"""


# Many clients, each of whom asks once: a canary is for a share of them.
CROWD = """
import json, pathlib, ssl, sys, time, urllib.error, urllib.request
context = ssl._create_unverified_context()
met = {"requests": 0, "failed": 0}
while not pathlib.Path(sys.argv[2]).exists():
    met["requests"] += 1
    name = f"client {met['requests']}"
    try:
        urllib.request.urlopen(urllib.request.Request(sys.argv[1], headers={"User-Agent": name}), context=context)
    except urllib.error.HTTPError as error:
        met["failed"] += error.code >= 500
    time.sleep(0.05)
print(json.dumps(met))
"""


@pytest.fixture(scope="session")
def crowd(client, run_python):
    """Many clients while its block runs; then it says what they met."""
    client.check_output(
        "grep -q shop.example /etc/hosts || echo $(getent hosts one | cut -d' ' -f1) shop.example >>/etc/hosts"
    )

    @contextmanager
    def visit():
        met, stop = {}, client.check_output("mktemp -u")
        with ThreadPoolExecutor() as pool:
            visits = pool.submit(run_python, CROWD, "https://shop.example/whoami", stop)
            try:
                yield met
            finally:
                client.check_output("touch %s", stop)
            met.update(visits.result())

    return visit


def test_an_orphan_on_the_port_cannot_answer_for_the_release(run, serving, machine, ask, visitors):
    before = serving()
    idle, port = ("green", 8050) if ask("/whoami").json()["slot"] == "blue" else ("blue", 8000)
    # What is kept warm there would have the port.
    machine("one").check_output("systemctl stop 'shop-retire-%s.*' 'shop-web@%s.service'", idle, idle)
    machine("one").check_output("systemd-run --quiet --unit=orphan python3 -c %s", ORPHAN % port)
    try:
        with visitors() as seen:
            told = run("upgrade", "-e", "app_version=v1.3.0", check=False)
    finally:
        machine("one").check_output("systemctl stop orphan")
    assert told.status != 0
    assert "orphan.service" in told.text
    seen.assert_nothing_failed()
    assert serving() == before


def smoke(*paths):
    """A smoke check of paths, by their names and by a command that asks for the last of them."""
    command = f'python -c \'import os, urllib.request as u; u.urlopen(os.environ["APP_URL"] + "{paths[-1]}")\''
    return [json.dumps({"app_smoke_paths": paths}), json.dumps({"app_smoke_command": command})]


@pytest.mark.for_long
@pytest.mark.parametrize("check", smoke("/version", "/no/such/page"), ids=["paths", "command"])
def test_a_release_that_fails_its_smoke_check_is_not_seen(check, run, visitors, serving):
    before = serving()
    with visitors() as seen:
        told = run("upgrade", "-e", "app_version=v1.3.0", "-e", check, check=False)
    seen.assert_nothing_failed()
    assert told.status != 0
    assert "404" in told.text
    assert serving() == before


def test_of_two_upgrades_one_runs_and_the_other_says_who_does(begin, serving):
    both = [begin("upgrade", "-e", "app_version=v1.3.0"), begin("upgrade", "-e", "app_version=v1.2.0")]
    with ThreadPoolExecutor() as pool:
        told = sorted(pool.map(lambda each: each.end(), both), key=lambda each: each.status)
    assert [each.status == 0 for each in told] == [True, False], told
    assert re.search(r"since \d{4}-\d\d-\d\d", told[1].text), told[1].text
    assert len(serving()) == 1


@pytest.mark.for_long
def test_a_second_rollout_of_a_run_that_fails_at_once_leaves_what_the_first_did(play, visitors, serving):
    version = "v1.1.0" if serving() != {"v1.1.0"} else "v1.2.0"
    with visitors() as seen:
        told = play("twice.yml", "-e", f"scenario_version={version}", check=False)
        assert told.returncode != 0
        assert "v9.9.9" in told.stdout + told.stderr
        assert serving() == {version}
    seen.assert_nothing_failed()


@pytest.mark.parametrize("task", KILLED_AT)
def test_a_controller_that_dies_leaves_the_service_serving(task, visitors, serving, run, begin):
    version = "v1.1.0" if serving() != {"v1.1.0"} else "v1.2.0"
    # Settings that no release had make it a new one, which is built.
    settings = {"app_environment": {"APP_ENV": "production", "BEAT_INTERVAL": 5, "KILLED_AT": task}} if SOAK else {}
    if "smoke" in task:
        settings["app_smoke_command"] = "sleep 2"
    if task == "Watch how it fares with them":
        settings |= {"app_canary_percent": 50, "app_canary_seconds": 5}
    options = ["-e", f"app_version={version}", "-e", json.dumps(settings)]
    with visitors() as seen:
        begun = begin("upgrade", *options)
        begun.reach(task)
        begun.kill()
        run("upgrade", *options)
    seen.assert_nothing_failed()
    assert serving() == {version}


if SOAK:

    def test_who_presses_ctrl_c_leaves_the_service_serving(visitors, serving, run, begin):
        version = "v1.1.0" if serving() != {"v1.1.0"} else "v1.2.0"
        options = ["-e", f"app_version={version}"]
        with visitors() as seen:
            begun = begin("upgrade", *options)
            begun.reach(SWITCH)
            assert begun.interrupt().status != 0
            run("upgrade", *options)
        seen.assert_nothing_failed()
        assert serving() == {version}

    @pytest.mark.parametrize("task", ["Let each host know of this run, and look at what it holds", SWITCH])
    def test_a_way_back_whose_controller_dies_is_gone_to_its_end(task, visitors, serving, run, begin):
        before = serving()
        version = "v1.1.0" if before != {"v1.1.0"} else "v1.2.0"
        with visitors() as seen:
            run("upgrade", "-e", f"app_version={version}")
            begun = begin("rollback")
            begun.reach(task)
            begun.kill()
            run("rollback")
        seen.assert_nothing_failed()
        assert serving() == before


@pytest.mark.for_long
def test_the_old_slot_ends_when_its_warm_time_is_over(run, ask, serving, machine, wait_until):
    version = "v1.1.0" if serving() != {"v1.1.0"} else "v1.2.0"
    old = ask("/whoami").json()["slot"]
    run("upgrade", "-e", f"app_version={version}", "-e", "app_warm_minutes=0")
    assert machine("one").service(f"shop-web@{old}").is_running
    wait_until(lambda: not machine("one").service(f"shop-web@{old}").is_running, seconds=60)
    assert serving() == {version}


def test_a_canary_that_fails_ends_by_itself_and_costs_no_more_than_its_share(run, crowd, serving):
    before = serving()
    canary = json.dumps({"app_canary_percent": 25, "app_canary_seconds": 40})
    with crowd() as met:
        told = run("upgrade", "-e", "app_version=v2.0.0-fails", "-e", canary, check=False)
    assert told.status != 0
    assert "over the budget" in told.text
    assert serving() == before
    # A fifth of what a quarter of the clients asks for fails, until the canary is ended.
    assert 0 < met["failed"] < met["requests"] * 0.25 * 0.2


def test_no_job_is_lost_or_run_twice_and_one_scheduler_goes_on(run, ask, serving, wait_until):
    version = "v1.3.0" if serving() != {"v1.3.0"} else "v1.2.0"
    began, is_over, jobs = time.time(), Event(), []

    def keep_a_worker_busy():
        # One of two children: a tick that finds none free within 5 s is dropped.
        while not is_over.is_set():
            jobs.append(ask("/jobs", "--json", '{"seconds": 10}').json()["id"])
            is_over.wait(11)

    with ThreadPoolExecutor() as pool:
        keeping = pool.submit(keep_a_worker_busy)
        try:
            run("upgrade", "-e", f"app_version={version}")
        finally:
            is_over.set()
        keeping.result()
    wait_until(lambda: all(ask(f"/jobs/{job}").json()["state"] == "done" for job in jobs), seconds=40)
    reports = [ask(f"/jobs/{job}").json() for job in jobs]
    assert [report["runs"] for report in reports] == [1] * len(jobs), reports

    told = [(datetime.fromisoformat(tick["sent_at"]).timestamp(), tick["beat_pid"]) for tick in ask("/ticks").json()]
    ticks = sorted(tick for tick in told if tick[0] > began - 6)
    assert len({pid for _sent, pid in ticks}) == 2, ticks
    gaps = [later - earlier for (earlier, _), (later, _) in pairwise(ticks)]
    # The schedule is every 5 s: never two at once, never more than one missing.
    assert all(3 <= gap <= 11 for gap in gaps), gaps


@pytest.mark.for_long
def test_a_canary_that_fares_well_goes_live(run, crowd, serving):
    version = "v1.1.0" if serving() != {"v1.1.0"} else "v1.2.0"
    canary = json.dumps({"app_canary_percent": 50, "app_canary_seconds": 8})
    with crowd() as met:
        told = run("upgrade", "-e", f"app_version={version}", "-e", canary)
    assert re.search(r"Through one the canary failed 0 of [1-9]\d* requests", told.text), told.text
    assert met["failed"] == 0
    assert serving() == {version}


@pytest.mark.for_long
def test_a_host_that_reboots_after_the_switch_serves_the_release(begin, run, serving, wait_until, ask, reboot):
    before = serving()
    version = "v1.1.0" if before != {"v1.1.0"} else "v1.2.0"
    begun = begin("upgrade", "-e", f"app_version={version}")
    begun.reach("Check that the release answers through every proxy")
    reboot("one")
    assert begun.end().status != 0
    # Whichever it is: nobody has come to help.
    wait_until(lambda: ask("/version").status == 200, seconds=60)
    assert len(serving()) == 1
    run("upgrade", "-e", f"app_version={version}")
    assert serving() == {version}
