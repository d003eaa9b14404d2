# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judge what a host says of itself: distribution, disk, interpreter, and its other applications."""

from __future__ import annotations

import typing as t

SUPPORTED = {"Debian": ("12", "13")}
MINIMUM_FREE_MB = 2048


def distribution_problem(distribution: str, version: str) -> str | None:
    """Refuse what the collection was never run on."""
    if version in SUPPORTED.get(distribution, ()):
        return None
    wanted = ", ".join(f"{name} {number}" for name, numbers in SUPPORTED.items() for number in numbers)
    return f"the host runs {distribution} {version}, which isn't supported: use a host with one of {wanted}."


def disk_problem(path: str, free_mb: int) -> str | None:
    """Refuse a disk on which two releases and their packages would not fit."""
    if free_mb >= MINIMUM_FREE_MB:
        return None
    return (
        f"{path} has {free_mb} MB free and needs at least {MINIMUM_FREE_MB}: free some space, "
        "lower app_keep_releases, or set app_root to a larger disk."
    )


def python_problem(wanted: str, probe: t.Mapping[str, t.Any], download: bool) -> str | None:
    """Refuse an interpreter that the host can't supply."""
    if not wanted or download or probe["installed"] or probe["candidate"]:
        return None
    return (
        f"app_python is {wanted}, which the host neither has nor finds among its packages (it has {probe['system']}): "
        f"set app_python to {probe['system']}, install python{wanted}, or set app_python_download to true so that uv fetches it."
    )


def application_problems(
    app_name: str,
    app_root: str,
    app_user: str,
    ports: t.Collection[int],
    applications: t.Mapping[str, t.Mapping[str, t.Any]],
    listening: t.Sequence[t.Mapping[str, t.Any]],
) -> list[str]:
    """Refuse a port, a user or a name that another application on the host has."""
    problems = []
    mend = "set app_port to the start of a range of 100 that nobody has."
    taken = {int(port): name for name, other in applications.items() for port in other.get("ports", [])}
    for name, other in applications.items():
        shared = sorted(set(ports) & {int(port) for port in other.get("ports", [])})
        if name != app_name and shared:
            problems.append(
                f"app_port leads to port {shared[0]}, which belongs to the application {name} on this host: {mend}"
            )
        if name != app_name and other.get("user") == app_user:
            problems.append(
                f"app_user is {app_user}, who runs the application {name} on this host: set it to a user of its own."
            )
        if name == app_name and other.get("root", app_root) != app_root:
            problems.append(
                f"app_name is {app_name}, which is already an application of this host at {other['root']}: choose "
                "another app_name, or set app_root to that folder."
            )
    for socket in listening:
        owner, port = str(socket["unit"]), int(socket["port"])
        if port in ports and port not in taken and not owner.startswith(f"{app_name}-"):
            problems.append(
                f"app_port leads to port {port}, on which {owner or 'another program'} listens already: {mend}"
            )
    return problems


def domain_problems(site: str, names: t.Collection[str], sites: t.Mapping[str, t.Sequence[str]]) -> list[str]:
    """Refuse a host name that another site of the proxy has: nginx would go on with one of them, and only warn."""
    return [
        f"app_domain or app_aliases holds {name}, which the site {other} on this host has already: leave it to one of them."
        for other, taken in sites.items()
        for name in sorted({name.lower() for name in names} & set(taken))
        if other != site
    ]
