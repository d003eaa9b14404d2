# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Say what it costs to replace the workers of an ASGI application after so many requests."""

from __future__ import annotations

import re
import typing as t

_ASGI = re.compile(r"uvicorn|asgi", re.IGNORECASE)


def recycling_note(process: t.Mapping[str, t.Any], environment: t.Mapping[str, t.Any]) -> str | None:
    """Return the note for a process whose server says that an ASGI worker ends after some requests; None for others."""
    if not process["module"] or process["command"]:
        return None
    told = {**environment, **(process["environment"] or {})}
    is_gunicorn = process["server"] == "gunicorn"
    variable = "GUNICORN_MAX_REQUESTS" if is_gunicorn else "UVICORN_LIMIT_MAX_REQUESTS"
    name, value = (variable, told[variable]) if variable in told else ("max_requests", process["max_requests"])
    worker_class = str(told.get("GUNICORN_WORKER_CLASS", process["worker_class"]))
    requests = int(value) if str(value).isdecimal() else 0
    if not requests or (is_gunicorn and not _ASGI.search(worker_class)):
        return None
    begin = f"app_processes[{process['name']}] replaces each worker after about {requests} requests ({name})"
    if not is_gunicorn and int(process.get("told_workers") or process.get("workers") or 1) == 1:
        return (
            f"{begin}, and uvicorn's only worker is the process itself: its requests fail each time until systemd has "
            f"started it again, after more than 2 s. Set {name} to 0, unless it leaks memory, or set workers to at least 2."
        )
    return (
        f"{begin}, which with ASGI workers may cost a POST each time, so up to one request in {requests} fails, and "
        f"closes the worker's WebSockets. Set {name} to 0, unless it leaks memory: gunicorn's sync and gthread workers lose none."
    )
