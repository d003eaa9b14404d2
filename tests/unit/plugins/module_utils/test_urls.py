# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How URLs of databases and Redis servers are spelled."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

import pytest

from ansible_collections.slipway.stack.plugins.module_utils._urls import database_url, libpq_environment, redis_url

PARTS = {
    "host": "10.0.0.5",
    "port": 5432,
    "name": "shop",
    "user": "shop",
    "password": "p@ss/w%rd:#?",
    "sslmode": "require",
}


@pytest.mark.parametrize(
    ("driver", "tail"),
    [
        ("postgresql", "?sslmode=require"),
        ("postgresql+psycopg", "?sslmode=require"),
        ("postgresql+psycopg2", "?sslmode=require"),
        ("postgresql+asyncpg", "?ssl=require"),
    ],
)
def test_each_driver_gets_its_own_spelling(driver: str, tail: str) -> None:
    url = database_url(PARTS, driver)
    assert url.startswith(f"{driver}://shop:")
    assert url.endswith(f"@10.0.0.5:5432/shop{tail}")


def test_a_password_survives_the_encoding() -> None:
    assert unquote(urlsplit(database_url(PARTS)).password or "") == PARTS["password"]


def test_another_driver_keeps_everything_else() -> None:
    url = database_url(database_url(PARTS, "postgresql+asyncpg"), "postgresql+psycopg")
    assert url == database_url(PARTS, "postgresql+psycopg")


def test_another_port_keeps_everything_else() -> None:
    assert database_url(database_url(PARTS | {"port": 6432}), port=5432) == database_url(PARTS)


def test_parameters_of_a_managed_url_stay() -> None:
    url = database_url("postgres://u:p@db.example.com/x?sslmode=verify-full&application_name=a", "postgresql+asyncpg")
    assert url == "postgresql+asyncpg://u:p@db.example.com/x?application_name=a&ssl=verify-full"


@pytest.mark.parametrize("url", ["shop", "postgresql://u:p/w@host:x/y"])
def test_what_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="database URL"):
        database_url(url)


def test_ipv6_hosts_are_bracketed() -> None:
    assert database_url({"host": "fd00::5", "name": "x"}) == "postgresql://[fd00::5]/x"
    assert redis_url("fd00::5") == "redis://[fd00::5]:6379/0"


def test_a_redis_password_is_encoded() -> None:
    assert redis_url("h", 6380, "a/b", 1) == "redis://:a%2Fb@h:6380/1"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (
            "postgresql+asyncpg://shop:p%40s%3As@10.0.0.5:5433/shop?ssl=require&pool=5",
            {
                "PGHOST": "10.0.0.5",
                "PGPORT": "5433",
                "PGUSER": "shop",
                "PGPASSWORD": "p@s:s",
                "PGDATABASE": "shop",
                "PGSSLMODE": "require",
            },
        ),
        (
            "postgresql://shop@db/shop?sslmode=verify-full&sslrootcert=/ca.pem",
            {
                "PGHOST": "db",
                "PGPORT": "5432",
                "PGUSER": "shop",
                "PGDATABASE": "shop",
                "PGSSLMODE": "verify-full",
                "PGSSLROOTCERT": "/ca.pem",
            },
        ),
        (
            "postgresql://u@db/d?ssl=true",
            {"PGHOST": "db", "PGPORT": "5432", "PGUSER": "u", "PGDATABASE": "d", "PGSSLMODE": "require"},
        ),
    ],
)
def test_libpq_reaches_what_the_driver_does(url, expected):
    assert libpq_environment(url) == expected
