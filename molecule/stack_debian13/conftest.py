"""A visitor who waits for more than a minute, while everything else is looked at."""

from __future__ import annotations

import os
import subprocess

import pytest

CLIENT = f"slipway-{os.environ['MOLECULE_SCENARIO_NAME']}-client"
SLOW = "https://shop.example/slow?ms=65000"


def pytest_collection_modifyitems(items):
    """The end of the request is waited for as late as may be, and a reboot of the host would cut it off."""
    waits = next(item for item in items if "more_than_a_minute" in item.name)
    items.remove(waits)
    reboots = next(item for item in items if "after_a_reboot" in item.name)
    items.insert(items.index(reboots), waits)


@pytest.fixture(scope="session", autouse=True)
def slow_answer():
    """slow_answer(): waits for the status of a request that is under way since the beginning."""
    curl = ("curl", "-sk", "--max-time", "100", "-o", "/dev/null", "-w", "%{http_code} %{time_total}")
    visitor = subprocess.Popen(
        ["docker", "exec", CLIENT, *curl, "--connect-to", "::one:", SLOW], stdout=subprocess.PIPE, text=True
    )

    def wait():
        return visitor.communicate(timeout=120)[0].split()

    yield wait
    visitor.kill()
