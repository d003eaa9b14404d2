# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which variables of the environment servers start their workers by."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ansible_collections.slipway.stack.plugins.module_utils._told_workers import told_workers

PROCESS = {"name": "web", "module": "a:b", "command": "", "server": "gunicorn", "environment": {}, "exclusive": False}
UVICORN = {"server": "uvicorn"}
COMMAND = {"module": "", "command": "gunicorn a:b"}


@pytest.mark.parametrize(
    ("process", "environment", "expected"),
    [
        ({}, {}, 0),
        ({}, {"WEB_CONCURRENCY": 3}, 3),
        ({}, {"WEB_CONCURRENCY": ""}, 0),
        ({}, {"WEB_CONCURRENCY": 3, "GUNICORN_WORKERS": "5"}, 5),
        ({"workers": 2}, {"WEB_CONCURRENCY": 3}, 3),
        ({"environment": {"WEB_CONCURRENCY": 2}}, {"WEB_CONCURRENCY": 3}, 2),
        ({"exclusive": True}, {"WEB_CONCURRENCY": 3}, 0),
        (UVICORN, {"WEB_CONCURRENCY": 3, "GUNICORN_WORKERS": 5}, 3),
        (UVICORN, {"WEB_CONCURRENCY": 3, "UVICORN_WORKERS": 4}, 4),
        (UVICORN | {"workers": 2}, {"UVICORN_WORKERS": 4}, 0),
        (UVICORN | {"workers": 2}, {"WEB_CONCURRENCY": 3}, 3),
        (COMMAND, {"WEB_CONCURRENCY": 3}, 3),
        (COMMAND, {"GUNICORN_WORKERS": 3}, 0),
        (COMMAND | {"workers": 2}, {"WEB_CONCURRENCY": 3}, 0),
        ({"module": "", "command": "node server.js"}, {"WEB_CONCURRENCY": 3}, 0),
    ],
)
def test_the_strongest_variable_counts(
    process: dict[str, object], environment: dict[str, object], expected: int
) -> None:
    assert told_workers({**PROCESS, **process}, environment) == expected


@pytest.mark.parametrize("value", ["many", "0", "-1", "2.5"])
def test_what_is_no_number_of_workers_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match=rf"app_processes\[web\] is told WEB_CONCURRENCY={value} .* number from 1"):
        told_workers(PROCESS, {"WEB_CONCURRENCY": value})


class Templates(dict[str, object]):
    """An environment of which most can't be worked out here."""

    def get(self, name: str, default: object = None) -> object:
        if name == "DATABASE":
            raise AssertionError(f"{name} was asked for")
        return super().get(name, default)

    def __iter__(self) -> Iterator[str]:
        raise AssertionError("all of it was asked for")


def test_nothing_else_of_the_environment_is_worked_out() -> None:
    environment = Templates(DATABASE="{{ unknown }}", WEB_CONCURRENCY=3)
    assert told_workers(PROCESS, environment) == 3
    assert told_workers(PROCESS | UVICORN | {"workers": 2}, environment) == 3
