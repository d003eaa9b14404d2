"""What the tests of the nginx scenario share."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

FILES = Path(__file__).parent / "files"


@pytest.fixture(scope="session")
def host(machine):
    """The host that serves the two sites."""
    return machine("one")


@pytest.fixture(scope="session", autouse=True)
def names_for_programs(client, address):
    """The names of the sites, so that nothing in the client needs tricks to reach them."""
    client.check_output("echo %s >> /etc/hosts", f"{address('one')} shop.example blog.example")


@pytest.fixture
def blue_again(host):
    yield
    host.run("rm -f /var/lib/slipway/slots/shop.green /run/slipway/slots/shop.*")


@pytest.fixture(scope="session")
def program(run_python):
    """program(FILE, *ARGUMENTS): the JSON that a program of files/ prints in the client."""
    return lambda file, *arguments: run_python((FILES / file).read_text(), *map(str, arguments))


@pytest.fixture(scope="session")
def access_log(host):
    """access_log(SITE): the entries of the site's log, oldest first."""

    def read(site="shop"):
        text = host.file(f"/var/log/nginx/{site}/access.log").content_string
        return [json.loads(line) for line in text.splitlines()]

    return read


@pytest.fixture(scope="session")
def fingerprints(host):
    """What the files hold and who the workers are: neither may change when a configuration is refused."""

    def take():
        files = host.check_output("find /etc/nginx -type f -o -type l | sort | xargs sha256sum")
        return files, host.check_output("pgrep -u www-data nginx | sort")

    return take


@pytest.fixture(scope="session")
def serves(curl):
    """Whether the shop answers."""
    return lambda: curl("https://shop.example/still").status == 200


@pytest.fixture(scope="session")
def refusal(play):
    """refusal(PLAYBOOK, *OPTIONS): what a run says that must fail."""

    def run(playbook, *options):
        result = play(playbook, *options, check=False)
        assert result.returncode != 0, result.stdout
        # Long messages are wrapped.
        return " ".join((result.stdout + result.stderr).split())

    return run
