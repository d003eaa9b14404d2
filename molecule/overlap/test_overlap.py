"""What may not run twice: the old one ends, requests wait, the new one starts, and each job runs once."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import pytest
import yaml

# `make soak` does for long what `make test` does once.
SOAK = "SOAK" in os.environ
PROCESSES = yaml.safe_load((Path(__file__).parent / "host_vars" / "one.yml").read_text())["app_processes"]
PAUSE = re.compile(r"Paused while it was replaced, and requests waited: shop-queue on one for ([\d.]+) s\.")
REPLACING = "TASK [slipway.stack.app : Replace what may not run twice]"


def queue_with(**changes):
    """The processes, with a queue that differs."""
    web, queue = PROCESSES
    return "-e", json.dumps({"app_processes": [web, {**queue, **changes}]})


@pytest.fixture
def jobs(ask, wait_until):
    """One job after the other while something happens: in the end each must have run once, and never two at a time."""
    is_over = threading.Event()

    def put():
        while not is_over.wait(0.5):
            yield ask("/jobs", "--json", '{"seconds": 0.4}').json()["id"]

    with ThreadPoolExecutor() as pool:
        putting = pool.submit(lambda: list(put()))
        yield
        is_over.set()
        ids = putting.result()
    wait_until(lambda: ask(f"/jobs/{ids[-1]}").json()["state"] == "done", seconds=60)
    reports = [ask(f"/jobs/{job}").json() for job in ids]
    assert [(report["state"], report["runs"]) for report in reports] == [("done", 1)] * len(ids), reports
    assert all(before["finished_at"] <= after["started_at"] for before, after in pairwise(reports)), reports
    assert len({report["worker"] for report in reports}) > 1, "nothing was replaced meanwhile"


def assert_it_paused(told):
    pause = PAUSE.search(told.text)
    assert pause, told.text[-3000:]
    assert 0.1 < float(pause[1]) < 20
    print(f"paused for {pause[1]} s")


def test_preflight_says_what_will_happen(run):
    told = run("preflight").text
    assert "app_processes[queue] may not run twice" in told
    assert "gives up the health gate before the switch" in told


def test_an_upgrade_lets_requests_wait_and_runs_each_job_once(run, visitors, serving, jobs):
    with visitors() as seen:
        # From gunicorn to uvicorn alone; the other way leads back.
        told = run("upgrade", "-e", "app_version=v1.1.0", *queue_with(server="uvicorn"))
    seen.assert_nothing_failed()
    assert_it_paused(told)
    assert serving() == {"v1.1.0"}


def test_a_release_that_does_not_start_brings_the_old_one_back(run, visitors, serving, jobs, machine):
    with visitors() as seen:
        crashes = queue_with(environment={"JOB_QUEUE": "inproc", "MISBEHAVE_CRASH_AT_IMPORT": "true"})
        told = run("upgrade", "-e", "app_version=v1.2.0", *crashes, check=False)
    assert told.status != 0
    assert "shop-queue.service ended before it answered" in told.text
    assert "v1.1.0 (" in told.text
    assert "serves as before" in told.text
    seen.assert_nothing_failed()
    assert serving() == {"v1.1.0"}
    assert machine("one").service("shop-queue.socket").is_enabled


if SOAK:

    def test_a_controller_that_dies_meanwhile_loses_nothing(run, visitors, serving, jobs):
        options = ["-e", "app_version=v1.2.0"]
        inventory = Path(os.environ["MOLECULE_INVENTORY_FILE"]).parent
        with visitors() as seen:
            controller = subprocess.Popen(
                ["ansible-playbook", "-i", str(inventory), "slipway.stack.upgrade", *options],
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                cwd=os.environ["MOLECULE_SCENARIO_DIRECTORY"],
                start_new_session=True,
            )
            assert any(line.startswith(REPLACING) for line in controller.stdout)
            time.sleep(0.5)
            os.killpg(controller.pid, signal.SIGKILL)
            controller.stdout.close()
            controller.wait()
            run("upgrade", *options)
        seen.assert_nothing_failed()
        assert serving() == {"v1.2.0"}


def test_the_way_back_is_the_same(run, visitors, serving, jobs):
    with visitors() as seen:
        told = run("rollback")
    seen.assert_nothing_failed()
    assert_it_paused(told)
    assert serving() == {"v1.1.0" if SOAK else "v1.0.0"}


def test_one_process_holds_one_port_that_stays_open(machine):
    listening = machine("one").check_output("ss -Hltnp 'sport = :8019'")
    assert "systemd" in listening, listening
    units = machine("one").check_output("systemctl list-units --plain --no-legend 'shop-queue*'").splitlines()
    assert sorted(unit.split()[0] for unit in units) == ["shop-queue.service", "shop-queue.socket"]
