# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which process runs the playbook, and whether one that ran another playbook has ended."""

from __future__ import annotations

import getpass
import multiprocessing
import os
import socket
import typing as t

_PLACE = ("hostname", "boot_id", "pid_namespace")
_DEAD_STATES = "ZX"
_MOST_PID = 2**31


def this_controller() -> dict[str, t.Any]:
    """The identity of ansible-playbook. An action runs in a worker that was forked from it."""
    parent = multiprocessing.parent_process()
    # Unlike os.getppid, this stays true when the parent is killed and something else adopts the worker.
    pid = (parent.pid if parent else None) or os.getpid()
    return {
        "hostname": socket.gethostname(),
        # A controller that isn't Linux has no /proc: it can be told by its lease alone.
        "boot_id": _text_of("/proc/sys/kernel/random/boot_id").strip(),
        "pid_namespace": _link_of("/proc/self/ns/pid"),
        "pid": pid,
        "started": _state_and_start(pid)[1],
    }


def this_owner() -> str:
    """Who runs the playbook, as user@host."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"


def has_ended(recorded: t.Mapping[str, t.Any], here: t.Mapping[str, t.Any]) -> bool:
    """Whether a process of this very machine, boot and PID namespace is gone. False wherever that can't be known."""
    if any(not here[each] or recorded.get(each) != here[each] for each in _PLACE):
        return False
    pid, started = recorded.get("pid"), recorded.get("started")
    if not (isinstance(pid, int) and 0 < pid < _MOST_PID and isinstance(started, int) and started > 0):
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        # It exists, and may belong to someone whose processes /proc doesn't show.
        pass
    state, since = _state_and_start(pid)
    return since > 0 and (state in _DEAD_STATES or since != started)


def _state_and_start(pid: int) -> tuple[str, int]:
    """The state of a process, and when it was started, in clock ticks since boot; 0 where that can't be read."""
    # The name of a program may have spaces and brackets.
    values = _text_of(f"/proc/{pid}/stat").rpartition(")")[2].split()
    return (values[0], int(values[19])) if len(values) > 19 else ("", 0)


def _text_of(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:
            return stream.read()
    except OSError:
        return ""


def _link_of(path: str) -> str:
    try:
        return os.readlink(path)
    except OSError:
        return ""
