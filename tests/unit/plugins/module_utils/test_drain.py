from __future__ import annotations

import datetime
import socket
import threading
import time
from typing import Any

import pytest

from ansible_collections.slipway.stack.plugins.module_utils import _drain


def test_connections_are_counted_by_their_local_port() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert _drain.connections({port}) == 0
        with socket.create_connection(("127.0.0.1", port)):
            accepted = server.accept()[0]
            assert _drain.connections({port}) == 1
            assert _drain.connections({port + 1}) == 0
            accepted.close()


def test_what_is_left_is_counted_from_the_moment_that_the_slot_was_left() -> None:
    now = datetime.datetime(2026, 11, 23, 10, 0, 30, tzinfo=datetime.UTC)
    assert _drain.seconds_left("2026-11-23T10:00:00+00:00", 120, now) == 90
    assert _drain.seconds_left("2026-11-23T09:00:00+00:00", 120, now) < 0


SWITCHED = "2026-11-23T10:00:00+00:00"
HOURS = {
    "web": {"port": 1, "seconds": 120},
    "live": {"port": 2, "seconds": 14400},
    "feed": {"port": 3, "seconds": 7200},
}


@pytest.mark.parametrize(
    ("minutes", "connected", "held"),
    [
        (1, {1: 9, 2: 5, 3: 2}, {"units": ["feed", "live"], "connections": 7, "until": "2026-11-23T14:00:00+00:00"}),
        (1, {1: 9, 3: 2}, {"units": ["feed"], "connections": 2, "until": "2026-11-23T12:00:00+00:00"}),
        (180, {2: 5, 3: 2}, {"units": ["live"], "connections": 5, "until": "2026-11-23T14:00:00+00:00"}),
        (300, {2: 5}, {}),
        (1, {1: 9}, {}),
    ],
)
def test_only_whom_a_rollout_would_not_wait_for_keeps_a_slot(
    minutes: int, connected: dict[int, int], held: dict[str, Any]
) -> None:
    now = datetime.datetime.fromisoformat(SWITCHED) + datetime.timedelta(minutes=minutes)
    found = _drain.held_for_long(HOURS, SWITCHED, 120, now, lambda ports: sum(connected.get(port, 0) for port in ports))
    assert found == held


def test_the_wait_ends_with_the_last_connection_or_with_the_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as visitor:
            accepted = server.accept()[0]
            began = time.monotonic()
            _drain.wait({port}, 0.6)
            assert 0.5 < time.monotonic() - began < 5
            # Both sides: one that is only half closed still counts.
            threading.Timer(0.3, lambda: (visitor.close(), accepted.close())).start()
            began = time.monotonic()
            _drain.wait({port}, 30)
            assert time.monotonic() - began < 10
    began = time.monotonic()
    _drain.wait({port}, -5)
    assert time.monotonic() - began < 0.5
