"""Deal Scout: Next.js and an API behind one domain, workers, one scheduler, and backups."""

from __future__ import annotations

import json
import re

NAME = "dealscout"


def test_its_pages_come_from_next(ask):
    page = ask(NAME, "/")
    assert re.search(r'<output id="version">v1\.0\.0</output>', page.body)
    assert re.search(r'<output id="slot">(blue|green)</output>', page.body)
    script = re.search(r'src="(/_next/static/[^"]+\.js)"', page.body)[1]
    assert "immutable" in ask(NAME, script).headers["cache-control"]


def test_its_api_is_behind_the_same_domain(ask):
    health = ask(NAME, "/api/health").json()
    assert (health["status"], health["version"]) == ("healthy", "v1.0.0")


def test_its_node_process_is_hardened(machine, system):
    report = machine(system(NAME).host("app")).check_output(
        "systemd-analyze security --no-pager '%s-site@blue.service' | tail -1", NAME
    )
    assert float(report.split(":")[1].split()[0]) <= 2.5


def test_one_scheduler_ticks_and_a_worker_works(ask, wait_until):
    def ticks_come():
        return len(ask(NAME, "/api/ticks").json()) >= 2

    wait_until(ticks_come, seconds=60)
    assert len({(tick["beat_host"], tick["beat_pid"]) for tick in ask(NAME, "/api/ticks?limit=3").json()}) == 1
    job = ask(NAME, "/api/jobs", "--json", '{"seconds": 0.1}').json()
    done = ask(NAME, f"/api/jobs/{job['id']}?wait=20").json()
    assert (done["state"], done["runs"]) == ("done", 1)


def test_the_depth_of_its_queues_is_seen(run):
    put = "import os, redis; redis.Redis.from_url(os.environ['CELERY_BROKER_URL']).rpush('images', 1, 2, 3)"
    run(NAME, "run", "-e", json.dumps({"app_run": f'python -c "{put}"'}))
    assert "images: 3 waiting" in run(NAME, "queues", "-e", "queues=celery,images")


def test_its_backups_have_their_timers(machine, system):
    host = machine(system(NAME).host("app"))
    for timer in ("slipway-backup", "slipway-restore-test"):
        assert host.service(f"{timer}@{NAME}.timer").is_running
