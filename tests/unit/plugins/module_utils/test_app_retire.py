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
        processes = {"routed": ["shop-web@blue.service", "shop-api@blue.service"], "worker": ["shop-jobs@blue.service"]}
        self._write("blue.json", {"release": "1", "ports": {"web": [port], "api": [1]}, "processes": processes})
        self.live("green", "2")

    def live(self, slot: str, release: str) -> None:
        self._write("live.json", {"slot": slot, "release": release})

    def arguments(self, seconds: float) -> list[str]:
        return ["retire", str(self._folder / "live.json"), str(self._folder / "blue.json"), str(seconds)]

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
def run(
    retire: ModuleType, slot: Slot, monkeypatch: pytest.MonkeyPatch
) -> Callable[[float, Callable[[], None]], list[float]]:
    """Run it to its end; what happens meanwhile happens whenever it waits. Returns how often it did so."""

    def run(seconds: float, meanwhile: Callable[[], None]) -> list[float]:
        waits: list[float] = []
        now = [1000.0]

        def sleep(duration: float) -> None:
            waits.append(duration)
            now[0] += duration
            meanwhile()

        with monkeypatch.context() as patch:
            patch.setattr(retire.time, "monotonic", lambda: now[0])
            patch.setattr(retire.time, "sleep", sleep)
            patch.setattr(sys, "argv", slot.arguments(seconds))
            retire.main()
        return waits

    return run


STOP = "stop -- shop-web@blue.service shop-api@blue.service"


def test_only_who_is_connected_to_the_port_counts(retire: ModuleType, slot: Slot) -> None:
    assert retire.connections({slot.port}) == 1
    assert retire.connections({slot.visitor.getsockname()[1]}) == 1, "its other end"
    assert retire.connections(set()) == 0
    slot.visitor.close()
    assert retire.connections({slot.port}) == 0


def test_it_ends_when_the_last_visitor_leaves(
    slot: Slot, run: Callable[..., list[float]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert len(run(3600, slot.visitor.close)) == 1
    assert slot.stopped == [STOP]
    assert capsys.readouterr().out == "stopping blue (1), which 0 connections still reach.\n"


def test_nobody_is_waited_for_for_ever(
    slot: Slot, run: Callable[..., list[float]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert sum(run(30, lambda: None)) == 30
    assert slot.stopped == [STOP]
    assert "which 1 connections still reach" in capsys.readouterr().out


def test_a_slot_that_is_live_again_goes_on(
    slot: Slot, run: Callable[..., list[float]], capsys: pytest.CaptureFixture[str]
) -> None:
    run(3, lambda: slot.live("blue", "1"))
    assert slot.stopped == []
    assert capsys.readouterr().out == "blue is live again, so it goes on.\n"


@pytest.mark.parametrize(("live", "release"), [("green", "1"), ("blue", "3")])
def test_live_is_a_release_in_a_slot(slot: Slot, live: str, release: str) -> None:
    slot.live(live, release)
    subprocess.run([sys.executable, str(SCRIPT), *slot.arguments(0)[1:]], check=True)
    assert slot.stopped == [STOP]
