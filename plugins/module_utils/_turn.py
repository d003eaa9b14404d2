# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module utility is private to slipway.stack: it may change in any release.
"""Steps of runs on one host: one at a time, and none of a run that another has followed.

The lock of a rollout lies on one host and tells nothing to a step that outlives its controller on another. So each host
knows the newest run, and each step asks for that.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

from ansible_collections.slipway.stack.plugins.module_utils._atomic import write_atomically
from ansible_collections.slipway.stack.plugins.module_utils._errors import StackError

# As long as a step may take that nobody waits for any more: it starts units, and waits for their first answers.
PATIENCE_S = 600
_POLL_S = 0.2
_MODE = 0o644
_OTHERS_MAY_LOOK = 0o022


@contextlib.contextmanager
def turn(folder: Path, run: str = "", seconds: float = PATIENCE_S) -> Iterator[None]:
    """Do one step of a run on this host, where nothing else is done meanwhile. A step of no run is asked for no name."""
    make_directory(folder)
    with _step(folder, seconds):
        newest = _newest(folder)
        if run and newest not in ("", run):
            raise StackError(
                f"another run has taken over the rollout of {folder.name}, so this one changes nothing more on this host: "
                "wait until that one ends, then run this again."
            )
        yield


def enter(folder: Path, run: str, seconds: float = PATIENCE_S) -> None:
    """Let this host know of a run that begins: steps of those before it have ended, and no more of them are done."""
    make_directory(folder)
    with _step(folder, seconds):
        write_atomically(str(folder / "run"), f"{run}\n".encode(), mode=_MODE)


def _newest(folder: Path) -> str:
    try:
        return (folder / "run").read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return ""


def _step(folder: Path, seconds: float) -> contextlib.AbstractContextManager[int]:
    return alone(
        folder / "step.lock",
        seconds,
        f"a step of an earlier rollout of {folder.name} has been under way on this host for more than {seconds:.0f} s: "
        f"wait for it, or end its process (lslocks shows which has {folder}/step.lock).",
    )


@contextlib.contextmanager
def alone(path: Path, seconds: float, complaint: str) -> Iterator[int]:
    """Hold a lock that ends with this process. Yields a descriptor, by which children may keep it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        deadline = time.monotonic() + seconds
        while not _try_lock(descriptor):
            if time.monotonic() > deadline:
                raise StackError(complaint)
            time.sleep(_POLL_S)
        yield descriptor
    finally:
        os.close(descriptor)


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def make_directory(path: Path) -> None:
    """Make a folder that others may look into, whatever this process' umask is."""
    umask = os.umask(_OTHERS_MAY_LOOK)
    try:
        path.mkdir(parents=True, exist_ok=True)
    finally:
        os.umask(umask)
