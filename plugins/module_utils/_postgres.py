# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module utility is private to slipway.stack: it may change in any release.
"""What a PostgreSQL server holds, and what of it isn't as wanted.

Where this can't tell, it says that something isn't as wanted: whoever changes it looks again.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ansible_collections.slipway.stack.plugins.module_utils._errors import StackError

Query = Callable[[str, str], Any]
Run = Callable[[list[str]], tuple[int, str, str]]

MAINTENANCE_DATABASE = "postgres"
# A look at the server shows up neither in PostgreSQL's log nor in pg_stat_statements.
QUIET_ENVIRONMENT = {
    "PGCLIENTENCODING": "UTF8",
    "PGOPTIONS": "-c log_min_duration_statement=-1 -c log_statement=none -c pg_stat_statements.track=none",
}
ALLOWS = """
SELECT json_build_object(
    'max_connections', current_setting('max_connections')::int,
    'listen_addresses', current_setting('listen_addresses')
)
"""
EXTENSIONS = "SELECT coalesce(json_agg(extname), '[]') FROM pg_extension"
STATE = """
SELECT json_build_object(
    'pending', ARRAY(
        SELECT settings.name || ' (' || current_setting(settings.name) || ' -> ' || coalesce(wanted.setting, 'default') || ')'
        FROM pg_settings AS settings
        LEFT JOIN (
            SELECT DISTINCT ON (name) name, setting, error
            FROM pg_file_settings
            ORDER BY name, seqno DESC
        ) AS wanted ON wanted.name = settings.name
        WHERE settings.pending_restart OR (settings.context = 'postmaster' AND wanted.error IS NOT NULL)
        ORDER BY settings.name
    ),
    'databases', (
        SELECT json_object_agg(datname, json_build_object(
            'owner', pg_get_userbyid(datdba),
            'encoding', pg_encoding_to_char(encoding),
            'locales', json_build_array(datcollate, datctype)
        ))
        FROM pg_database
    ),
    'users', (
        SELECT json_object_agg(rolname, json_build_object(
            'verifier', rolpassword,
            'attributes', json_build_object(
                'CREATEDB', rolcreatedb, 'CREATEROLE', rolcreaterole, 'INHERIT', rolinherit, 'LOGIN', rolcanlogin
            ),
            'roles', ARRAY(
                SELECT pg_get_userbyid(held.roleid) FROM pg_auth_members AS held WHERE held.member = pg_authid.oid
            ),
            'settings', coalesce((
                SELECT setconfig FROM pg_db_role_setting WHERE setrole = pg_authid.oid AND setdatabase = 0
            ), '{}')
        ))
        FROM pg_authid
    )
)
"""
# Whether a user can't do in a database of another's what writers do, or can do more.
WRITER_LACKS = """
SELECT to_json(
    NOT EXISTS (
        SELECT FROM pg_default_acl, aclexplode(defaclacl) AS granted
        WHERE defaclrole = {owner}::regrole AND grantee = {writer}::regrole AND privilege_type = 'DELETE'
    )
    OR EXISTS (SELECT FROM pg_class WHERE relowner = {writer}::regrole AND relkind IN ('r', 'p', 'v', 'm', 'S', 'f'))
    OR EXISTS (
        SELECT FROM pg_class
        WHERE relowner = {owner}::regrole AND relkind IN ('r', 'p')
            AND NOT has_table_privilege({writer}::regrole, oid, 'DELETE')
    )
    OR has_schema_privilege({writer}::regrole, 'public', 'CREATE')
)
"""
_VERIFIER = re.compile(r"SCRAM-SHA-256\$(\d+):([A-Za-z0-9+/=]+)\$([A-Za-z0-9+/=]+):[A-Za-z0-9+/=]+")
_NEGATION = "NO"


def psql(run: Run) -> Query:
    """Ask a database for one JSON value."""

    def query(database: str, statement: str) -> Any:
        code, out, err = run(["psql", "-XAtq", "--no-password", "-d", database, "-c", statement])
        if code:
            raise StackError(f"PostgreSQL could not be asked: {(err or out).strip()}")
        return json.loads(out)

    return query


def allows(query: Query) -> dict[str, Any]:
    """How many connections the server that runs allows, and where it listens; 0 and nothing where none runs."""
    try:
        return dict(query(MAINTENANCE_DATABASE, ALLOWS))
    except StackError:
        return {"max_connections": 0, "listen_addresses": ""}


def gather(query: Query, users: Iterable[Mapping[str, Any]], databases: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    state = query(MAINTENANCE_DATABASE, STATE)
    known = {name: _extensions(query, name, state) for name in _extended(databases)}
    return {
        "pending": state["pending"],
        "databases": sorted(state["databases"]),
        "users": sorted(state["users"]),
        "unsettled": {
            "users": [user["name"] for user in users if not user_is_settled(user, state["users"].get(user["name"]))],
            "members": [user["name"] for user in users if not _has_roles(user, state["users"].get(user["name"]))],
            "databases": [
                each["name"]
                for each in databases
                if not database_is_settled(each, state["databases"].get(each["name"]))
            ],
            "extensions": [
                {"database": each["name"], "name": extension}
                for each in databases
                for extension in each["extensions"] or []
                if extension not in known[each["name"]]
            ],
            "writers": [
                {"database": each["name"], "owner": each["owner"], "writer": writer}
                for each in databases
                for writer in each["writers"] or []
                if not _may_write(query, each, writer, state)
            ],
        },
    }


def _extended(databases: Iterable[Mapping[str, Any]]) -> list[str]:
    return [each["name"] for each in databases if each["extensions"]]


def _extensions(query: Query, database: str, state: Mapping[str, Any]) -> list[str]:
    return list(query(database, EXTENSIONS)) if database in state["databases"] else []


def _may_write(query: Query, database: Mapping[str, Any], writer: str, state: Mapping[str, Any]) -> bool:
    if database["name"] not in state["databases"] or not {database["owner"], writer} <= set(state["users"]):
        return False
    statement = WRITER_LACKS.format(owner=_role(database["owner"]), writer=_role(writer))
    return not query(database["name"], statement)


def _role(name: str) -> str:
    """The literal that PostgreSQL casts to this role."""
    identifier = name.replace('"', '""')
    return "'" + f'"{identifier}"'.replace("'", "''") + "'"


def user_is_settled(wanted: Mapping[str, Any], held: Mapping[str, Any] | None) -> bool:
    if held is None:
        return False
    return (
        _has_password(wanted["password"], held["verifier"])
        and all(_has_attribute(each, held["attributes"]) for each in wanted["attributes"] or [])
        and _has_settings(wanted["settings"], held["settings"])
    )


def _has_password(password: str | None, verifier: str | None) -> bool:
    """Whether the password is the one that PostgreSQL keeps a verifier of (RFC 5803)."""
    if not password:
        return True
    parts = _VERIFIER.fullmatch(verifier or "")
    # Others are normalised before they are hashed (RFC 4013).
    if not parts or not password.isascii() or not password.isprintable():
        return False
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), base64.b64decode(parts[2]), int(parts[1]))
    client_key = hmac.digest(salted, b"Client Key", "sha256")
    return hmac.compare_digest(hashlib.sha256(client_key).digest(), base64.b64decode(parts[3]))


def _has_attribute(attribute: str, held: Mapping[str, bool]) -> bool:
    if attribute in held:
        return held[attribute]
    return held.get(attribute.removeprefix(_NEGATION)) is False


def _has_settings(wanted: Mapping[str, Any] | None, held: Iterable[str]) -> bool:
    return wanted is None or {name: str(value) for name, value in wanted.items()} == dict(
        setting.split("=", 1) for setting in held
    )


def _has_roles(wanted: Mapping[str, Any], held: Mapping[str, Any] | None) -> bool:
    return set(wanted["roles"] or []) <= set(held["roles"] if held else [])


def database_is_settled(wanted: Mapping[str, Any], held: Mapping[str, Any] | None) -> bool:
    if held is None or (wanted["owner"], wanted["encoding"]) != (held["owner"], held["encoding"]):
        return False
    return not wanted["locale"] or held["locales"] == [wanted["locale"]] * 2
