# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is said of workers that are replaced after so many requests."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.slipway.stack.plugins.module_utils._processes import plan
from ansible_collections.slipway.stack.plugins.plugin_utils._preflight_recycling import recycling_note

WEB = {"name": "web", "module": "a:b"}
UVICORN = {"server": "uvicorn", "max_requests": 500}


def note(changes: dict[str, Any], environment: dict[str, Any] | None = None) -> str | None:
    told = environment or {}
    return recycling_note(plan([WEB | changes], "shop", 8000, told)[0], told)


@pytest.mark.parametrize(
    ("changes", "environment"),
    [
        ({}, {}),
        ({"max_requests": 1000, "worker_class": "gthread"}, {}),
        ({"max_requests": 1000}, {"GUNICORN_MAX_REQUESTS": "0"}),
        ({"max_requests": 1000}, {"GUNICORN_WORKER_CLASS": "sync"}),
        ({"module": "", "command": "gunicorn a:b", "routed": True, "max_requests": 1000}, {}),
        (UVICORN, {"UVICORN_LIMIT_MAX_REQUESTS": 0}),
    ],
)
def test_what_replaces_no_asgi_worker_costs_nothing(changes: dict[str, Any], environment: dict[str, Any]) -> None:
    assert note(changes, environment) is None


@pytest.mark.parametrize(
    ("changes", "environment", "words"),
    [
        ({"max_requests": 1000}, {}, "after about 1000 requests (max_requests)"),
        ({"max_requests": 1000, "worker_class": "asgi"}, {}, "one request in 1000"),
        (
            {"worker_class": "sync", "max_requests": 9},
            {"GUNICORN_WORKER_CLASS": "uvicorn_worker.UvicornWorker"},
            "in 9 ",
        ),
        ({}, {"GUNICORN_MAX_REQUESTS": "700"}, "after about 700 requests (GUNICORN_MAX_REQUESTS)"),
        ({"environment": {"GUNICORN_MAX_REQUESTS": 50}}, {"GUNICORN_MAX_REQUESTS": 700}, "after about 50 requests"),
        (UVICORN | {"workers": 2}, {}, "one request in 500"),
        (UVICORN, {"WEB_CONCURRENCY": 2}, "one request in 500"),
    ],
)
def test_an_asgi_worker_that_is_replaced_costs_a_request(
    changes: dict[str, Any], environment: dict[str, Any], words: str
) -> None:
    found = note(changes, environment) or ""
    assert words in found
    assert "closes the worker's WebSockets" in found


def test_uvicorns_only_worker_is_missed_until_it_is_back() -> None:
    found = note(UVICORN) or ""
    assert "after about 500 requests (max_requests), and uvicorn's only worker is the process itself" in found
    assert "set workers to at least 2" in found
