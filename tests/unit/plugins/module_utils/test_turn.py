# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Steps of two runs never work on a host at once, and the older one's never after the newer one has come."""

from __future__ import annotations

import multiprocessing
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.slipway.stack.plugins.module_utils import _turn
from ansible_collections.slipway.stack.plugins.module_utils._errors import StackError
from ansible_collections.slipway.stack.plugins.module_utils._turn import enter, turn

FORK = multiprocessing.get_context("fork")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "lib/shop"


class Orphan:
    """A step of the run `old` in a process of its own, which works until it is told to end."""

    def __init__(self, folder: Path) -> None:
        self.began, self.may_end = FORK.Event(), FORK.Event()
        self.process = FORK.Process(target=self._work, args=(folder,), daemon=True)
        self.process.start()
        assert self.began.wait(10)

    def _work(self, folder: Path) -> None:
        with turn(folder, "old"):
            self.began.set()
            self.may_end.wait(30)
            (folder / "work").write_text("old")


@pytest.fixture
def orphan(folder: Path) -> Iterator[Orphan]:
    enter(folder, "old")
    found = Orphan(folder)
    yield found
    found.process.kill()
    found.process.join()


def test_a_new_run_begins_when_the_step_that_is_under_way_has_ended(folder: Path, orphan: Orphan) -> None:
    newcomer = FORK.Process(target=enter, args=(folder, "new"), daemon=True)
    newcomer.start()
    newcomer.join(0.5)
    assert newcomer.is_alive()
    assert not (folder / "work").exists()
    orphan.may_end.set()
    newcomer.join(10)
    assert newcomer.exitcode == 0
    assert (folder / "work").read_text() == "old"


def test_a_step_that_comes_late_does_nothing(folder: Path) -> None:
    enter(folder, "old")
    enter(folder, "new")
    with pytest.raises(StackError, match="another run has taken over the rollout of shop"), turn(folder, "old"):
        pytest.fail("it was let in")
    with turn(folder, "new"):
        pass


def test_a_step_that_was_killed_holds_nobody_up(folder: Path, orphan: Orphan) -> None:
    orphan.process.kill()
    orphan.process.join()
    enter(folder, "new", 0)


def test_who_waits_in_vain_is_told_where_to_look(folder: Path, orphan: Orphan) -> None:
    with pytest.raises(StackError, match=r"more than 0 s: wait for it, or end its process \(lslocks shows"):
        enter(folder, "new", 0)


def test_a_step_of_no_run_takes_its_turn(folder: Path, orphan: Orphan) -> None:
    with pytest.raises(StackError, match="under way"), turn(folder, "", 0):
        pytest.fail("it was let in")
    orphan.may_end.set()
    orphan.process.join(10)
    with turn(folder):
        pass


def test_a_host_without_a_run_lets_any_in(folder: Path) -> None:
    with turn(folder, "first"):
        pass
    assert stat.S_IMODE(folder.stat().st_mode) & _turn._OTHERS_MAY_LOOK == 0
