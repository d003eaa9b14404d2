"""The live database, at one moment; and PostgreSQL's programs, of a version that understands it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg2
from psycopg2.extensions import ISOLATION_LEVEL_REPEATABLE_READ, connection

from . import facts
from .commands import Failure, environment

PROGRAMS = Path("/usr/lib/postgresql")
DUMP = "database.dump"
# Those of libpq's variables whose parameter isn't called the same.
PARAMETERS = {
    "PGDATABASE": "dbname",
    "PGCHANNELBINDING": "channel_binding",
    "PGTARGETSESSIONATTRS": "target_session_attrs",
    "PGSSLMINPROTOCOLVERSION": "ssl_min_protocol_version",
    "PGSSLMAXPROTOCOLVERSION": "ssl_max_protocol_version",
}


def program(name: str, server: int, root: Path = PROGRAMS) -> str:
    """The path of a program of PostgreSQL's, of the server's major version or the next newer one that is there."""
    there = {int(path.parts[-3]): path for path in root.glob(f"*/bin/{name}") if path.parts[-3].isdigit()}
    fitting = [version for version in sorted(there) if version >= server // 10000]
    if not fitting:
        raise Failure(
            f"the server is PostgreSQL {server // 10000}, and this host has {name} of {_listed(there)} only: install "
            f"postgresql-client-{server // 10000} here (backup_postgres_version)"
        )
    return str(there[fitting[0]])


def version_of(path: str) -> int:
    """The major version of a program of PostgreSQL's, as a server tells its own."""
    return int(Path(path).parts[-3]) * 10000


def _listed(versions: dict[int, Path]) -> str:
    return ", ".join(map(str, sorted(versions))) or "no version"


def connect(access: dict[str, str]) -> connection:
    """A session; access is named as libpq's environment is."""
    parameters: dict[str, Any] = {parameter(name): value for name, value in access.items()}
    try:
        session: connection = psycopg2.connect(**parameters, application_name="slipway backup", connect_timeout=15)
    except psycopg2.Error as error:
        raise Failure(f"the database can't be reached: {first_line(error)}") from error
    return session


def parameter(variable: str) -> str:
    """libpq's name for a parameter that a variable of its environment sets."""
    return PARAMETERS.get(variable, variable.removeprefix("PG").lower())


def first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0]


@contextmanager
def asking(access: dict[str, str]) -> Iterator[connection]:
    """A session whose errors become sentences."""
    session = connect(access)
    try:
        yield session
    except psycopg2.Error as error:
        raise Failure(f"the database says: {first_line(error)}") from error
    finally:
        session.close()


def reader(recorded: dict[str, Any]) -> str:
    """A pg_restore that understands a dump of which this was recorded; pg_dump may have been newer than the server."""
    return program("pg_restore", max(recorded["server"], recorded.get("pg_dump", 0)))


class Moment:
    """The database as it was when this began: the dump and the counts are of the same snapshot."""

    def __init__(self, session: connection, access: dict[str, str]) -> None:
        session.set_session(isolation_level=ISOLATION_LEVEL_REPEATABLE_READ, readonly=True)
        facts.prepare(session)
        self._session = session
        self._access = access
        self._snapshot = facts.rows_of(session, "SELECT pg_export_snapshot()")[0][0]
        self._before = facts.sequences(session)
        self._pg_dump = program("pg_dump", self.server)

    @property
    def server(self) -> int:
        return int(self._session.info.server_version)

    def dump_command(self) -> tuple[list[str], dict[str, str]]:
        """Neither compressed nor in an order of its own: the repository finds what it has already, and compresses the rest."""
        command = [self._pg_dump, "--format=custom", "--compress=0", f"--snapshot={self._snapshot}"]
        return command, environment(**self._access)

    def facts(self) -> dict[str, Any]:
        """Read after the dump; what moves under a snapshot was somewhere between two looks."""
        after = facts.sequences(self._session)
        bounds = {name: [value, after.get(name, value)] for name, value in self._before.items()}
        found = {"tables": facts.tables(self._session), "sequences": bounds, "pg_dump": version_of(self._pg_dump)}
        return facts.shape(self._session) | found


@contextmanager
def moment(access: dict[str, str]) -> Iterator[Moment]:
    with asking(access) as session:
        yield Moment(session, access)


def entries(listed: str, unwanted: str) -> str:
    """The lines of pg_restore's list without those of a kind."""
    return "\n".join(line for line in listed.splitlines() if not re.search(unwanted, line)) + "\n"
