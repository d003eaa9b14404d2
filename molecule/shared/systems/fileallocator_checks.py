"""File Allocator: three instances, a queue that runs once, uploads that fill no disk, and who is restarted when."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

NAME = "fileallocator"
MEGABYTES = 1024 if "SOAK" in os.environ else 200
UPLOAD = "head -c {size}M /dev/zero | curl -sk --connect-to ::{host}: -X POST -T - https://{domain}/upload"
# The most that nginx and the processes' own places for temporary files hold, until the file appears.
WATCH = """
import os, sys, time
places, stop, most = ("/var/lib/nginx", "/tmp", "/var/tmp"), sys.argv[1], 0
while not os.path.exists(stop):
    held = 0
    for place in places:
        for folder, _, files in os.walk(place):
            for file in files:
                try:
                    held += os.lstat(os.path.join(folder, file)).st_blocks * 512
                except OSError:
                    pass
    most = max(most, held)
    time.sleep(0.1)
print(most)
"""


def test_three_instances_share_its_requests(ask):
    assert len({ask(NAME, "/whoami").json()["pid"] for _ in range(30)}) == 3


def test_its_queue_runs_once_and_its_jobs_too(ask, machine, system):
    job = ask(NAME, "/jobs", "--json", '{"seconds": 0.1}').json()
    done = ask(NAME, f"/jobs/{job['id']}?wait=20").json()
    assert (done["queue"], done["state"], done["runs"]) == ("inproc", "done", 1)
    units = machine(system(NAME).host("app")).check_output(
        "systemctl list-units --state=active --plain --no-legend '%s-queue*.service'", NAME
    )
    assert len(units.splitlines()) == 1


def test_its_documentation_is_read_and_its_metrics_are_not(ask):
    assert "swagger" in ask(NAME, "/api/docs").body
    assert ask(NAME, "/metrics").status == 404


def test_a_large_upload_streams_through(client, machine, system):
    asked = system(NAME)
    host = machine(asked.host("app"))
    stop = host.check_output("mktemp -u")
    with ThreadPoolExecutor() as pool:
        most = pool.submit(host.check_output, "python3 -c %s %s", WATCH, stop)
        try:
            told = client.check_output(UPLOAD.format(size=MEGABYTES, host=asked.host("nginx"), domain=asked.domain))
        finally:
            host.check_output("touch %s", stop)
    assert f'"size":{MEGABYTES * 1024**2},' in told
    assert int(most.result()) < 20 * 1024**2
    kept = host.check_output("find /srv/%s/shared/storage -type f -size +%sk", NAME, str(MEGABYTES * 1024 - 1))
    assert len(kept.split()) == 1
    host.check_output("rm %s", kept)


def test_who_hangs_is_restarted_and_who_is_degraded_is_not(ask, machine, system, property_of, sabotage, wait_until):
    """The instances lose their database, and one of them hangs."""
    asked = system(NAME)
    units = [f"{NAME}-web@blue{suffix}.service" for suffix in ("", "-2", "-3")]

    def starts():
        return [property_of(NAME, unit, "ExecMainStartTimestampMonotonic") for unit in units]

    before = starts()
    database = machine(asked.host("postgres"))
    database.check_output("systemctl stop postgresql@17-main")
    try:
        assert ask(NAME, "/ready").status == 503
        assert not sabotage(NAME, asked.variables["app_port"] + 1, "hang?seconds=600", seconds=2)

        def the_hung_one_is_anew():
            return starts()[1] not in ("0", before[1])

        wait_until(the_hung_one_is_anew, seconds=120)
        # The watchdog has looked at all of them.
        assert (starts()[0], starts()[2]) == (before[0], before[2])
        assert ask(NAME, "/ready").status == 503
    finally:
        database.check_output("systemctl start postgresql@17-main")

    def is_ready():
        return ask(NAME, "/ready").status == 200

    wait_until(is_ready, seconds=60)
    assert (starts()[0], starts()[2]) == (before[0], before[2])
