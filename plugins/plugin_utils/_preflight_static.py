# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether static files have a place at the proxy."""

from __future__ import annotations

import typing as t

Entries = t.Sequence[t.Mapping[str, t.Any]]


def hides_the_application(static: Entries, routes: Entries) -> bool:
    """Whether files stand for every path, and no route leads past them to a process."""
    return not routes and any(entry["path"] == "/" for entry in static)


def static_problems(static: Entries, routes: Entries) -> list[str]:
    """Return one sentence for each entry of app_static that proxies couldn't serve as it is meant."""
    problems = []
    taken = {str(route.get("path")) for route in routes if route.get("match", "prefix") == "prefix"}
    for entry in static:
        path, directory = str(entry["path"]), str(entry["directory"])
        if not (path.startswith("/") and path.endswith("/")):
            problems.append(f"app_static has the path '{path}': write it with a '/' at its beginning and at its end.")
        if directory.startswith("/") or not directory.strip("/"):
            problems.append(
                f"app_static[{path}].directory is '{directory}': give a folder of the source, such as frontend/dist."
            )
        if path in taken:
            problems.append(f"app_static[{path}] is in app_static or nginx_routes already: leave one of them.")
        taken.add(path)
    return problems
