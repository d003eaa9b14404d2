# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What counts as being as wanted on a PostgreSQL server."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

import pytest

from ansible_collections.slipway.stack.plugins.module_utils._errors import StackError
from ansible_collections.slipway.stack.plugins.module_utils._postgres import (
    EXTENSIONS,
    database_is_settled,
    gather,
    psql,
    user_is_settled,
)

PASSWORD = "s%op p@ss'w\"ord"


def verifier_of(password: str) -> str:
    """As PostgreSQL would store it."""
    salt = b"0123456789abcdef"
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, 4096)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    salt_text, stored_text, server_text = (base64.b64encode(each).decode() for each in (salt, stored, server))
    return f"SCRAM-SHA-256$4096:{salt_text}${stored_text}:{server_text}"


def user(**wanted: Any) -> dict[str, Any]:
    return {"name": "shop", "password": None, "attributes": None, "roles": None, "settings": None, **wanted}


def held_user(**held: Any) -> dict[str, Any]:
    attributes = {"CREATEDB": False, "CREATEROLE": False, "INHERIT": True, "LOGIN": True}
    return {"verifier": verifier_of(PASSWORD), "attributes": attributes, "roles": [], "settings": [], **held}


def database(**wanted: Any) -> dict[str, Any]:
    wanted = {"encoding": "UTF8", "locale": None, "extensions": None, "writers": None, **wanted}
    return {"name": "shop", "owner": "shop", **wanted}


HELD_DATABASE = {"owner": "shop", "encoding": "UTF8", "locales": ["C.UTF-8", "C.UTF-8"]}


def test_a_verifier_that_postgresql_made_fits_its_password() -> None:
    # From RFC 7677: user "user", password "pencil".
    verifier = (
        "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$"
        "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
    )
    assert user_is_settled(user(password="pencil"), held_user(verifier=verifier))
    assert not user_is_settled(user(password="Pencil"), held_user(verifier=verifier))


@pytest.mark.parametrize(
    "wanted",
    [
        {},
        {"password": PASSWORD},
        {"attributes": ["LOGIN", "NOCREATEDB", "INHERIT"]},
        {"settings": {}},
    ],
)
def test_a_user_as_wanted_is_settled(wanted: dict[str, Any]) -> None:
    assert user_is_settled(user(**wanted), held_user())


@pytest.mark.parametrize(
    ("wanted", "held"),
    [
        ({"password": PASSWORD + "x"}, {}),
        ({"password": PASSWORD}, {"verifier": None}),
        ({"password": PASSWORD}, {"verifier": "md5" + 32 * "0"}),
        ({"password": "pässword"}, {"verifier": verifier_of("pässword")}),
        ({"attributes": ["CREATEDB"]}, {}),
        ({"attributes": ["NOLOGIN"]}, {}),
        ({"attributes": ["SUPERUSER"]}, {}),
        ({"settings": {"statement_timeout": "30s"}}, {"settings": ["statement_timeout=5s"]}),
        ({"settings": {}}, {"settings": ["statement_timeout=5s"]}),
    ],
)
def test_whatever_differs_or_cannot_be_compared_is_not_settled(wanted: dict[str, Any], held: dict[str, Any]) -> None:
    assert not user_is_settled(user(**wanted), held_user(**held))


def test_settings_are_compared_as_postgresql_writes_them() -> None:
    held = held_user(settings=["statement_timeout=30", "search_path=a=b"])
    assert user_is_settled(user(settings={"statement_timeout": 30, "search_path": "a=b"}), held)


def test_a_database_needs_its_owner_its_encoding_and_the_locale_that_was_named() -> None:
    assert database_is_settled(database(), HELD_DATABASE)
    assert database_is_settled(database(locale="C.UTF-8"), HELD_DATABASE)
    for wanted in ({"owner": "blog"}, {"encoding": "LATIN1"}, {"locale": "de_DE.UTF-8"}):
        assert not database_is_settled(database(**wanted), HELD_DATABASE)
    assert not database_is_settled(database(), None)


def test_each_database_is_asked_for_its_own_extensions() -> None:
    asked = []

    def query(name: str, statement: str) -> Any:
        if statement == EXTENSIONS:
            asked.append(name)
            return ["plpgsql", "pg_trgm"]
        if "'\"shop\"'::regrole" in statement:
            return "'\"report\"'::regrole" in statement
        return {
            "pending": [],
            "databases": {"shop": HELD_DATABASE},
            "users": {"shop": held_user(roles=["pg_monitor"]), "report": held_user()},
        }

    users = [user(roles=["pg_monitor"]), user(name="report", roles=["pg_monitor"]), user(name="blog")]
    databases = [
        database(extensions=["pg_trgm", "vector"], writers=["shop", "report"]),
        database(name="blog", extensions=["vector"], writers=["shop"]),
        database(name="new"),
    ]
    facts = gather(query, users, databases)
    assert asked == ["shop"]
    assert facts["unsettled"] == {
        "users": ["blog"],
        "members": ["report"],
        "databases": ["blog", "new"],
        "extensions": [{"database": "shop", "name": "vector"}, {"database": "blog", "name": "vector"}],
        "writers": [
            {"database": "shop", "owner": "shop", "writer": "report"},
            {"database": "blog", "owner": "shop", "writer": "shop"},
        ],
    }


def test_a_server_that_does_not_answer_says_why() -> None:
    with pytest.raises(StackError, match="could not be asked: no such socket"):
        psql(lambda _words: (2, "", "no such socket\n"))("postgres", "SELECT 1")
    assert psql(lambda _words: (0, json.dumps(["a"]), ""))("postgres", "SELECT 1") == ["a"]
