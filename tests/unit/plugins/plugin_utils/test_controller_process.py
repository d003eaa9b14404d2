# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A process is taken for ended only where that is certain."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from ansible_collections.slipway.stack.plugins.plugin_utils import _controller_process as process


@pytest.fixture
def running() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        yield child
        child.kill()


def identity(pid: int) -> dict[str, Any]:
    return {**process.this_controller(), "pid": pid, "started": process._state_and_start(pid)[1]}


def test_a_worker_names_the_process_that_forked_it() -> None:
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    worker = context.Process(target=lambda: sender.send(process.this_controller()), daemon=True)
    worker.start()
    worker.join(10)
    assert receiver.poll()
    said = receiver.recv()
    assert said == process.this_controller()
    assert said["pid"] == os.getpid()
    assert said["started"] > 0
    assert said["boot_id"]
    assert said["pid_namespace"].startswith("pid:[")


def test_a_worker_whose_controller_was_killed_does_not_name_who_adopted_it() -> None:
    context = multiprocessing.get_context("fork")
    adopted, (receiver, sender) = context.Event(), context.Pipe(duplex=False)

    def worker() -> None:
        adopted.wait(10)
        sender.send(process.this_controller()["pid"])

    def controller() -> None:
        context.Process(target=worker).start()
        os.kill(os.getpid(), signal.SIGKILL)

    parent = context.Process(target=controller)
    parent.start()
    # With a limit it would wait for the worker too.
    parent.join()
    adopted.set()
    assert receiver.poll(10)
    assert receiver.recv() == parent.pid


def test_a_running_process_has_not_ended(running: subprocess.Popen[bytes]) -> None:
    assert not process.has_ended(identity(running.pid), process.this_controller())


def test_a_process_that_is_gone_has_ended(running: subprocess.Popen[bytes]) -> None:
    recorded = identity(running.pid)
    running.kill()
    running.wait()
    assert process.has_ended(recorded, process.this_controller())


def test_a_process_that_nobody_waited_for_has_ended(running: subprocess.Popen[bytes]) -> None:
    recorded = identity(running.pid)
    running.kill()
    os.waitid(os.P_PID, running.pid, os.WEXITED | os.WNOWAIT)
    assert process.has_ended(recorded, process.this_controller())


def test_a_number_that_another_process_got_is_told_apart(running: subprocess.Popen[bytes]) -> None:
    recorded = identity(running.pid)
    assert process.has_ended({**recorded, "started": recorded["started"] - 1}, process.this_controller())


@pytest.mark.parametrize(
    "other",
    [
        {"hostname": "elsewhere"},
        {"boot_id": "another"},
        {"boot_id": ""},
        {"pid_namespace": "pid:[1]"},
        {"pid": None},
        {"pid": -1},
        {"pid": 2**64},
        {"pid": "1"},
        {"started": 0},
        {"started": None},
    ],
)
def test_what_can_not_be_known_has_not_ended(running: subprocess.Popen[bytes], other: dict[str, Any]) -> None:
    recorded = identity(running.pid)
    running.kill()
    running.wait()
    assert not process.has_ended({**recorded, **other}, process.this_controller())


def test_nothing_recorded_has_not_ended() -> None:
    assert not process.has_ended({}, process.this_controller())


def test_a_controller_without_proc_is_told_by_its_lease_alone() -> None:
    blind = {**process.this_controller(), "boot_id": "", "pid_namespace": ""}
    assert not process.has_ended({**blind, "pid": 2**22 + 1, "started": 5}, blind)


def test_the_owner_is_a_user_on_a_host() -> None:
    user, host = process.this_owner().split("@")
    assert user
    assert host == process.this_controller()["hostname"]
