# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module utility is private to slipway.stack: it may change in any release.
"""The connection that keeps everybody else from migrating, and that sees what a migration has left behind."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import socket
import time
from collections.abc import Iterator
from typing import Any

from ansible_collections.slipway.stack.plugins.module_utils import _migrate_schema as schema
from ansible_collections.slipway.stack.plugins.module_utils._errors import StackError
from ansible_collections.slipway.stack.plugins.module_utils._urls import libpq_parameters

try:
    import psycopg2

    HAS_PSYCOPG2 = True
except ImportError:
    HAS_PSYCOPG2 = False

_POLL_S = 0.5
_CONNECT_S = 5
# libpq gives the server's error no code while it connects.
_PASSING = re.compile(
    r"the database system is (starting up|shutting down|not yet accepting connections)|in recovery mode|Connection refused|"
    r"No such file or directory|server closed the connection unexpectedly|timeout expired|No route to host"
)
_REASONS = (
    (
        r'(?:password|Peer|Ident) authentication failed for user "(.+?)"',
        "the database refuses user {0}: set the password that the role has there, or let slipway.stack.site make the role",
    ),
    (r'role "(.+?)" does not exist', "the database has no role {0}: create it, or name the one that is there"),
    (
        r'database "(.+?)" does not exist',
        "there is no database {0} on {host}: create it, or name the one that is there",
    ),
    (
        r'no pg_hba\.conf entry for host "(.+?)", user "(.+?)"',
        "the database lets nobody in as {1} from {0}: add that address to its pg_hba.conf (postgres_client_addresses)",
    ),
    (
        r"could not translate host name|Name or service not known",
        "the database's host {host} isn't known to this host: set the right name",
    ),
    (
        r"server does not support SSL",
        "the database on {host} speaks no TLS, which the URL asks for: set app_database_sslmode to what it has",
    ),
)
_HOLDER = """
    SELECT a.application_name, coalesce(host(a.client_addr), 'the database host'), a.pid,
           to_char(a.backend_start, 'YYYY-MM-DD HH24:MI:SS')
    FROM pg_locks l JOIN pg_stat_activity a USING (pid)
    WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
      AND l.classid::bigint << 32 | l.objid::bigint = %s
      AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""
_BACKENDS = """
    SELECT pid, coalesce(query, '') FROM pg_stat_activity
    WHERE usename = session_user AND datname = current_database() AND pid <> pg_backend_pid()
      AND backend_type = 'client backend' AND (%s OR application_name = %s)
      AND application_name NOT LIKE 'slipway migrate %%'
"""


def lock_key(application: str) -> int:
    digest = hashlib.sha256(f"slipway:{application}:migrate".encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)


def holder_name() -> str:
    """Who holds the lock, as the database shows it to whoever waits. It cuts names off at 63 bytes."""
    return f"slipway migrate {socket.gethostname()[:32]}:{os.getpid()}"


class Session:
    """One session of the login role that migrates."""

    def __init__(self, url: str, wait: float) -> None:
        if not HAS_PSYCOPG2:
            raise StackError("psycopg2 isn't there for Ansible's Python on this host: install python3-psycopg2.")
        try:
            self._parameters = libpq_parameters(url)
        except ValueError as error:
            raise StackError(f"the database's URL can't be understood: {error}.") from error
        self._connection = self._connect(wait)
        self.query("SET ROLE NONE")

    def _connect(self, wait: float) -> Any:
        deadline = time.monotonic() + wait
        while True:
            try:
                connection = psycopg2.connect(
                    **{"connect_timeout": _CONNECT_S, **self._parameters, "application_name": holder_name()}
                )
                connection.autocommit = True
                return connection
            except psycopg2.OperationalError as error:
                text = str(error).strip()
                if not _PASSING.search(text) or time.monotonic() > deadline:
                    raise StackError(self._reason(text, wait)) from error
            time.sleep(_POLL_S)

    @property
    def _host(self) -> str:
        return f"{self._parameters.get('host', 'this host')}:{self._parameters.get('port', 5432)}"

    def _reason(self, text: str, wait: float) -> str:
        for pattern, sentence in _REASONS:
            found = re.search(pattern, text)
            if found:
                return sentence.format(*found.groups(), host=self._host) + "."
        said = text.splitlines()[0] if text else "it said nothing"
        return f"the database on {self._host} can't be reached, after {wait:.0f} s of waiting: {said}."

    def query(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        try:
            with self._connection.cursor() as cursor:
                cursor.execute(statement, values or None)
                return list(cursor.fetchall()) if cursor.description else []
        except psycopg2.Error as error:
            raise StackError(f"the database said: {str(error).strip().splitlines()[0]}.") from error

    @contextlib.contextmanager
    def locked(self, application: str, wait: float) -> Iterator[float]:
        """Keep every other migration of the application out. Yields how many seconds it took to get the lock."""
        key, begun = lock_key(application), time.monotonic()
        if self.query("SELECT pg_backend_pid()")[0][0] != self._connection.info.backend_pid:
            raise StackError(
                "a connection pooler stands before the database, so that locks aren't tied to who took them: name the "
                "database itself for migrations (app_migrate_url)."
            )
        while not self.query("SELECT pg_try_advisory_lock(%s)", key)[0][0]:
            if time.monotonic() - begun > wait:
                raise StackError(
                    f"another migration of {application} runs: {self._holder(key)}. Waited for {wait:.0f} s."
                )
            time.sleep(_POLL_S)
        yield time.monotonic() - begun
        # The connection's end would do it too.
        with contextlib.suppress(StackError):
            self.query("SELECT pg_advisory_unlock(%s)", key)

    def _holder(self, key: int) -> str:
        found = self.query(_HOLDER, key)
        if not found:
            return "it has just ended"
        name, address, backend, since = found[0]
        process = name.removeprefix("slipway migrate ") if name.startswith("slipway migrate ") else name or "somebody"
        host, colon, pid = process.rpartition(":")
        who = f"process {pid} on {host}" if colon else process
        return f"{who} (from {address}, backend {backend}) holds its lock since {since}"

    def read_schema(self) -> schema.Schema:
        return schema.read_schema(self.query)

    def invalid_indexes(self) -> list[dict[str, str]]:
        return schema.invalid_indexes(self.query)

    def database(self) -> str:
        return str(self.query("SELECT current_database()")[0][0])

    def server_version(self) -> int:
        """The major one."""
        return int(self._connection.server_version) // 10000

    def lock_timeout(self) -> str:
        return str(self.query("SHOW lock_timeout")[0][0])

    def end_leftovers(self, mark: str, *, own_login: bool, wait: float = 10) -> list[str]:
        """End what goes on in the database after its client is gone, and return the statements."""
        ended: list[str] = []
        deadline = time.monotonic() + wait
        while True:
            found = self.query(_BACKENDS, own_login, mark)
            if not found or time.monotonic() > deadline:
                return list(dict.fromkeys(ended))
            for pid, statement in found:
                ended.append(" ".join(statement.split())[:200])
                self.query("SELECT pg_terminate_backend(%s)", pid)
            time.sleep(_POLL_S / 2)

    def close(self) -> None:
        self._connection.close()
