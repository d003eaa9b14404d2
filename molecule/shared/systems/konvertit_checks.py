"""KonvertIt: limits that hold, streams and WebSockets that last, and one request id everywhere."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

NAME = "konvertit"
HOG_MB = 600
# Longer than requests may be silent for, which a variable of the scenario has shortened to 15 s.
IDLE_SECONDS = 25
IDLE = """
import asyncio, json, sys, aiohttp
domain, seconds = sys.argv[1], int(sys.argv[2])
async def main():
    async with aiohttp.ClientSession() as session:
        async with session.ws_connect(f"https://{domain}/api/v1/ws", ssl=False) as ws:
            await ws.send_str("before")
            before = (await ws.receive(timeout=10)).data
            await asyncio.sleep(seconds)
            await ws.send_str("after")
            print(json.dumps([before, (await ws.receive(timeout=10)).data]))
asyncio.run(main())
"""
STREAM = """
import json, ssl, sys, time, urllib.request
context, seen = ssl._create_unverified_context(), []
url = f"https://{sys.argv[1]}/api/v1/conversions/bulk/stream?count=2&interval_ms=1500"
answer = urllib.request.urlopen(url, context=context, timeout=20)
while len(seen) < 2:
    line = answer.readline()
    if line.startswith(b"data:"):
        seen.append([time.time(), json.loads(line[5:])["created_at"]])
print(json.dumps(seen))
"""

PAGE = """<title>made</title>
<script>document.title += " of " + 6 * 7; onload = () => document.body.append("by a script")</script>"""


@pytest.fixture(scope="module", autouse=True)
def idle_websocket(visitor):
    """idle_websocket(): what a visitor heard before and after a long silence, which began with the first test."""
    with ThreadPoolExecutor() as pool:
        idling = pool.submit(visitor, NAME, IDLE, str(IDLE_SECONDS))
        yield idling.result


def test_its_request_id_is_the_same_everywhere(ask, machine, system):
    given = ask(NAME, "/api/v1/whoami").headers["x-request-id"]
    proxy, app = (machine(system(NAME).host(group)) for group in ("nginx", "app"))
    assert given in proxy.file(f"/var/log/nginx/{NAME}/access.log").content_string
    assert given in app.check_output(f"journalctl -u '{NAME}-web@*' -n 200 --no-pager")


def test_its_first_event_comes_before_the_second_is_made(visitor):
    (first, _), (_, second_made) = visitor(NAME, STREAM)
    assert first < second_made - 0.5


def test_it_is_limited_as_its_guide_says(property_of, system):
    assert property_of(NAME, f"{NAME}-web@blue.service", "CPUQuotaPerSecUSec") == "2s"
    redis = f"redis-server@{NAME}-cache.service"
    assert property_of(NAME, redis, "MemoryMax", "redis") == str(512 * 1024**2)
    assert property_of(NAME, redis, "CPUQuotaPerSecUSec", "redis") == "500ms"
    assert property_of(NAME, "postgresql@17-main.service", "CPUQuotaPerSecUSec", "postgres") == "1s"


def test_it_opens_pages_in_a_browser(ask):
    shown = ask(NAME, "/api/v1/render", "--json", json.dumps({"html": PAGE})).json()
    assert (shown["title"], shown["text"].strip()) == ("made of 42", "by a script")


def test_it_runs_as_user_1000(machine, system):
    assert machine(system(NAME).host("app")).check_output(f"id -u {NAME}") == "1000"


def test_its_websocket_outlives_a_long_silence(idle_websocket):
    assert idle_websocket() == ["before", "after"]


def test_a_hog_is_killed_and_nobody_else(ask, started, sabotage, system, wait_until):
    before, at = ask(NAME, "/health").json()["pid"], started(NAME)
    assert len(at) > 1
    assert not sabotage(NAME, system(NAME).variables["app_port"], f"hog?mb={HOG_MB}")

    def serves_anew():
        answer = ask(NAME, "/health")
        return answer.status == 200 and answer.json()["pid"] != before

    wait_until(serves_anew, seconds=60)
    assert started(NAME) == at
