"""Put a dump into a database, and files back in their place."""

from __future__ import annotations

import gzip
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

from psycopg2.extensions import connection, quote_ident

from . import facts, runs
from .archive import analyze, check_empty, load_archive
from .backup import MANIFEST
from .commands import Failure, environment, pipe_of, started, text_of
from .database import asking, program
from .repository import Repository
from .runs import Run

# What a database needs beside its dump: indexes are built, and nothing may fill the disk to its last byte.
ROOM = 1.2
SPARE = 256 << 20
# How much larger than its dump a database may be of which nothing else is known.
IMPORTED = 2
GUNZIPPED = 8
MOUNTS = Path("/proc/self/mounts")
CUSTOM = b"PGDMP"
# The first and the last words of a plain one.
BEGINS = b"-- PostgreSQL database dump"
ENDS = b"-- PostgreSQL database dump complete"
# Only a superuser may say these.
SUPERUSERS = re.compile(rb"(COMMENT ON EXTENSION |ALTER [A-Z ]+ .* OWNER TO |CREATE SCHEMA public;)")


def manifest_of(repository: Repository, run: Run) -> dict[str, Any]:
    with tempfile.TemporaryFile() as file:
        repository.fetch(run.parts[runs.MANIFEST], MANIFEST, file)
        file.seek(0)
        return dict(json.load(file))


def check_room(folder: Path, needed: float) -> None:
    free = shutil.disk_usage(folder).free
    if free < needed + SPARE:
        raise Failure(f"{folder} has {free >> 20} MB free, and {int(needed + SPARE) >> 20} MB are needed")


def check_swappable(paths: Iterable[str], mounts: Path = MOUNTS) -> None:
    """A directory can be renamed, and a file system can't."""
    for path in paths:
        within = [point for point in mount_points(mounts) if Path(point).is_relative_to(path)]
        if within:
            raise Failure(
                f"{within[0]} is a file system of its own, which can't be swapped: leave the files as they are by "
                "-e restore_files=false, and bring them back by hand"
            )


def mount_points(mounts: Path) -> list[str]:
    """The kernel writes a space as \\040."""
    points = [line.split()[1] for line in mounts.read_text(encoding="utf-8").splitlines()]
    return [re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), point) for point in points]


def load_file(dump: Path, access: dict[str, str], jobs: int) -> None:
    """Import somebody's own dump: custom format, or plain SQL, gzipped or not."""
    with asking(access) as session:
        server = session.info.server_version
        check_empty(session)
    with dump.open("rb") as file:
        start = file.read(len(CUSTOM))
    if start == CUSTOM:
        load_archive(dump, server, access, jobs)
        return
    command = [program("psql", server), "-X", "-q", "--set=ON_ERROR_STOP=1", "--single-transaction"]
    with (
        _opened(dump, start) as source,
        open(os.devnull, "wb") as nowhere,
        started(command, environment(**access), stdin=-1, stdout=nowhere) as (psql, said),
    ):
        _feed(source, pipe_of(psql.stdin))
        if psql.wait() != 0:
            raise Failure(f"{dump.name} can't be imported: {text_of(said).strip().partition(chr(10))[0]}")
    analyze(access)


def _opened(dump: Path, start: bytes) -> IO[bytes]:
    return gzip.open(dump) if start.startswith(b"\x1f\x8b") else dump.open("rb")  # type: ignore[return-value]


def _feed(source: Iterable[bytes], sink: IO[bytes]) -> None:
    try:
        for line in importable(source):
            sink.write(line)
        sink.close()
    except BrokenPipeError:
        pass  # psql says why


def importable(lines: Iterable[bytes]) -> Iterator[bytes]:
    """The lines of a plain dump that an ordinary owner may run: not those about owners and extensions' comments.

    Raises Failure at the end of one that was cut off. psql would take that for the end of a table, and be content.
    """
    in_data = False
    unended = 0
    for line in lines:
        if in_data:
            in_data = line.rstrip(b"\r\n") != b"\\."
        elif SUPERUSERS.match(line):
            continue
        else:
            in_data = line.startswith(b"COPY ") and line.rstrip().endswith(b"FROM stdin;")
            unended += (line.rstrip() == BEGINS) - (line.rstrip() == ENDS)
        yield line
    if in_data or unended:
        raise Failure("the dump isn't whole: it ends before its last line, -- PostgreSQL database dump complete")


def compare(recorded: dict[str, Any], access: dict[str, str]) -> None:
    with asking(access) as session:
        facts.prepare(session)
        problems = facts.differences(recorded, session)
    if problems:
        raise Failure(f"what was restored isn't what was dumped: {'; '.join(problems[:5])}")


def make_roles(session: connection, roles: Iterable[str]) -> None:
    """The owners that the dump names."""
    with session.cursor() as cursor:
        for role in roles:
            cursor.execute(f"CREATE ROLE {quote_ident(role, session)} SUPERUSER LOGIN")


def restore_files(repository: Repository, run: Run, paths: list[str], suffix: str) -> list[str]:
    """Bring each directory back beside what is there now; swap_files puts it in its place."""
    beside = []
    for path in map(Path, paths):
        target = path.with_name(f".{path.name}.{suffix}")
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True, mode=0o700)
        repository.restore(run.parts["files"], [str(path)], target)
        if (target / path.relative_to("/")).exists():
            adopt(target / path.relative_to("/"), path)
            beside.append(str(path))
        else:
            shutil.rmtree(target)
    return beside


def adopt(restored: Path, live: Path) -> None:
    """On another host the same user has another number: whose the directory is now, theirs is what was its owner's."""
    if not live.exists():
        return
    was, now = restored.stat(), live.stat()
    if (was.st_uid, was.st_gid) == (now.st_uid, now.st_gid):
        return
    for path in [restored, *restored.rglob("*")]:
        of = path.lstat()
        user = now.st_uid if of.st_uid == was.st_uid else of.st_uid
        group = now.st_gid if of.st_gid == was.st_gid else of.st_gid
        os.chown(path, user, group, follow_symlinks=False)


def swap_files(paths: list[str], suffix: str) -> list[str]:
    """Put what lies beside in place; what was there keeps lying beside, under the name that is returned."""
    kept = []
    for path in map(Path, paths):
        target = path.with_name(f".{path.name}.{suffix}")
        if path.exists():
            before = path.with_name(f".{path.name}.before-{suffix}")
            path.rename(before)
            kept.append(str(before))
        (target / path.relative_to("/")).rename(path)
        shutil.rmtree(target)
    return kept


def swap_back(paths: list[str], suffix: str) -> list[str]:
    """Undo swap_files: what was there is there again, and what was restored is gone."""
    for path in map(Path, paths):
        before = path.with_name(f".{path.name}.before-{suffix}")
        if before.exists():
            shutil.rmtree(path, ignore_errors=True)
            before.rename(path)
        shutil.rmtree(path.with_name(f".{path.name}.{suffix}"), ignore_errors=True)
    return []
