# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a server does since its environment says so: its worker processes, and how long it waits."""

from __future__ import annotations

import re
import typing as t

Environment = t.Mapping[str, t.Any]

# Which variables each server reads, the strongest first.
_VARIABLES = {"gunicorn": ("GUNICORN_WORKERS", "WEB_CONCURRENCY"), "uvicorn": ("UVICORN_WORKERS", "WEB_CONCURRENCY")}
_COMMAND_VARIABLES = ("WEB_CONCURRENCY",)
_SERVER = re.compile(r"\b(gunicorn|uvicorn)\b")


def told_workers(process: t.Mapping[str, t.Any], environment: Environment) -> int:
    """Return the number that the environment of a process outvotes its C(workers) with; 0 where it says nothing."""
    own = process.get("environment") or {}
    for variable in _variables(process, own, environment):
        # One at a time: each may be a template that only the application's own role can work out.
        value = str(own[variable] if variable in own else environment.get(variable, "")).strip()
        if re.fullmatch(r"0*[1-9]\d*", value):
            return int(value)
        if value:
            raise ValueError(
                f"app_processes[{process['name']}] is told {variable}={value} by its environment: set it to a number from 1"
            )
    return 0


def told_seconds(process: t.Mapping[str, t.Any], environment: Environment, variable: str) -> int | None:
    """Return the seconds that a variable sets for gunicorn; None where it says nothing."""
    if not process["module"] or process["server"] != "gunicorn":
        return None
    own = process.get("environment") or {}
    value = str(own[variable] if variable in own else environment.get(variable, "")).strip()
    if not value:
        return None
    if not value.isdecimal():
        raise ValueError(
            f"app_processes[{process['name']}] is told {variable}={value} by its environment: set it to a number of seconds"
        )
    return int(value)


def _variables(process: t.Mapping[str, t.Any], own: Environment, environment: Environment) -> tuple[str, ...]:
    if process["exclusive"]:
        return ()
    if process["command"]:
        # What its workers are is for the arithmetic alone, so it is the user's last word.
        reads = _SERVER.search(process["command"]) and not process.get("workers")
        return _COMMAND_VARIABLES if reads else ()
    if process["server"] == "uvicorn" and process.get("workers"):
        # They stand on its command line, unless this variable is there.
        return _VARIABLES["uvicorn"] if "WEB_CONCURRENCY" in own or "WEB_CONCURRENCY" in environment else ()
    return _VARIABLES[process["server"]]
