# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is killed for giving no answer, and who isn't."""

from __future__ import annotations

import importlib.util
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

SCRIPT = Path(__file__).parents[4] / "roles" / "app" / "files" / "watchdog.py"
UNIT = "shop-web@blue.service"
TARGET: dict[str, Any] = {
    "unit": UNIT,
    "host": "127.0.0.1",
    "port": 1,
    "path": "/live",
    "host_header": "shop.example",
    "timeout": 1,
    "failures": 3,
    "grace": 60,
}


@pytest.fixture
def watchdog(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    specification = importlib.util.spec_from_file_location("watchdog", SCRIPT)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    monkeypatch.setattr(module, "running_since", lambda _units: {UNIT: ("100", 600.0)})
    killed: list[str] = []
    monkeypatch.setattr(module, "restart", lambda target, _failures: killed.append(target["unit"]))
    module.killed = killed  # type: ignore[attr-defined]
    return module


@pytest.fixture
def degraded() -> Iterator[int]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(503)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


def test_three_times_in_a_row_is_enough(watchdog: ModuleType) -> None:
    state: dict[str, Any] = {}
    for expected in ([], [], [UNIT]):
        state = watchdog.watch([TARGET], state)
        assert watchdog.killed == expected
    assert state == {}


def test_any_answer_is_a_sign_of_life(watchdog: ModuleType, degraded: int) -> None:
    state = {UNIT: {"process": "100", "failures": 2}}
    assert watchdog.watch([{**TARGET, "port": degraded}], state) == {}
    assert watchdog.killed == []


def test_another_process_starts_with_a_clean_sheet(watchdog: ModuleType) -> None:
    after = watchdog.watch([TARGET], {UNIT: {"process": "99", "failures": 2}})
    assert after == {UNIT: {"process": "100", "failures": 1}}
    assert watchdog.killed == []


@pytest.mark.parametrize("running", [{}, {UNIT: ("100", 59.0)}])
def test_who_does_not_run_or_still_starts_is_left_alone(
    watchdog: ModuleType, monkeypatch: pytest.MonkeyPatch, running: dict[str, tuple[str, float]]
) -> None:
    monkeypatch.setattr(watchdog, "running_since", lambda _units: running)
    assert watchdog.watch([{**TARGET, "failures": 1}], {}) == {}
    assert watchdog.killed == []
