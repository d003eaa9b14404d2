# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module utility is private to slipway.stack: it may change in any release.
"""Any command that migrates. Runs on the host's Python, in the release's environment: see _migrate_agent.py."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

from ansible_collections.slipway.stack.plugins.module_utils._command import run_bounded
from ansible_collections.slipway.stack.plugins.module_utils._migrate_trouble import Trouble

# Whoever started this process ends it before.
_AT_MOST_S = 7 * 86_400


def shell(command: str) -> str:
    """Returns what the command prints."""
    done = run_bounded(["/bin/sh", "-c", command], timeout=_AT_MOST_S, stdout=subprocess.PIPE, text=True)
    sys.stderr.write(done.stdout)
    if done.returncode != 0:
        raise Trouble("command", f"`{command}` failed with exit status {done.returncode}")
    return str(done.stdout)


def revision(command: str) -> list[str]:
    """The last line that a command prints, if there's one."""
    lines = shell(command).split("\n") if command else []
    return [line.strip() for line in lines if line.strip()][-1:]


def plan(request: dict[str, Any]) -> dict[str, Any]:
    before = revision(request["current_command"])
    target = revision(request["target_command"])
    known = bool(request["current_command"] and request["target_command"])
    step = {
        "revision": (target or ["?"])[0],
        "parents": [],
        "text": request["command"],
        "back": False,
        "transactional": False,
        "sql": "",
        "sql_problem": "the command doesn't print it",
    }
    idle = request["state"] == "current" or (known and before == target)
    return {
        "database": "",
        "before": before,
        "unknown": [],
        "heads": target,
        "target": target,
        "steps": [] if idle else [step],
    }


def run(request: dict[str, Any]) -> dict[str, Any]:
    shell(request["command"])
    return {"after": revision(request["current_command"])}
