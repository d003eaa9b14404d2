# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judge whether the database and Redis that an application needs are anywhere."""

from __future__ import annotations

import re
import typing as t

# Which variables say that a service is wanted, and which names a managed one in place of the group's host.
SERVICES = {
    "postgres": (("app_database_password",), "app_database_url"),
    "redis": (("app_redis",), "app_redis_url"),
}
NEEDS = ("app_database_password", "app_redis", "app_migrate", "app_environment", "app_secrets")
_CELERY = re.compile(r"(^|[\s/])celery\s")
# With one of these in its environment, the application has the service from elsewhere.
_ELSEWHERE = {"postgres": {"DATABASE_URL"}, "redis": {"CELERY_BROKER_URL", "REDIS_URL"}}


def _wishes(
    processes: t.Iterable[t.Mapping[str, t.Any]], values: t.Mapping[str, t.Any], given: t.Collection[str]
) -> t.Iterator[tuple[str, str]]:
    """Yield each group that is needed, and what needs it."""
    for group, (names, _url) in SERVICES.items():
        for name in names:
            if name in given and values[name]:
                yield group, f"{name} is set"
    environment = {*(values["app_environment"] or {}), *(values["app_secrets"] or {})}
    if values["app_migrate"] not in (None, "", "command") and not environment & _ELSEWHERE["postgres"]:
        yield "postgres", f"app_migrate is {values['app_migrate']}"
    for process in processes:
        named = environment.union(process["environment"])
        if _CELERY.search(process["command"]) and not named & _ELSEWHERE["redis"]:
            yield "redis", f"app_processes[{process['name']}] runs Celery"


def service_problems(
    processes: t.Sequence[t.Mapping[str, t.Any]],
    values: t.Mapping[str, t.Any],
    groups: t.Collection[str],
    given: t.Collection[str],
) -> list[str]:
    """Refuse what needs a service of which there is none; once for each service."""
    problems: dict[str, str] = {}
    for group, wish in _wishes(processes, values, given):
        url = SERVICES[group][1]
        if group not in groups and url not in given:
            problems.setdefault(
                group,
                f"{wish}, but the group {group} has no hosts: name a host under {group} in the inventory, or set {url} "
                "for a managed service.",
            )
    return list(problems.values())
