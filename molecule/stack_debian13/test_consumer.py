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
    listed = json.loads(run("ansible-galaxy", "collection", "list", "slipway.stack", "--format", "json").stdout)
    first = Path(next(iter(listed)))
    assert first.is_relative_to(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"])
    installed = {path.name for path in (first / "slipway" / "stack").iterdir()}
    assert {"meta", "plugins", "roles", "playbooks", "MANIFEST.json"} <= installed
    assert not installed & {"molecule", "tests", "examples", "inventories", "Makefile"}


def test_the_consumers_example_lacks_nothing_but_real_secrets():
    refused = run("ansible-playbook", "site.yml", "-i", "prod")
    assert refused.returncode != 0
    message = re.sub(r"\s+", " ", refused.stdout + refused.stderr)
    assert "3 problems in the inventory" in message
    for name in ("app_database_password", "app_redis_password", "app_secrets.SECRET_KEY"):
        assert f"{name} is a placeholder" in message
