"""A singleton runs once: who comes back with its unit waits for the lease, and gets it when the holder is killed."""

from __future__ import annotations

import json

import pytest

COMES_BACK = "comes-back.service"
# Kills the scheduler, and tells how many of them ran at once at most, and how many there were in 20 seconds.
KILL = """
import json, pathlib, subprocess, sys, time
most, seen, until = 0, set(), time.monotonic() + 20
while time.monotonic() < until:
    running = set()
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\\0")
        except OSError:
            continue
        if words[1:2] and words[1].endswith(b"/celery") and b"beat" in words:
            running.add(path.parent.name)
    if running and not seen:
        # Its child outlives it for a moment, but not until the lease is granted to somebody else.
        subprocess.run(["systemctl", "kill", "--kill-who=main", "--signal=KILL", sys.argv[1]], check=True)
    most, seen = max(most, len(running)), seen | running
    time.sleep(0.05)
print(json.dumps([most, len(seen)]))
"""


@pytest.fixture
def host(machine):
    return machine("one")


@pytest.fixture
def holder(host):
    slot = json.loads(host.file("/etc/slipway/shop/live.json").content_string)["slot"]
    return f"shop-beat@{slot}.service"


@pytest.fixture
def who_comes_back(host, holder):
    """The same unit once more, as on a host that was away while another took its place."""
    path = f"/run/systemd/system/{COMES_BACK}"
    host.check_output("sed '/^RuntimeDirectory=/d' /etc/systemd/system/%s >%s", holder, path)
    host.check_output("systemctl daemon-reload && systemctl start %s", COMES_BACK)
    yield COMES_BACK
    host.check_output("systemctl stop %s && rm %s && systemctl daemon-reload", COMES_BACK, path)


@pytest.fixture
def last_words(host):
    """What the unit said of its lease last."""
    show = "journalctl --unit=%s --output=cat --no-pager --grep='the lease of' --lines=1"
    return lambda unit: host.run(show, unit).stdout.strip()


def test_the_schedule_outlives_releases(host, wait_until):
    wait_until(lambda: any(name.startswith("schedule") for name in host.file("/srv/shop/shared/beat").listdir()), 30)


def test_a_singleton_never_runs_twice_and_is_taken_over_when_it_is_killed(
    host, holder, who_comes_back, last_words, wait_until
):
    wait_until(lambda: last_words(who_comes_back).startswith("waiting for the lease of shop-beat, which "), 30)
    assert json.loads(host.check_output("python3 -c %s %s", KILL, holder)) == [1, 2]
    assert last_words(who_comes_back) == "the lease of shop-beat is granted."
    assert last_words(holder).startswith("waiting for the lease of shop-beat, which ")
    host.check_output("systemctl stop %s", who_comes_back)
    wait_until(lambda: last_words(holder) == "the lease of shop-beat is granted.", 20)
