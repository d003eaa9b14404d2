"""What the tests of rollouts share: the service as its visitors meet it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest

DOMAIN = "shop.example"
URL = f"https://{DOMAIN}"
SCENARIO = os.environ["MOLECULE_SCENARIO_NAME"]
# By `make soak` their own scenario runs them, with what changes the database's password for good.
collect_ignore = ["test_operations.py"] if SCENARIO == "upgrade" and "SOAK" in os.environ else []
IS_SHORT = SCENARIO == "fleet" and "SOAK" not in os.environ


def pytest_configure(config):
    config.addinivalue_line(
        "markers", "one_host: no different with several hosts, so `make soak` alone tries it with them"
    )


def pytest_collection_modifyitems(config, items):
    if IS_SHORT:
        left_out = [item for item in items if item.get_closest_marker("one_host")]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


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


@pytest.fixture
def another(serving):
    """A version that isn't live."""
    return "v1.3.0" if serving() != {"v1.3.0"} else "v1.2.0"


@pytest.fixture
def lose(machine):
    """lose(NAME): nobody reaches the host by ssh any more, the connections that the controller keeps open included."""
    lost = []

    def shut(host):
        lost.append(host)
        machine(host).run("systemctl stop ssh.socket; systemctl stop ssh; pkill -KILL sshd")

    yield shut
    for host in lost:
        machine(host).check_output("systemctl start ssh")


@pytest.fixture(scope="session")
def visitors(load, group):
    """Load through all proxies while its block runs."""
    return lambda: load(URL, group("nginx"))


# Someone who has had the page open since before, and others who open it now.
READER = """
import http.client, json, os, re, socket, ssl, sys, time
context = ssl._create_unverified_context()
addresses, name, stop = sys.argv[1].split(","), sys.argv[2], sys.argv[3]
def get(address, path):
    connection = http.client.HTTPSConnection(name, timeout=10)
    # nginx hangs up on whoever doesn't say the name.
    connection.sock = context.wrap_socket(socket.create_connection((address, 443), 10), server_hostname=name)
    connection.request("GET", path)
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, text if answer.status == 200 else ""
def script(page):
    return re.search("src=([^>]+)>", page)[1]
met = {"missing": [], "pages": [], "answers": {}}
opened = script(get(addresses[0], "/front/")[1])
while not os.path.exists(stop):
    for address in addresses:
        status, page = get(address, "/front/")
        for path in (opened, script(page)):
            status, _text = get(address, path)
            if status != 200:
                met["missing"].append([address, path, status])
        if page not in met["pages"]:
            met["pages"].append(page)
        for path in ("/leaves/version", "/comes/version"):
            status, text = get(address, path)
            answers = met["answers"].setdefault(address + path, [])
            if status not in answers[-1:]:
                answers.append(status)
    time.sleep(0.4)
print(json.dumps(met))
"""


@pytest.fixture(scope="session")
def reader(client, group, address, run_python):
    """Somebody reads the front end through all proxies while its block runs; then `met` is what that was like."""

    @contextmanager
    def read():
        stop, seen = client.check_output("mktemp -u"), SimpleNamespace(met=None)
        addresses = ",".join(address(proxy) for proxy in group("nginx"))
        with ThreadPoolExecutor() as pool:
            reading = pool.submit(run_python, READER, addresses, DOMAIN, stop)
            try:
                yield seen
            finally:
                client.check_output("touch %s", stop)
                seen.met = reading.result()

    return read


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
        told = re.search(r"Seconds: ((?:[a-z ]+ \d+\.\d(?:, )?)+)\.", self.text)[1]
        return {name: float(seconds) for name, seconds in re.findall(r"([a-z ]+) (\d+\.\d)", told.replace(", ", ","))}

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

    def interrupt(self):
        """As Ctrl-C does."""
        os.killpg(self.process.pid, signal.SIGINT)
        return self.end()

    def end(self):
        text = self.process.communicate()[0]
        return Told(self.process.returncode, re.sub(r"\s+", " ", text))


@pytest.fixture
def report(capsys):
    """report(TEXT): for whoever reads the log, also where the test passes."""

    def tell(text):
        with capsys.disabled():
            print(f"\n{text}")

    return tell


@pytest.fixture(scope="session")
def begin():
    """begin(NAME, *OPTIONS): starts one of the collection's playbooks and goes on."""
    return Begun
