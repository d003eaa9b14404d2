from __future__ import annotations

import pytest


@pytest.fixture(scope="session")
def host(machine):
    return machine("one")
