"""Restore the newest run where it harms nobody, and compare it with what was recorded when it was made."""

from __future__ import annotations

import tarfile
import time
from typing import Any

from psycopg2 import errors
from psycopg2.extensions import connection, quote_ident

from . import archive, cluster, facts, restore, runs
from .backup import repository_named
from .commands import Failure, environment, run, started, text_of
from .database import asking
from .repository import Repository
from .settings import Check, Settings

# psycopg2 and pg_restore agree on it, whatever the live one is called.
NAME = "restored"


def prove(settings: Settings, wish: str = "", origin: str = "") -> dict[str, Any]:
    """Raise Failure where a run can't be restored whole; else tell what was restored, and how long it took."""
    repository = repository_named(settings, origin)
    repository.free_stale_locks()
    chosen = runs.choose(runs.group(repository.snapshots()), wish)
    manifest = restore.manifest_of(repository, chosen)
    result: dict[str, Any] = {
        "run": chosen.id,
        "time": manifest["time"],
        "repository": repository.place.name,
        "seconds": 0.0,
    }
    if "database" in manifest:
        result |= prove_database(settings, repository, chosen, manifest["database"])
    if "files" in manifest and settings.test_files:
        began = time.monotonic()
        result["files"] = prove_files(repository, chosen, manifest["files"])
        result["seconds"] = round(result["seconds"] + time.monotonic() - began, 2)
    repository.check(settings.test_share)
    return result


def prove_database(
    settings: Settings, repository: Repository, chosen: runs.Run, recorded: facts.Facts
) -> dict[str, Any]:
    cluster.remove_leftovers(settings.work)
    restore.check_room(settings.work, recorded["bytes"] * restore.ROOM)
    with cluster.throw_away(recorded["server"], settings.work) as access:
        began = time.monotonic()
        with asking(access) as session:
            session.autocommit = True
            restore.make_roles(session, [role for role in recorded["roles"] if role != cluster.OWNER])
            create_database(session, recorded)
        target = access | {"PGDATABASE": NAME}
        archive.load_stream(repository, chosen, recorded, target, settings.test_jobs)
        seconds = time.monotonic() - began
        restore.compare(recorded, target)
        ask(settings.check, target)
        with asking(target) as session:
            size = facts.shape(session)["bytes"]
    rows = sum(count for count, _checksum in recorded["tables"].values())
    return {"seconds": round(seconds, 2), "database_bytes": size, "tables": len(recorded["tables"]), "rows": rows}


def create_database(session: connection, recorded: facts.Facts) -> None:
    """Where lower-case letters and order mean the same as where the dump is from, if this host has its locale."""
    wanted = f"CREATE DATABASE {quote_ident(NAME, session)} TEMPLATE template0 ENCODING '{recorded['encoding']}'"
    neutral = "C.UTF-8" if recorded["encoding"] == "UTF8" else "C"
    with session.cursor() as cursor:
        try:
            cursor.execute(f"{wanted} LC_COLLATE %s LC_CTYPE %s", (recorded["collate"], recorded["ctype"]))
        except (errors.WrongObjectType, errors.InvalidParameterValue):
            cursor.execute(f"{wanted} LC_COLLATE %s LC_CTYPE %s", (neutral, neutral))


def ask(check: Check, target: dict[str, str]) -> None:
    """The application's own opinion."""
    if check.sql:
        with asking(target) as session:
            answer = facts.rows_of(session, check.sql)
        if not answer or not answer[0][0]:
            raise Failure("backup_check_sql isn't true of the restored database")
    if check.command:
        url = f"postgresql://{target['PGUSER']}@/{target['PGDATABASE']}?host={target['PGHOST']}"
        values = environment(**target, DATABASE_URL=url)
        run(cluster.as_owner(["/bin/sh", "-c", check.command]), values, cwd="/")


def prove_files(repository: Repository, chosen: runs.Run, recorded: dict[str, Any]) -> int:
    """Read every file back; return how many there are."""
    command, env = repository.archive(chosen.parts["files"])
    count = size = 0
    with started(command, env, stdout=-1) as (restic, said):
        try:
            with tarfile.open(fileobj=restic.stdout, mode="r|") as archive:
                for member in archive:
                    count += member.isreg() or member.islnk() or member.issym()
                    size += member.size if member.isreg() else 0
        except tarfile.TarError as error:
            restic.wait()
            raise Failure(f"the files can't be read back: {text_of(said).strip() or error}") from error
        if restic.wait() != 0:
            raise Failure(f"the files can't be read back: {text_of(said).strip()}")
    if size != recorded["bytes"]:
        raise Failure(f"the files have {size} bytes instead of {recorded['bytes']}")
    return count
