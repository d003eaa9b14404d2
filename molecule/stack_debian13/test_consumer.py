"""What a consumer gets is the built collection, and its example is refused until its secrets are real."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

CONSUMER = Path(__file__).resolve().parents[2] / "examples" / "consumer"


def run(*command):
    return subprocess.run(command, check=False, capture_output=True, text=True, cwd=CONSUMER)


def test_the_collection_in_use_is_the_installed_tarball():
    documented = json.loads(run("ansible-doc", "--type", "module", "slipway.stack.files", "--json").stdout)
    in_use = Path(documented["slipway.stack.files"]["doc"]["filename"]).parents[2]
    assert in_use.is_relative_to(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"])
    installed = {path.name for path in in_use.iterdir()}
    assert {"meta", "plugins", "roles", "playbooks", "MANIFEST.json"} <= installed
    assert not installed & {"molecule", "tests", "examples", "inventories", "Makefile"}


def test_the_example_lacks_nothing_but_real_secrets():
    refused = run("ansible-playbook", "site.yml", "-i", "prod")
    assert refused.returncode != 0
    message = re.sub(r"\s+", " ", refused.stdout + refused.stderr)
    assert "3 problems in the inventory" in message
    for name in ("app_database_password", "app_redis_password", "app_secrets.SECRET_KEY"):
        assert f"{name} is a placeholder" in message


def test_a_request_of_more_than_a_minute_is_answered(slow_answer):
    status, seconds = slow_answer()
    assert status == "200"
    assert float(seconds) > 65
