# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Static files that proxies can serve, and those that they can't."""

from __future__ import annotations

import pytest

from ansible_collections.slipway.stack.plugins.plugin_utils._preflight_static import (
    hides_the_application,
    static_problems,
)

FRONT = {"path": "/", "directory": "frontend/dist"}


@pytest.mark.parametrize("directory", ["frontend/dist", "static/", "../front/dist"])
def test_folders_of_the_source_are_served(directory: str) -> None:
    assert static_problems([{"path": "/a/", "directory": directory}, FRONT], [{"path": "/a"}]) == []


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({**FRONT, "path": "assets/"}, "write it with a '/' at its beginning and at its end"),
        ({**FRONT, "path": "/assets"}, "write it with a '/' at its beginning and at its end"),
        ({**FRONT, "directory": "/srv/web"}, "give a folder of the source"),
        ({**FRONT, "directory": ""}, "give a folder of the source"),
        ({**FRONT, "path": "/api/"}, "app_static[/api/] is in app_static or nginx_routes already"),
    ],
)
def test_what_has_no_place_is_refused(entry: dict[str, str], said: str) -> None:
    problems = static_problems([entry], [{"path": "/api/"}, {"path": "/", "match": "exact"}])
    assert len(problems) == 1
    assert said in problems[0]


def test_two_entries_of_one_path_are_refused() -> None:
    assert len(static_problems([FRONT, FRONT], [])) == 1


def test_a_front_end_for_every_path_hides_an_application_without_routes() -> None:
    assert hides_the_application([FRONT], [])
    assert not hides_the_application([FRONT], [{"path": "/api/"}])
    assert not hides_the_application([{**FRONT, "path": "/front/"}], [])
