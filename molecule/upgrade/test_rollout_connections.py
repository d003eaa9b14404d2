"""Connections that a process lets last for hours keep their slot from the release after the next one."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest
import yaml

VISITOR = """
import asyncio, ssl, sys, websockets
context = ssl._create_unverified_context()
async def stay():
    async with websockets.connect("wss://shop.example/ws", ssl=context, server_hostname="shop.example", host="one", port=443) as socket:
        print("connected", flush=True)
        await socket.wait_closed()
    print("closed", flush=True)
asyncio.run(stay())
"""


@pytest.fixture
def visitor(client):
    """A WebSocket that stays, and what it met."""
    client.check_output("(python3 -c %s >/tmp/visitor 2>&1 & echo $! >/tmp/visitor.pid)", VISITOR)

    def met() -> list[str]:
        return client.file("/tmp/visitor").content_string.split()

    yield met
    client.run("kill $(cat /tmp/visitor.pid)")


@pytest.fixture
def patient():
    """Options of a playbook: the web process lets connections last for hours."""
    path = Path(__file__).resolve().parents[1] / "shared" / "rollout" / "group_vars" / "all.yml"
    web, *others = yaml.safe_load(path.read_text())["app_processes"]
    return "-e", json.dumps({"app_processes": [{**web, "drain_timeout": 7200}, *others]})


def next_version(serving):
    return "v1.1.0" if serving() != {"v1.1.0"} else "v1.2.0"


@pytest.fixture
def upgraded(run, serving, patient, ask, machine):
    run("upgrade", "-e", f"app_version={next_version(serving)}", *patient)
    yield
    run("upgrade", "-e", f"app_version={next_version(serving)}", "-e", "app_cut_connections=true")
    other = "green" if ask("/whoami").json()["slot"] == "blue" else "blue"
    machine("one").check_output("systemctl stop 'shop-retire-%s.*' 'shop-web@%s.service'", other, other)


# Five rollouts are too long for `make test`.
if "SOAK" in os.environ:

    def test_who_was_promised_hours_is_cut_only_when_that_is_asked_for(
        upgraded, visitor, run, serving, ask, patient, wait_until
    ):
        wait_until(lambda: visitor() == ["connected"], 10)
        slot = ask("/whoami").json()["slot"]
        run("upgrade", "-e", f"app_version={next_version(serving)}", *patient)
        before = serving()
        wish = ("upgrade", "-e", "app_version=v1.3.0", *patient)
        told = run(*wish, check=False)
        assert told.status != 0
        # nginx keeps some for a while too.
        assert re.search(rf"Slot {slot} still holds \d+ connections to shop-web@{slot}\.service on one", told.text), (
            told.text
        )
        assert "Nothing was changed." in told.text
        assert (serving(), visitor()) == (before, ["connected"])
        run(*wish, "-e", "app_cut_connections=true")
        assert serving() == {"v1.3.0"}
        wait_until(lambda: visitor() == ["connected", "closed"], 10)
