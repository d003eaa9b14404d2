# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judge whether the services that an application certainly needs are there."""

from __future__ import annotations

import re
import typing as t

Process = t.Mapping[str, t.Any]

# Workers of these ask Redis for their jobs, unless they are told of another broker.
_QUEUE_WORKER = re.compile(r"(?:^|[\s/;&|(])(celery|rq|arq)\s")
_OTHER_BROKER = re.compile(r"\s(?:-b|--broker)[\s=]")
_NAMES_A_BROKER = re.compile(r"BROKER|REDIS|AMQP|RABBIT|SQS")
_NAMES_A_DATABASE = re.compile(r"DATABASE|DB|SQL|^PG|POSTGRES")


def redis_problem(
    wanted: t.Any, password: str, processes: t.Sequence[Process], told: t.Collection[str], has_files: bool
) -> str | None:
    """Refuse what needs Redis where there is none: C(wanted) is what the inventory says of app_redis, None for nothing.

    C(told) are the names of the variables that the application is told; with C(has_files) it is told more.
    """
    if wanted is not None:
        reason = "app_redis is set" if wanted else ""
    elif password:
        reason = "app_redis_password is set"
    else:
        reason = "" if has_files else _queue_worker(processes, told)
    if not reason:
        return None
    return (
        f"{reason}, but the group redis has no hosts: name a host under redis in the inventory, set app_redis_url for a managed "
        "service, or set app_redis to [] where the application needs no Redis."
    )


def _queue_worker(processes: t.Sequence[Process], told: t.Collection[str]) -> str:
    for process in processes:
        tool = _QUEUE_WORKER.search(process["command"])
        names = [*told, *(process["environment"] or {})]
        if tool and not _OTHER_BROKER.search(process["command"]) and not any(map(_NAMES_A_BROKER.search, names)):
            return f"app_processes[{process['name']}] runs {tool[1]}, which gets its jobs from Redis"
    return ""


def database_problem(password: str, migrate: str, told: t.Collection[str], has_files: bool) -> str | None:
    """Refuse what needs a database where there is none."""
    if password:
        reason = "app_database_password is set"
    elif migrate not in ("", "command") and not has_files and not any(map(_NAMES_A_DATABASE.search, told)):
        reason = f"app_migrate is {migrate}"
    else:
        return None
    return (
        f"{reason}, but the group postgres has no hosts: name a host under postgres in the inventory, or set "
        "app_database_url to that of a managed service or of another database."
    )
