"""What the tests of rollouts share: the service as its visitors meet it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

DOMAIN = "shop.example"
URL = f"https://{DOMAIN}"


@pytest.fixture(scope="session")
def group(platforms):
    """group(NAME): the hosts of a group."""
    return lambda name: [host for host, platform in platforms.items() if name in platform["groups"]]


@pytest.fixture(scope="session")
def ask(curl, group):
    """ask(PATH, *OPTIONS): asks the service through its first proxy."""
    return lambda path, *options, at=None: curl(URL + path, *options, at=at or group("nginx")[0])


@pytest.fixture(scope="session")
def serving(ask, group):
    """The versions that visitors get, through every proxy."""
    return lambda: {ask("/version", at=proxy).json()["version"] for proxy in group("nginx") for _ in range(4)}


@pytest.fixture(scope="session")
def visitors(load, group):
    """Load through all proxies while its block runs."""
    return lambda: load(URL, group("nginx"))


@dataclass(frozen=True)
class Told:
    """How a playbook ended and what it said, in one line: YAML output folds long ones."""

    status: int
    text: str

    @property
    def versions(self) -> tuple[str, ...]:
        """From which version it went to which."""
        return re.search(r"shop: (\S+) -> (\S+) \(release", self.text).groups()

    @property
    def slot(self) -> str:
        return re.search(r"\(release \w+, slot (\w+)\)", self.text)[1]

    @property
    def steps(self) -> dict[str, float]:
        """How long each step took."""
        told = re.search(r"Seconds: (.+?)\. (?=Visitors|To go back)", self.text)[1]
        return {name: float(seconds) for name, seconds in re.findall(r"([a-z ]+?) ([\d.]+)(?:, |$)", told)}

    @property
    def seconds(self) -> float:
        return float(re.search(r" in ([\d.]+) s", self.text)[1])

    @property
    def seconds_to_switch(self) -> float:
        return float(re.search(r"([\d.]+) s of them to the switch", self.text)[1])


@pytest.fixture(scope="session")
def run(play):
    """run(NAME, *OPTIONS, check=True): one of the collection's playbooks, and what it told."""

    def told(name, *options, check=True):
        done = play(f"slipway.stack.{name}", *options, check=check)
        return Told(done.returncode, re.sub(r"\s+", " ", done.stdout + done.stderr))

    return told


class Begun:
    """A playbook that is under way, in a process group of its own, so that all of it can be killed."""

    def __init__(self, name, *options):
        inventory = Path(os.environ["MOLECULE_INVENTORY_FILE"]).parent
        self.process = subprocess.Popen(
            ["ansible-playbook", "-i", str(inventory), f"slipway.stack.{name}", *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=os.environ["MOLECULE_SCENARIO_DIRECTORY"],
            start_new_session=True,
        )

    def reach(self, task):
        """Return as soon as a task has begun on its hosts."""
        for line in self.process.stdout:
            if line.startswith(f"TASK [{task}]"):
                time.sleep(0.5)
                return
        pytest.fail(f"the playbook ended without {task}")

    def kill(self):
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.stdout.close()
        self.process.wait()

    def end(self):
        text = self.process.communicate()[0]
        return Told(self.process.returncode, re.sub(r"\s+", " ", text))


@pytest.fixture(scope="session")
def begin():
    """begin(NAME, *OPTIONS): starts one of the collection's playbooks and goes on."""
    return Begun
