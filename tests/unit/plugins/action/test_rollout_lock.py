# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several controllers want one lock, and one of them is killed, as it happens to people."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.slipway.stack.plugins.action import rollout_lock

COLLECTIONS = Path(rollout_lock.__file__).parents[5]
PATIENCE_S = 60


def until(condition: Callable[[], Any]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


class Controllers:
    """Ansible on this machine, as people start it."""

    def __init__(self, folder: Path) -> None:
        self.lock = folder / "lib/shop/rollout.lock"
        self._folder = folder
        self._underway = folder / "underway"
        self._underway.touch()
        self._settings = folder / "ansible.cfg"
        self._settings.touch()
        self._playbooks: list[subprocess.Popen[bytes]] = []

    @property
    def holder(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads(self.lock.read_text())
        return content

    def start(self, run: str) -> subprocess.Popen[bytes]:
        """Start a playbook that takes the lock and goes on until the end of the test."""
        tasks = [
            {"name": "Take the lock", "slipway.stack.rollout_lock": self._arguments(run=run)},
            {"name": "Go on", "ansible.builtin.wait_for": {"path": str(self._underway), "state": "absent"}},
        ]
        playbook = self._folder / f"{run}.yml"
        playbook.write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}]))
        with self._output(run).open("wb") as output:
            process = subprocess.Popen(
                self._words("playbook", str(playbook)), env=self._environment(), stdout=output, stderr=output
            )
        self._playbooks.append(process)
        return process

    def output(self, run: str) -> str:
        """What a playbook printed, as one line."""
        return " ".join(self._output(run).read_text().split())

    def ask(self, *options: str, **lock: Any) -> dict[str, Any]:
        """Run one task. The answer has what was printed beside it as C(said)."""
        words = self._words("adhoc", "localhost", "-m", "slipway.stack.rollout_lock", *options)
        words += ["-a", json.dumps(self._arguments(**lock))]
        done = subprocess.run(
            words, env=self._environment(), capture_output=True, text=True, timeout=PATIENCE_S, check=False
        )
        answer: dict[str, Any] = json.loads(done.stdout.partition(" => ")[2])
        return {**answer, "said": " ".join(done.stderr.split())}

    def stop(self) -> None:
        """A worker outlives a playbook that was killed."""
        self._underway.unlink()
        for process in self._playbooks:
            process.wait(PATIENCE_S)

    def _arguments(self, **lock: Any) -> dict[str, Any]:
        return {"name": "shop", "purpose": "a test", "directory": str(self.lock.parents[1]), **lock}

    def _output(self, run: str) -> Path:
        return self._folder / f"{run}.log"

    def _words(self, program: str, *words: str) -> list[str]:
        python = f"ansible_python_interpreter={sys.executable}"
        return [sys.executable, "-m", f"ansible.cli.{program}", *words, "-i", "localhost,", "-c", "local", "-e", python]

    def _environment(self) -> dict[str, str]:
        # Not the settings of whoever runs the test.
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")},
            "ANSIBLE_CONFIG": str(self._settings),
            "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
            "ANSIBLE_HOME": str(self._folder / "ansible"),
            "ANSIBLE_NOCOLOR": "1",
        }


@pytest.fixture
def controllers(tmp_path: Path) -> Iterator[Controllers]:
    started = Controllers(tmp_path)
    yield started
    started.stop()


def test_a_lock_goes_on_only_when_its_controller_has_ended(controllers: Controllers) -> None:
    first = controllers.start("first")
    until(lambda: controllers.lock.exists() or first.poll() is not None)
    assert first.poll() is None, controllers.output("first")
    holder = controllers.holder
    who = f"{holder['owner']} (process {first.pid} there)"
    assert (holder["run"], holder["controller"]["pid"]) == ("first", first.pid)

    refused = controllers.ask(run="second")
    assert f"another rollout of shop is under way: {who} has held its lock for" in refused["msg"]
    assert (refused["holder"], controllers.holder) == (holder, holder)

    first.kill()
    first.wait()
    asked = controllers.ask(state="query")
    assert (asked["holder"], asked["dead"]) == (holder, "the ansible-playbook that took it has ended")

    previewed = controllers.ask("--check", run="second")
    assert (previewed["held"], previewed["holder"], controllers.holder) == (True, holder, holder)

    taken = controllers.ask(run="second", owner="the nightly job")
    assert (taken["changed"], taken["held"]) == (False, True)
    assert taken["taken_over"].startswith(f"{who} since ")
    assert taken["taken_over"].endswith(" for a test: the ansible-playbook that took it has ended")
    assert taken["said"].count(f"The lock of shop was held by {who}") == 1
    assert (controllers.holder["run"], controllers.holder["owner"]) == ("second", "the nightly job")


def test_of_two_that_start_together_one_goes_on(controllers: Controllers) -> None:
    runs = {run: controllers.start(run) for run in ("first", "second")}
    until(lambda: any(process.poll() is not None for process in runs.values()))
    winner = controllers.holder["run"]
    loser = ({*runs} - {winner}).pop()
    assert (runs[winner].poll(), runs[loser].poll()) == (None, 2)
    assert f"is under way: {controllers.holder['owner']} (process {runs[winner].pid} there)" in controllers.output(
        loser
    )
