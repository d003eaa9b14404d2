# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of who gets how much."""

from __future__ import annotations

from ansible_collections.slipway.stack.plugins.plugin_utils._preflight_table import DatabaseUse, HostUse, capacity_table

WEB = HostUse(
    "web1", 4096, [("system", 256, 256), ("web", 600, 1200), ("beat", 150, 150)], {"web": (60, 120), "beat": (2, 2)}
)
DATA = HostUse("db", 16384, [("system", 256, 256), ("postgres", 4450.4, 4750)], {})


def test_each_host_has_a_line_for_each_part_and_one_for_the_sum() -> None:
    assert capacity_table([WEB, DATA], None) == [
        "web1             MB  two slots  connections  two slots",
        "  system        256        256",
        "  web           600       1200           60        120",
        "  beat          150        150            2          2",
        "  of 4096 MB   1006       1606           62        122",
        "db               MB  two slots  connections  two slots",
        "  system        256        256",
        "  postgres     4450       4750",
        "  of 16384 MB  4706       5006",
    ]


def test_the_database_comes_last() -> None:
    database = DatabaseUse("PostgreSQL on db", 92, 152, 10, 20, 152)
    assert capacity_table([], database) == [
        "PostgreSQL on db: 92 connections, 152 while two slots run (10 of them in reserve, 20 for other applications); it is "
        "to allow 152."
    ]


def test_what_a_managed_database_allows_may_be_unknown() -> None:
    (line,) = capacity_table([], DatabaseUse("the managed database", 72, 132, 10, 0, 0))
    assert line.endswith("it is to allow an unknown number, since app_database_max_connections isn't set.")
