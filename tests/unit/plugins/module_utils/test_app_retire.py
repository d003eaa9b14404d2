# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The old slot ends when the last visitor has left, or stays long enough, unless it is the live one again."""

from __future__ import annotations

import importlib.util
import json
import socket
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

WEB, API = "shop-web@blue.service", "shop-api@blue.service"
SCRIPT = Path(__file__).parents[4] / "roles" / "app" / "files" / "retire.py"


@pytest.fixture
def retire() -> ModuleType:
    specification = importlib.util.spec_from_file_location("retire", SCRIPT)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


class Slot:
    """The slot blue, which ran release 1 on a port that a visitor holds."""

    def __init__(self, folder: Path, visitor: socket.socket, port: int) -> None:
        self.visitor = visitor
        self.port = port
        self._folder = folder
        self.promise(30, 30)
        self.live("green", "2")

    def promise(self, web: float, api: float) -> None:
        drain = {WEB: {"port": self.port, "seconds": web}, API: {"port": 1, "seconds": api}}
        self._write("blue.json", {"release": "1", "drain": drain})

    def live(self, slot: str, release: str) -> None:
        self._write("live.json", {"slot": slot, "release": release})

    @property
    def arguments(self) -> list[str]:
        return ["retire", str(self._folder / "live.json"), str(self._folder / "blue.json")]

    @property
    def stopped(self) -> list[str]:
        calls = self._folder / "calls"
        return calls.read_text().splitlines() if calls.exists() else []

    def _write(self, name: str, content: object) -> None:
        (self._folder / name).write_text(json.dumps(content))


@pytest.fixture(params=[socket.AF_INET, socket.AF_INET6])
def slot(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Slot]:
    systemctl = tmp_path / "systemctl"
    systemctl.write_text(f'#!/bin/sh\necho "$*" >> {tmp_path}/calls\n')
    systemctl.chmod(stat.S_IRWXU)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    address = "127.0.0.1" if request.param == socket.AF_INET else "::1"
    with socket.create_server((address, 0), family=request.param) as server:
        port = server.getsockname()[1]
        with socket.create_connection((address, port)) as visitor:
            accepted = server.accept()[0]
            with accepted:
                yield Slot(tmp_path, visitor, port)


@pytest.fixture
def run(retire: ModuleType, slot: Slot, monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], None]], list[float]]:
    """Run it to its end; what happens meanwhile happens whenever it waits. Returns how often it did so."""

    def run(meanwhile: Callable[[], None]) -> list[float]:
        waits: list[float] = []
        now = [1000.0]

        def sleep(duration: float) -> None:
            waits.append(duration)
            now[0] += duration
            meanwhile()

        with monkeypatch.context() as patch:
            patch.setattr(retire.time, "monotonic", lambda: now[0])
            patch.setattr(retire.time, "sleep", sleep)
            patch.setattr(sys, "argv", slot.arguments)
            retire.main()
        return waits

    return run


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Callable[[], list[str]]:
    def lines() -> list[str]:
        return capsys.readouterr().out.splitlines()

    return lines


def test_only_who_is_connected_to_the_port_counts(retire: ModuleType, slot: Slot) -> None:
    assert retire.connections()[slot.port] == 1
    assert retire.connections()[slot.visitor.getsockname()[1]] == 1, "its other end"
    slot.visitor.close()
    assert retire.connections()[slot.port] == 0


def test_each_process_ends_when_its_last_visitor_leaves(
    slot: Slot, run: Callable[..., list[float]], said: Callable[[], list[str]]
) -> None:
    slot.promise(3600, 3600)
    assert len(run(slot.visitor.close)) == 1
    assert slot.stopped == [f"stop -- {API}", f"stop -- {WEB}"]
    assert said() == [f"stopping {unit} (1), which 0 connections still reach." for unit in (API, WEB)]


@pytest.mark.parametrize("seconds", [15, 60])
def test_nobody_is_waited_for_longer_than_was_promised(
    slot: Slot, run: Callable[..., list[float]], said: Callable[[], list[str]], seconds: float
) -> None:
    slot.promise(seconds, 99999)
    assert sum(run(lambda: None)) == seconds
    assert slot.stopped == [f"stop -- {API}", f"stop -- {WEB}"]
    assert said()[-1] == f"stopping {WEB} (1), which 1 connections still reach."


def test_processes_that_are_over_together_are_stopped_together(slot: Slot, run: Callable[..., list[float]]) -> None:
    slot.visitor.close()
    assert run(slot.visitor.close) == []
    assert slot.stopped == [f"stop -- {WEB} {API}"]


def test_a_slot_that_is_live_again_goes_on(
    slot: Slot, run: Callable[..., list[float]], said: Callable[[], list[str]]
) -> None:
    run(lambda: slot.live("blue", "1"))
    assert slot.stopped == [f"stop -- {API}"], "before it was live again"
    assert said()[-1] == "blue is live again, so it goes on."


@pytest.mark.parametrize(("live", "release"), [("green", "1"), ("blue", "3")])
def test_live_is_a_release_in_a_slot(slot: Slot, live: str, release: str) -> None:
    slot.live(live, release)
    slot.promise(0, 0)
    subprocess.run([sys.executable, str(SCRIPT), *slot.arguments[1:]], check=True)
    assert slot.stopped == [f"stop -- {WEB} {API}"]
