# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A database or a Redis that is needed is somewhere."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.slipway.stack.plugins.module_utils._processes import plan
from ansible_collections.slipway.stack.plugins.plugin_utils._preflight_services import NEEDS, service_problems

CELERY = {"name": "worker", "command": "celery -A app.tasks worker"}
URL = {"CELERY_BROKER_URL": "amqp://mq"}


def judge(
    process: dict[str, t.Any], values: dict[str, t.Any], groups: tuple[str, ...] = (), given: tuple[str, ...] = ()
) -> list[str]:
    everything = {name: values.get(name) for name in NEEDS}
    return service_problems(plan([process], "shop", 8000), everything, groups, {*values, *given})


@pytest.mark.parametrize(
    ("process", "values", "wish", "group", "url"),
    [
        (CELERY, {}, "app_processes[worker] runs Celery", "redis", "app_redis_url"),
        ({"name": "job", "command": "job"}, {"app_redis": ["queue"]}, "app_redis is set", "redis", "app_redis_url"),
        (
            {"name": "job", "command": "job"},
            {"app_migrate": "alembic"},
            "app_migrate is alembic",
            "postgres",
            "app_database_url",
        ),
    ],
)
def test_a_service_that_is_nowhere_is_refused(
    process: dict[str, t.Any], values: dict[str, t.Any], wish: str, group: str, url: str
) -> None:
    (problem,) = judge(process, values)
    assert problem.startswith(wish)
    assert f"name a host under {group} in the inventory, or set {url}" in problem
    assert not judge(process, values, groups=(group,))
    assert not judge(process, values, given=(url,))


@pytest.mark.parametrize(
    ("process", "values"),
    [
        ({"name": "job", "command": "python job.py"}, {}),
        ({"name": "job", "command": "job"}, {"app_migrate": "command"}),
        ({"name": "job", "command": "job"}, {"app_migrate": "alembic", "app_secrets": {"DATABASE_URL": "x"}}),
        (CELERY, {"app_environment": URL}),
        ({**CELERY, "environment": URL}, {}),
    ],
)
def test_what_may_do_without_or_has_it_from_elsewhere_is_let_through(
    process: dict[str, t.Any], values: dict[str, t.Any]
) -> None:
    assert not judge(process, values)


def test_each_service_is_named_once() -> None:
    assert len(judge(CELERY, {"app_redis_password": "x", "app_migrate": "django"})) == 2
