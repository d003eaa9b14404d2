from __future__ import annotations

import datetime
import socket
import threading
import time

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
