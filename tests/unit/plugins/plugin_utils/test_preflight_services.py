# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which services an application certainly needs."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.slipway.stack.plugins.plugin_utils._preflight_services import database_problem, redis_problem

CELERY = "celery -A app.tasks:celery worker --concurrency 2"


def redis(
    *,
    command: str = "python -m app.worker",
    own: tuple[str, ...] = (),
    wanted: Any = None,
    password: str = "",
    told: tuple[str, ...] = (),
    has_files: bool = False,
) -> str | None:
    process = {"name": "worker", "command": command, "environment": dict.fromkeys(own, "x")}
    return redis_problem(wanted, password, [process], told, has_files)


@pytest.mark.parametrize(
    ("application", "reason"),
    [
        ({"wanted": ["cache"]}, "app_redis is set"),
        ({"password": "secret"}, "app_redis_password is set"),
        ({"command": CELERY}, "app_processes[worker] runs celery"),
        ({"command": "exec /opt/x/bin/celery -A app worker"}, "app_processes[worker] runs celery"),
        ({"command": "rq worker", "told": ("DATABASE_URL",)}, "app_processes[worker] runs rq"),
    ],
)
def test_what_certainly_needs_redis_is_refused_without_it(application: dict[str, Any], reason: str) -> None:
    problem = redis(**application) or ""
    assert problem.startswith(f"{reason}")
    assert "name a host under redis in the inventory, set app_redis_url for a managed service" in problem


@pytest.mark.parametrize(
    "application",
    [
        {},
        {"command": "python -m celery_free"},
        {"command": CELERY, "wanted": []},
        {"password": "secret", "wanted": []},
        {"command": f"{CELERY} -b amqp://queue/"},
        {"command": CELERY, "told": ("CELERY_BROKER_URL",)},
        {"command": CELERY, "own": ("REDIS_HOST",)},
        {"command": CELERY, "has_files": True},
    ],
)
def test_what_may_need_none_passes(application: dict[str, Any]) -> None:
    assert redis(**application) is None


@pytest.mark.parametrize(
    ("password", "migrate", "reason"),
    [("secret", "", "app_database_password is set"), ("", "alembic", "app_migrate is alembic")],
)
def test_what_certainly_needs_a_database_is_refused_without_it(password: str, migrate: str, reason: str) -> None:
    problem = database_problem(password, migrate, ("SECRET_KEY",), has_files=False) or ""
    assert problem.startswith(f"{reason}, but the group postgres has no hosts")
    assert "set app_database_url" in problem


@pytest.mark.parametrize(
    ("migrate", "told", "has_files"),
    [
        ("", (), False),
        ("command", (), False),
        ("django", ("DB_HOST",), False),
        ("alembic", ("PGHOST",), False),
        ("flask", (), True),
    ],
)
def test_a_database_that_the_application_may_know_by_itself_passes(
    migrate: str, told: tuple[str, ...], has_files: bool
) -> None:
    assert database_problem("", migrate, told, has_files) is None
