from __future__ import annotations

import pytest


@pytest.fixture(scope="session")
def host(machine):
    return machine("one")


@pytest.fixture(scope="session")
def version(host):
    """The major version of PostgreSQL that the host's Debian has."""
    return {"12": "15", "13": "17"}[host.system_info.release]
