"""What the tests of the nginx scenario share."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

FILES = Path(__file__).parent / "files"
HOSTS = ("twelve", "thirteen")


@pytest.fixture(scope="session", params=HOSTS)
def name(request):
    """Each host that serves the two sites."""
    return request.param


@pytest.fixture(scope="session", autouse=True)
def names_for_programs(client, address):
    """A name of the shop for each host, so that a program in the client needs no tricks to reach it."""
    for each in HOSTS:
        client.check_output("echo %s >> /etc/hosts", f"{address(each)} {each}.shop.example")


@pytest.fixture
def blue_again(machine):
    yield
    for each in HOSTS:
        machine(each).run("rm -f /var/lib/slipway/slots/shop.green /run/slipway/slots/shop.*")


@pytest.fixture(scope="session")
def program(run_python):
    """program(FILE, *ARGUMENTS): the JSON that a program of files/ prints in the client."""
    return lambda file, *arguments: run_python((FILES / file).read_text(), *map(str, arguments))


@pytest.fixture(scope="session")
def access_log(machine):
    """access_log(NAME, SITE): the entries of the site's log, oldest first."""

    def read(host, site="shop"):
        text = machine(host).file(f"/var/log/nginx/{site}/access.log").content_string
        return [json.loads(line) for line in text.splitlines()]

    return read


@pytest.fixture(scope="session")
def fingerprints(machine):
    """What the files hold and who the workers are: neither may change when a configuration is refused."""

    def take_one(host):
        files = machine(host).check_output("find /etc/nginx -type f -o -type l | sort | xargs sha256sum")
        return files, machine(host).check_output("pgrep -u www-data nginx | sort")

    return lambda: {host: take_one(host) for host in HOSTS}


@pytest.fixture(scope="session")
def serves(curl):
    """Whether the shop answers on every host."""
    return lambda: all(curl("https://shop.example/still", at=host).status == 200 for host in HOSTS)


@pytest.fixture(scope="session")
def refusal(play):
    """refusal(PLAYBOOK, *OPTIONS): what a run says that must fail."""

    def run(playbook, *options):
        result = play(playbook, *options, check=False)
        assert result.returncode != 0, result.stdout
        # Long messages are wrapped.
        return " ".join((result.stdout + result.stderr).split())

    return run
