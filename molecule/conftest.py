"""What the tests of every scenario share: its hosts, and an observer outside of them.

A test never asks Ansible whether Ansible did its work. It looks at a host by `machine(NAME)`, or
from another container by `client`, `curl` and `open_ports`.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import testinfra
import yaml

SCENARIO = os.environ["MOLECULE_SCENARIO_NAME"]
SOAK = "SOAK" in os.environ
BOOTED = ("running", "degraded")


def pytest_configure(config):
    config.addinivalue_line("markers", "for_long: there is no time for it but by `make soak`")


def pytest_collection_modifyitems(config, items):
    if not SOAK:
        left_out = [item for item in items if is_for_long(item)]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


def is_for_long(item) -> bool:
    """Whether only `make soak` has time for a test; also for what is the same on the older of a scenario's two Debians."""
    parameters = item.callspec.params if hasattr(item, "callspec") else {}
    return item.get_closest_marker("for_long") is not None or parameters.get("name") == "twelve"


def container_of(name: str) -> str:
    return f"slipway-{SCENARIO}-{name}"


def docker(*arguments: str, timeout: float = 120) -> str:
    return subprocess.run(
        ["docker", *arguments], check=True, capture_output=True, text=True, timeout=timeout
    ).stdout.strip()


@dataclass(frozen=True)
class Answer:
    """What came back over HTTP; header names are in lower case."""

    status: int
    headers: dict[str, str]
    body: str
    seconds: float
    http_version: str
    raw_headers: list[tuple[str, str]] = field(default_factory=list)

    def json(self) -> Any:
        return json.loads(self.body)


@pytest.fixture(scope="session")
def platforms() -> dict[str, dict[str, Any]]:
    """The platforms of molecule.yml by name."""
    config = yaml.safe_load(Path(os.environ["MOLECULE_FILE"]).read_text())
    return {platform["name"]: platform for platform in config["platforms"]}


@pytest.fixture(scope="session")
def machine() -> Callable[[str], testinfra.host.Host]:
    """machine(NAME): the host of that name, looked at as root, however Ansible reaches it."""
    return lambda name: testinfra.get_host(f"docker://root@{container_of(name)}")


@pytest.fixture(scope="session")
def client() -> testinfra.host.Host:
    """A machine outside of the scenario's hosts, on the same network; resolves their names."""
    return testinfra.get_host(f"docker://{container_of('client')}")


@pytest.fixture(scope="session")
def address() -> Callable[[str], str]:
    """address(NAME): the host's IPv4 address as other hosts see it."""

    def look_up(name: str) -> str:
        networks = json.loads(docker("inspect", "--format", "{{json .NetworkSettings.Networks}}", container_of(name)))
        return str(networks[f"slipway-{SCENARIO}"]["IPAddress"])

    return look_up


@pytest.fixture(scope="session")
def curl(client: testinfra.host.Host) -> Callable[..., Answer]:
    """curl(URL, *OPTIONS, at=HOST): asks from the client; `at` is the host that the URL's name leads to.

    Certificates aren't verified unless `verify=True`.
    """

    def ask(url: str, *options: str, at: str | None = None, verify: bool = False) -> Answer:
        marker = "\n--- "
        arguments = ["curl", "-sS", "-i", "--max-time", "30", "-w", marker + "%{json}"]
        if at:
            arguments += ["--connect-to", f"::{at}:"]
        if not verify:
            arguments.append("-k")
        result = client.run(" ".join(["%s"] * (len(arguments) + len(options) + 1)), *arguments, *options, url)
        assert result.rc == 0, f"curl {url}: {result.stderr.strip()}"
        message, _, trailer = result.stdout.rpartition(marker)
        facts = json.loads(trailer)
        head, body = split_message(message)
        pairs = [(key.strip().lower(), value.strip()) for key, _, value in (line.partition(":") for line in head)]
        return Answer(
            status=facts["http_code"],
            headers=dict(pairs),
            body=body,
            seconds=facts["time_total"],
            http_version=facts["http_version"],
            raw_headers=pairs,
        )

    return ask


def split_message(message: str) -> tuple[list[str], str]:
    """The header lines and the body of the last answer: interim ones (100, 103) precede it."""
    text = message.replace("\r\n", "\n")
    while True:
        head, _, body = text.partition("\n\n")
        if not body.startswith("HTTP/"):
            return head.split("\n")[1:], body
        text = body


@pytest.fixture(scope="session")
def open_ports(client: testinfra.host.Host) -> Callable[..., set[int]]:
    """open_ports(NAME): the TCP ports of the host that accept a connection from outside."""

    def scan(name: str, ports: str = "1-65535") -> set[int]:
        # On a network without loss a second try is enough; dropped probes would else take a minute.
        result = client.run("nmap -n -Pn -sS --min-rate 15000 --max-retries 1 -p %s -oG - %s", ports, name)
        assert result.rc == 0, result.stderr
        return {int(port) for port in re.findall(r"(\d+)/open/", result.stdout)}

    return scan


@pytest.fixture(scope="session")
def run_python(client: testinfra.host.Host) -> Callable[..., Any]:
    """run_python(CODE, *ARGUMENTS): runs a program in the client and returns the JSON that it prints.

    It has aiohttp, httpx, h2, websockets, psycopg2 and redis.
    """

    def run(code: str, *arguments: str) -> Any:
        result = client.run(" ".join(["%s"] * (3 + len(arguments))), "python3", "-c", code, *arguments)
        assert result.rc == 0, result.stderr
        return json.loads(result.stdout)

    return run


@pytest.fixture(scope="session")
def wait_until() -> Callable[..., None]:
    """wait_until(CONDITION, seconds=30): polls it and fails with its name when the time is over."""

    def wait(condition: Callable[[], object], seconds: float = 30, interval: float = 0.5) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            name = getattr(condition, "__name__", "the condition")
            assert time.monotonic() < deadline, f"{name} did not hold within {seconds:g} s"
            time.sleep(interval)

    return wait


@pytest.fixture(scope="session")
def booted(machine: Callable[[str], testinfra.host.Host], wait_until: Callable[..., None]) -> Callable[[str], None]:
    """booted(NAME): returns when systemd says that the host has booted."""

    def wait(name: str) -> None:
        def has_booted() -> bool:
            return machine(name).run("systemctl is-system-running").stdout.strip() in BOOTED

        wait_until(has_booted, seconds=120)

    return wait


@pytest.fixture(scope="session")
def reboot(booted: Callable[[str], None]) -> Callable[[str], None]:
    """reboot(NAME): an orderly restart of the host; returns when it has booted."""

    def restart(name: str) -> None:
        docker("restart", "--time", "60", container_of(name))
        booted(name)

    return restart


@pytest.fixture(scope="session")
def switched_off(booted: Callable[[str], None]) -> Callable[..., Any]:
    """switched_off(NAME): the host is off, without a warning, while its block runs."""

    @contextmanager
    def off(name: str) -> Iterator[None]:
        docker("kill", container_of(name))
        try:
            yield
        finally:
            docker("start", container_of(name))
            booted(name)

    return off


@pytest.fixture(scope="session")
def play() -> Callable[..., subprocess.CompletedProcess[str]]:
    """play(PLAYBOOK, *OPTIONS): runs a playbook on the scenario's hosts; PLAYBOOK is a path or a full name.

    With `check=False` a failing run is returned instead of failing the test.
    """

    def run(playbook: str, *options: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        inventory = Path(os.environ["MOLECULE_INVENTORY_FILE"]).parent
        result = subprocess.run(
            ["ansible-playbook", "-i", str(inventory), *options, playbook],
            check=False,
            capture_output=True,
            text=True,
            cwd=os.environ["MOLECULE_SCENARIO_DIRECTORY"],
        )
        assert not check or result.returncode == 0, result.stdout[-6000:] + result.stderr[-2000:]
        # A long text in double quotes goes on behind a backslash at the end of each line.
        result.stdout = re.sub(r"\\\n\s*(\\(?= ))?", "", result.stdout)
        return result

    return run


class Load:
    """What a load on the service met, once it has ended."""

    result: dict[str, Any]

    def assert_nothing_failed(self, *, drained: float = 0, reloads: int = 0) -> None:
        """drained: for how many seconds after the switch that left them WebSockets and streams must be there, if not for good.

        reloads: how often nginx was reloaded at most. Each time it closes what is kept, two at most with a request on its way.
        """
        result = self.result
        seen = {
            key: result[key]
            for key in ("requests", "failures", "examples", "websockets", "streams", "uploads", "posts")
        }
        assert result["requests"] >= 0.9 * result["rate"] * result["seconds"], (result["seconds"], seen)
        # An upload is waited for when all else has ended.
        assert min(result["posts"]["answered"], result["uploads"]["done"]) > 0, seen
        for held in ("websockets", "streams"):
            assert (result[held]["opened"] > 0, result[held]["failed_to_open"]) == (True, 0), seen
        closed = result["closed_on_reuse"]
        assert closed <= 2 * reloads, seen
        assert result["failed"] == closed, seen
        assert result["uploads"]["failed"] == 0, seen
        assert result["posts"]["verified"], seen
        assert (result["posts"]["lost"], result["posts"]["doubled"]) == (0, 0), seen
        cuts = [cut for held in ("websockets", "streams") for cut in result[held]["cuts"]]
        assert all(drained and self._left_for(cut) >= drained for cut in cuts), seen

    def _left_for(self, cut: dict[str, Any]) -> float:
        """How long before it was cut another release than the one that it was opened with answered first; below 0 if never."""
        opened = cut["at"] - cut["open_s"]
        switches = [release["first"] for release in self.result["releases"] if release["first"] > opened + 1]
        return cut["at"] - min(switches, default=cut["at"] + 1)


@pytest.fixture(scope="session")
def load(client: testinfra.host.Host, wait_until: Callable[..., None]) -> Callable[..., Any]:
    """load(URL, at=[HOST...], *OPTIONS): visitors of every kind from the client (tests/load) while its block runs.

    There are 100 requests a second by `make soak`, and fewer by `make test`, where hosts share their cores with others;
    LOAD_RATE says otherwise.
    """
    docker(
        "cp", str(Path(os.environ["MOLECULE_PROJECT_DIRECTORY"]) / "tests" / "load"), f"{container_of('client')}:/opt/"
    )

    @contextmanager
    def run(url: str, at: list[str], *more: str) -> Iterator[Load]:
        folder = client.check_output("mktemp -d")
        rate = int(os.environ.get("LOAD_RATE", "100" if "SOAK" in os.environ else "25"))
        addresses = ",".join(client.check_output("getent ahostsv4 %s | head -1 | cut -d' ' -f1", host) for host in at)
        options = f"--url {url} --at {addresses} --rate {rate} --seconds 900 {' '.join(more)}"
        files = f"--stop-file {folder}/stop --out {folder}/result.json --events {folder}/events.jsonl"
        docker(
            *("exec", "--detach", "--workdir", "/opt", container_of("client")),
            *("sh", "-c", f"python3 -m load {options} {files} >{folder}/log 2>&1"),
        )
        wait_until(lambda: "load: started" in client.run("cat %s/log", folder).stdout, seconds=30)
        visitors = Load()
        try:
            yield visitors
        finally:
            client.check_output("touch %s/stop", folder)
            # An upload may still take a minute, and reading back what was stored half of one.
            wait_until(lambda: client.file(f"{folder}/result.json").exists, seconds=120)
            visitors.result = json.loads(client.file(f"{folder}/result.json").content_string)

    return run
