"""What the tests of all systems share: each system as its visitors meet it."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

INVENTORIES = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"]) / "systems"


@dataclass(frozen=True)
class System:
    """A system by its inventory."""

    name: str
    domain: str
    groups: dict[str, list[str]]
    variables: dict[str, Any]

    def host(self, group: str) -> str:
        return self.groups[group][0]


@pytest.fixture(scope="session")
def system():
    """system(NAME): where it is."""

    def read(name):
        inventory = json.loads((INVENTORIES / name / "hosts.json").read_text())["all"]
        groups = {group: list(members["hosts"]) for group, members in inventory["children"].items()}
        return System(name, inventory["vars"]["app_domain"], groups, inventory["vars"])

    return read


@pytest.fixture(scope="session")
def ask(curl, system):
    """ask(NAME, PATH, *OPTIONS): asks a system through its first proxy."""

    def visit(name, path, *options):
        asked = system(name)
        return curl(f"https://{asked.domain}{path}", *options, at=asked.host("nginx"))

    return visit


@pytest.fixture(scope="session")
def run(system):
    """run(NAME, PLAYBOOK, *OPTIONS): one of the collection's playbooks, as the system's team would start it."""

    def start(name, playbook, *options):
        command = ["ansible-playbook", "-i", str(INVENTORIES / name), f"slipway.stack.{playbook}", *options]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
        return " ".join(done.stdout.split())

    return start


@pytest.fixture(scope="session")
def visitor(run_python, client, system, address):
    """visitor(NAME, CODE, *ARGUMENTS): a program outside, to which the system's domain leads; it gets this first."""

    def start(name, code, *arguments):
        entry = f"{address(system(name).host('nginx'))} {system(name).domain}"
        client.check_output("grep -qxF %s /etc/hosts || echo %s >>/etc/hosts", entry, entry)
        return run_python(code, system(name).domain, *arguments)

    return start


@pytest.fixture(scope="session")
def property_of(machine, system):
    """property_of(NAME, UNIT, PROPERTY): what systemd says of a unit on the system's first application host."""

    def show(name, unit, key, group="app"):
        host = machine(system(name).host(group))
        return host.check_output("systemctl show --property=%s --value %s", key, unit)

    return show


@pytest.fixture(scope="session")
def psql(machine, system):
    """psql(NAME, SQL): the rows that the system's database server answers."""

    def query(name, sql):
        host = machine(system(name).host("postgres"))
        return host.check_output("runuser -u postgres -- psql -d %s -qAtc %s", name, sql)

    return query


# All requests of a visitor at once; returns how often each status came.
MANY = """
import asyncio, collections, json, sys, aiohttp
domain, path, count = *sys.argv[1:3], int(sys.argv[3])
async def main():
    async with aiohttp.ClientSession() as session:
        async def one():
            async with session.get(f"https://{domain}{path}", ssl=False) as answer:
                return answer.status
        print(json.dumps(collections.Counter(await asyncio.gather(*(one() for _ in range(count))))))
asyncio.run(main())
"""


@pytest.fixture(scope="session")
def statuses(visitor):
    """statuses(NAME, PATH, COUNT): how often each status came to a visitor who asks so often at once."""
    return lambda name, path, count: {int(key): n for key, n in visitor(name, MANY, path, str(count)).items()}


@pytest.fixture(scope="session")
def started(machine, system):
    """started(NAME): when each unit of any system began, on the first application host of this one."""

    def look(name):
        shown = machine(system(name).host("app")).check_output(
            "systemctl show --property=Id,ExecMainStartTimestampMonotonic '*@blue*.service' '*-queue.service' 'redis-server@*'"
        )
        return {tuple(sorted(block.splitlines())) for block in shown.split("\n\n")}

    return look


SABOTAGE = (
    "import sys, urllib.request as r; r.urlopen(r.Request(sys.argv[1], method='POST'), timeout=float(sys.argv[2]))"
)


@pytest.fixture(scope="session")
def sabotage(machine, system):
    """sabotage(NAME, PORT, WHAT, seconds=20): harms the process on a port; returns whether it answered."""

    def harm(name, port, what, seconds=20):
        url = f"http://127.0.0.1:{port}/{what}"
        return machine(system(name).host("app")).run("python3 -c %s %s %s", SABOTAGE, url, str(seconds)).rc == 0

    return harm
