# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judge whether a PostgreSQL server allows what all of its applications may open together."""

from __future__ import annotations

import typing as t

from ansible_collections.slipway.stack.plugins.plugin_utils._preflight_capacity import connection_problem, explain_sum

# Debian's packages give the first cluster of a host this one, and the role keeps it.
SERVER_PORT = 5432
Needs = t.Mapping[str, t.Mapping[str, t.Any]]


def connections_of(needs: Needs) -> int:
    """Sum the connections that applications left as their needs."""
    return sum(int(each.get("connections", 0)) for each in needs.values())


def limits_of(needs: Needs) -> dict[str, int]:
    """Return the limits that take the place of the sum, each under the name of its variable; the strongest alone."""
    settings = [int((each.get("settings") or {}).get("max_connections") or 0) for each in needs.values()]
    explicit = [int(each.get("max_connections") or 0) for each in needs.values()]
    if any(settings):
        return {"postgres_settings.max_connections": max(settings)}
    return {"postgres_max_connections": max(explicit)} if any(explicit) else {}


def limit_problems(demand: t.Mapping[str, t.Any], own: t.Mapping[str, t.Any], others: Needs) -> list[str]:
    """Compare the limits that any application sets with what all of them need."""
    limits = limits_of({"": own, **others})
    problems = [connection_problem(demand, limit, name, connections_of(others)) for name, limit in limits.items()]
    return [problem for problem in problems if problem]


def running_shortage(demand: t.Mapping[str, t.Any], allowed: int, others: Needs) -> str | None:
    """Say by how much the running server allows less than may be open at once; None where it doesn't or isn't known."""
    beside = connections_of(others)
    needed = int(demand["total"]) + beside
    if not allowed or needed <= allowed:
        return None
    return (
        f"PostgreSQL on this host allows {allowed} connections until it is restarted, but {needed} may be open at once "
        f"({explain_sum(demand, beside)})"
    )


def deaf_problem(wanted: t.Collection[str], listened: str, mend: str) -> str | None:
    """Say that other hosts couldn't reach the running server before a restart; None where they can, or where none runs."""
    there = {address.strip() for address in listened.split(",")}
    deaf = sorted(set(wanted) - there - {"localhost"})
    if not listened or "*" in there or not deaf:
        return None
    return (
        f"PostgreSQL on this host listens on {listened} until it is restarted, and other hosts are to reach it at "
        f"{', '.join(deaf)}: run {mend} when a short interruption is acceptable."
    )


def port_problem(port: int) -> str | None:
    """Refuse another port for a server of this collection's, whose packages leave it on its own."""
    if port == SERVER_PORT:
        return None
    return (
        f"app_database_port is {port}, but the servers in the group postgres listen on {SERVER_PORT}: leave it out, or take "
        "the host out of the group and set app_database_url."
    )


def cluster_problem(version: str, clusters: t.Mapping[str, int]) -> str | None:
    """Refuse to make a server beside another cluster that has its port, and maybe the application's data."""
    there = sorted(name for name, port in clusters.items() if port == SERVER_PORT and name != f"{version}/main")
    if not there:
        return None
    found, name = there[0].split("/", 1)
    mend = "give it another port"
    if name == "main":
        mend = f"set postgres_version to \"{found}\" to keep it, or move its data with 'pg_upgradecluster -v {version} {found} main'"
    return (
        f"the PostgreSQL cluster {there[0]} of this host has port {SERVER_PORT}, and {version}/main would be made beside it, "
        f"without its data: {mend}."
    )


def name_problems(databases: t.Collection[str], users: t.Collection[str], others: Needs) -> list[str]:
    """Refuse the name of a database or of a user that another application on the server has."""
    wishes = {"databases": ("database", "app_database_name", databases), "users": ("user", "app_database_user", users)}
    return [
        f"{name} is already a {kind} of the application {other} on this PostgreSQL server: set {variable} to another."
        for other, needs in others.items()
        for key, (kind, variable, names) in wishes.items()
        for name in sorted(set(names) & set(needs.get(key, [])))
    ]
