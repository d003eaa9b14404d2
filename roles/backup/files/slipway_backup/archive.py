"""A dump in pg_dump's custom format, put into a database: from a file, or while it is still coming out of the repository.

Of a stream only the beginning is kept: it lists what the dump holds, which is all that indexes and constraints need to be
built by several jobs after the rows are in.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

from psycopg2.extensions import connection

from . import facts
from .commands import Failure, environment, failure_of, pipe_of, run, splice, started, text_of
from .database import DUMP, asking, entries, program, reader
from .repository import Repository
from .runs import Run

# Bytes of a dump's beginning that are looked at first; its list is rarely longer.
HEAD = 1 << 20
# What pg_restore says of a list that goes on behind it.
TOO_SHORT = "end of file"
# Only a superuser may say these, who has made the extensions already.
OF_EXTENSIONS = r" EXTENSION - | COMMENT - EXTENSION "


def load_stream(repository: Repository, run_: Run, recorded: facts.Facts, access: dict[str, str], jobs: int) -> None:
    """Restore a run's dump; recorded is what was written down of it, access a superuser's or an ordinary owner's."""
    with (
        tempfile.NamedTemporaryFile(prefix="head-") as head,
        tempfile.NamedTemporaryFile("w", prefix="list-") as wanted,
    ):
        command: list[str] = []
        complaint: Failure | None = Failure("the dump doesn't say what it holds")
        with repository.reading(run_.parts["database"], DUMP) as source:
            pg_restore = reader(recorded)
            if read_head(source, head, pg_restore):
                command = prepared(Path(head.name), pg_restore, access, wanted)
                poured, complaint = pour(head, source, [*command, "--section=pre-data", "--section=data"], access)
            else:
                poured = head.tell()
        # Of all that may have gone wrong, the repository's own word comes first, and then the bytes that it gave.
        if poured != recorded["dump_bytes"]:
            raise Failure(f"the dump has {poured} bytes instead of {recorded['dump_bytes']}: it isn't whole")
        if complaint:
            raise complaint
        run([*command, "--section=post-data", f"--jobs={jobs}", head.name], environment(**access))
    analyze(access)


def load_archive(dump: Path, server: int, access: dict[str, str], jobs: int) -> None:
    """Restore a dump that lies in a file, on the same terms."""
    with tempfile.NamedTemporaryFile("w", prefix="list-") as wanted:
        command = prepared(dump, program("pg_restore", server), access, wanted)
        run([*command, f"--jobs={jobs}", str(dump)], environment(**access))
    analyze(access)


def prepared(dump: Path, pg_restore: str, access: dict[str, str], wanted: IO[str]) -> list[str]:
    """The beginning of its command line; the list in wanted leaves out what is there, and what the user of access may not do."""
    with asking(access) as session:
        mighty = facts.rows_of(session, "SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user")[0][0]
        check_empty(session)
        there = [f" SCHEMA - {re.escape(name)} " for name in facts.schemas(session)]
    unwanted = there if mighty else [OF_EXTENSIONS, *there]
    command = [pg_restore, "--exit-on-error", f"--dbname={access['PGDATABASE']}"]
    if not mighty:
        command.append("--no-owner")
    if unwanted:
        wanted.write(entries(run([pg_restore, "--list", str(dump)], environment(**access)), "|".join(unwanted)))
        wanted.flush()
        command.append(f"--use-list={wanted.name}")
    return command


def read_head(source: IO[bytes], head: IO[bytes], pg_restore: str) -> bool:
    """Read so much of a dump that its list is whole; False where it ends before."""
    wanted = HEAD
    while True:
        while (missing := wanted - head.tell()) and (chunk := os.read(source.fileno(), missing)):
            head.write(chunk)
        head.flush()
        command = [pg_restore, "--list", head.name]
        listed = subprocess.run(command, env=environment(), check=False, capture_output=True, text=True)
        if listed.returncode == 0 or missing:
            return listed.returncode == 0
        if TOO_SHORT not in listed.stderr:
            raise failure_of(command, listed.returncode, listed.stderr)
        wanted *= 4


def pour(
    head: IO[bytes], source: IO[bytes], command: Sequence[str], access: dict[str, str]
) -> tuple[int, Failure | None]:
    """Give pg_restore the beginning and all that follows; return the bytes, and its complaint at their end.

    Raises Failure where it gave up before. Where it is content before the end, the rest is read all the same: whether the
    repository can give it is asked here too.
    """
    with started(command, environment(**access), stdin=subprocess.PIPE) as (pg_restore, said):
        sink = pipe_of(pg_restore.stdin)
        head.seek(0)
        try:
            shutil.copyfileobj(head, sink)
            sink.flush()
            moved, taken = splice(source, sink)
        except BrokenPipeError:
            moved, taken = 0, False
        with suppress(BrokenPipeError):
            sink.close()
        status = pg_restore.wait()
        complaint = failure_of(command, status, text_of(said))
        if status and not taken:
            raise complaint
        return os.fstat(head.fileno()).st_size + moved + _rest_of(source), complaint if status else None


def _rest_of(source: IO[bytes]) -> int:
    rest = 0
    while chunk := os.read(source.fileno(), HEAD):
        rest += len(chunk)
    return rest


def check_empty(session: connection) -> None:
    there = facts.tables(session)
    if there:
        raise Failure(
            f"the database {session.info.dbname} holds {len(there)} tables already: restore into an empty one"
        )


def analyze(access: dict[str, str]) -> None:
    """Without it the first queries would be planned for empty tables."""
    with asking(access) as session:
        session.autocommit = True
        facts.rows_of(session, "SET statement_timeout = 0; ANALYZE; SELECT 1")
