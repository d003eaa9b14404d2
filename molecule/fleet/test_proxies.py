"""A proxy that can't be switched stops a rollout before anything has changed. It comes first, since blue is live then."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="module")
def blue_is_live(ask, run, serving):
    """Workers that can't see the flag take every slot for blue."""
    if ask("/whoami").json()["slot"] != "blue":
        run("upgrade", "-e", f"app_version={'v1.1.0' if serving() != {'v1.1.0'} else 'v1.2.0'}")


@pytest.fixture(scope="module", autouse=True)
def nobody_notices(blue_is_live, visitors, serving):
    """Whatever the tests of this file do, visitors get what they got before."""
    before = serving()
    with visitors() as seen:
        yield
    seen.assert_nothing_failed()
    assert serving() == before


def test_a_proxy_that_is_away_stops_the_run(run, another, lose):
    lose("proxy2")
    told = run("upgrade", "-e", f"app_version={another}", check=False)
    assert told.status != 0
    assert "proxy2" in told.text


def test_a_proxy_whose_workers_cannot_see_the_flag_stops_the_run(run, another, machine):
    machine("proxy1").check_output("chmod o-x /var/lib/slipway")
    try:
        told = run("upgrade", "-e", f"app_version={another}", check=False)
    finally:
        machine("proxy1").check_output("chmod o+x /var/lib/slipway")
    assert told.status != 0
    assert "chmod o+x" in told.text
