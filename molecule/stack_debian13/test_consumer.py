"""What a consumer gets is the built collection, and its example is refused until its secrets are real."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CONSUMER = ROOT / "examples" / "consumer"


def run(*command, at=CONSUMER):
    return subprocess.run(command, check=False, capture_output=True, text=True, cwd=at)


def test_the_collection_in_use_is_the_installed_tarball():
    documented = json.loads(run("ansible-doc", "--type", "module", "slipway.stack.files", "--json").stdout)
    in_use = Path(documented["slipway.stack.files"]["doc"]["filename"]).parents[2]
    assert in_use.is_relative_to(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"])
    installed = {path.name for path in in_use.iterdir()}
    assert {"meta", "plugins", "roles", "playbooks", "MANIFEST.json"} <= installed
    assert not installed & {"molecule", "tests", "examples", "inventories", "Makefile"}


@pytest.mark.parametrize(
    ("folder", "playbook", "inventory"),
    [(CONSUMER, "site.yml", "prod"), (ROOT, "playbooks/site.yml", "inventories/prod")],
    ids=["consumer", "checkout"],
)
def test_an_example_lacks_nothing_but_real_secrets(folder, playbook, inventory):
    refused = run("ansible-playbook", playbook, "-i", inventory, at=folder)
    assert refused.returncode != 0
    message = re.sub(r"\s+", " ", refused.stdout + refused.stderr)
    assert "3 problems in the inventory" in message
    for name in ("app_database_password", "app_redis_password", "app_secrets.SECRET_KEY"):
        assert f"{name} is a placeholder" in message


def test_a_request_of_more_than_a_minute_is_answered(slow_answer):
    status, seconds = slow_answer()
    assert status == "200"
    assert float(seconds) > 65
