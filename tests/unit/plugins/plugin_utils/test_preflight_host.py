# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host may refuse."""

from __future__ import annotations

import pytest

from ansible_collections.slipway.stack.plugins.plugin_utils import _preflight_host as host

OTHERS = {"blog": {"ports": [8000, 8050], "root": "/srv/blog"}, "shop": {"ports": [8100], "root": "/srv/shop"}}


@pytest.mark.parametrize(
    ("name", "version", "fits"), [("Debian", "12", True), ("Debian", "11", False), ("CentOS", "9", False)]
)
def test_only_what_was_tried_is_supported(name: str, version: str, fits: bool) -> None:
    problem = host.distribution_problem(name, version)
    assert (problem is None) is fits
    assert fits or "Debian 12, Debian 13" in (problem or "")


def test_a_port_of_another_application_is_refused() -> None:
    problems = host.application_problems("shop", "/srv/shop", "shop", {8000, 8100}, OTHERS, [])
    assert len(problems) == 1
    assert "port 8000" in problems[0]
    assert "application blog" in problems[0]
    assert "set app_port" in problems[0]


def test_a_port_on_which_something_else_listens_is_refused() -> None:
    listening = [{"port": 8100, "unit": "shop-web@blue.service"}, {"port": 8150, "unit": "cups.service"}]
    problems = host.application_problems("shop", "/srv/shop", "shop", {8100, 8150}, OTHERS, listening)
    assert problems == [
        "app_port leads to port 8150, on which cups.service listens already: set app_port to the start of a range of 100 "
        "that nobody has."
    ]


def test_the_name_of_another_application_is_refused() -> None:
    assert "app_name is shop" in host.application_problems("shop", "/opt/shop", "shop", {8100}, OTHERS, [])[0]


def test_the_user_of_another_application_is_refused() -> None:
    others = {"blog": {"user": "www", "ports": []}, "shop": {"user": "www", "ports": [], "root": "/srv/shop"}}
    assert host.application_problems("shop", "/srv/shop", "www", set(), others, []) == [
        "app_user is www, who runs the application blog on this host: set it to a user of its own."
    ]
    assert host.application_problems("shop", "/srv/shop", "shop", set(), others, []) == []


def test_the_domain_of_another_site_is_refused() -> None:
    sites = {"blog": ["blog.example", "www.shop.example"], "shop": ["shop.example"]}
    assert host.domain_problems("shop", ["shop.example", "*.blog.example"], sites) == []
    assert host.domain_problems("shop", ["shop.example", "WWW.Shop.example"], sites) == [
        "app_domain or app_aliases holds www.shop.example, which the site blog on this host has already: leave it to one of "
        "them."
    ]


def test_a_full_disk_names_the_folder() -> None:
    assert host.disk_problem("/srv/shop", 5000) is None
    assert "/srv/shop has 100 MB" in (host.disk_problem("/srv/shop", 100) or "")


@pytest.mark.parametrize(
    ("wanted", "probe", "download", "fits"),
    [
        ("", {"system": "3.11", "installed": True, "candidate": False}, False, True),
        ("3.12", {"system": "3.11", "installed": False, "candidate": False}, False, False),
        ("3.12", {"system": "3.11", "installed": False, "candidate": True}, False, True),
        ("3.12", {"system": "3.11", "installed": False, "candidate": False}, True, True),
    ],
)
def test_an_interpreter_must_be_had(wanted: str, probe: dict[str, object], download: bool, fits: bool) -> None:
    problem = host.python_problem(wanted, probe, download)
    assert (problem is None) is fits
    assert fits or "set app_python to 3.11" in (problem or "")
