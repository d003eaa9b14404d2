"""backup CONFIGURATION COMMAND: what timers, playbooks and people call. Results are JSON on stdout."""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

from . import archive, backup, database, facts, prove, restore, runs, status
from .alarm import raise_alarm
from .commands import Failure
from .settings import Settings, load
from .status import Record
from .table import table

Result = dict[str, Any]
# Seconds that a job waits for another, and one that is made while the service is down.
PATIENCE = 3600.0
PATIENCE_IN_OUTAGE = 60.0
# For so many seconds after a step of a restore no timer's job comes between.
HELD = 600.0
BROKEN_OFF = "it broke off: the host went down, or it was killed"


class Busy(Failure):
    """Another job held the lock for too long."""


def by_timer() -> bool:
    return "INVOCATION_ID" in os.environ


def hold(settings: Settings) -> Path:
    """A file that is young while a restore is between two of its steps."""
    return settings.work / "hold"


def is_held(settings: Settings) -> bool:
    try:
        return time.time() - hold(settings).stat().st_mtime < HELD
    except FileNotFoundError:
        return False


@contextlib.contextmanager
def locked(settings: Settings, patience: float) -> Iterator[None]:
    """One job at a time. Who is killed has given it back."""
    with (settings.work / "lock").open("a+", encoding="utf-8") as lock:
        deadline = time.monotonic() + patience
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if not (by_timer() and is_held(settings)):
                    break
                fcntl.flock(lock, fcntl.LOCK_UN)
            except BlockingIOError:
                pass
            if time.monotonic() > deadline:
                lock.seek(0)
                raise Busy(f"another job of {settings.name} runs already: {lock.read().strip()}")
            time.sleep(1)
        lock.truncate(0)
        lock.write(f"{' '.join(sys.argv[2:])}, process {os.getpid()}")
        lock.flush()
        yield


def running(settings: Settings) -> str:
    """The job that holds the lock, or nothing."""
    with (settings.work / "lock").open("a+", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            return lock.read().partition(" ")[0].rstrip(",")
    return ""


def persist(settings: Settings, record: Record, job: str, work: Callable[[], Result], attempts: int) -> Result:
    """Try until it succeeds, but only so often, then be loud."""
    last = record.read().get(job, {}).get("state", "ok")
    unended = last != "ok"
    # It can't be running, since this one holds the lock.
    if last == "running":
        raise_alarm(settings, job, BROKEN_OFF)
    record.begin(job)
    for attempt in range(1, attempts + 1):
        try:
            if unended:
                backup.free_stale_locks(settings)
            result = work()
        except (Failure, OSError, ValueError, KeyError) as error:
            failure = str(error) if isinstance(error, Failure) else f"{type(error).__name__}: {error}"
        else:
            record.succeed(job, result)
            return result
        if attempt < attempts:
            print(f"<4>the {job}'s attempt {attempt} of {attempts} failed: {failure}", file=sys.stderr, flush=True)
            time.sleep(settings.pause)
    record.fail(job, failure)
    raise_alarm(settings, job, failure)
    raise Failure(failure)


def listed(settings: Settings, origin: str) -> Result:
    made = runs.whole(runs.group(backup.repository_named(settings, origin).snapshots()))
    return {"runs": [{"run": run.id, "kind": run.kind, "time": run.time.timestamp()} for run in made]}


def report(settings: Settings, record: Record) -> Result:
    jobs = record.read()
    for job in broken_off(settings, record):
        jobs[job] |= {"state": "failed", "error": BROKEN_OFF}
    places = []
    for repository in backup.repositories(settings):
        place: Result = {"name": repository.place.name}
        try:
            made = runs.whole(runs.group(repository.snapshots()))
            newest = {"newest": made[-1].id, "time": made[-1].time.timestamp()} if made else {}
            place |= {"kept": len(made), "bytes": repository.size()} | newest
        except Failure as failure:
            place["error"] = str(failure)
        places.append(place)
    return {"name": settings.name, "jobs": jobs, "repositories": places}


def chosen(settings: Settings, options: argparse.Namespace) -> tuple[Any, runs.Run, Result]:
    repository = backup.repository_named(settings, options.origin)
    run = runs.choose(runs.group(repository.snapshots()), options.run)
    return repository, run, restore.manifest_of(repository, run)


def plan(settings: Settings, options: argparse.Namespace) -> Result:
    """What a restore would do, judged before it does anything."""
    if options.file:
        return plan_import(settings, options)
    _repository, run, manifest = chosen(settings, options)
    recorded = manifest.get("database", {})
    if recorded:
        with database.asking(settings.database) as session:
            server = session.info.server_version
            missing = set(recorded["roles"]) - {
                name for (name,) in facts.rows_of(session, "SELECT rolname FROM pg_roles")
            }
        if server // 10000 < recorded["server"] // 10000:
            raise Failure(
                f"the backup is of PostgreSQL {recorded['server'] // 10000}, and the server is {server // 10000}: restore it "
                "into the same version or a newer one"
            )
        if missing:
            raise Failure(
                f"the backup names users that the server doesn't have: create {', '.join(sorted(missing))} first"
            )
        database.reader(recorded)
    paths = restorable(settings, manifest) if options.files else []
    restore.check_swappable(paths)
    for path in paths:
        restore.check_room(Path(path).parent, manifest["files"]["bytes"])
    return {
        "run": run.id,
        "kind": run.kind,
        "time": manifest["time"],
        "extensions": extensions_of(recorded),
        # They go into the server as they come.
        "dump_bytes": 0,
        "database_bytes": recorded.get("bytes", 0),
        "tables": len(recorded.get("tables", {})),
        "encoding": recorded.get("encoding", ""),
        "collate": recorded.get("collate", ""),
        "paths": paths,
    }


def extensions_of(recorded: Result) -> list[dict[str, str]]:
    """What is to be created before a dump is restored, and in which schema. Older manifests didn't tell that."""
    schemas = recorded.get("extension_schemas", {})
    # Every database has this one.
    there = [name for name in recorded.get("extensions", []) if name != "plpgsql"]
    # Some bring a schema of their own and take no other.
    elsewhere = {name for name in there if schemas.get(name, "public") not in ("public", "pg_catalog", name)}
    return [{"name": name, "schema": schemas[name] if name in elsewhere else ""} for name in there]


def plan_import(settings: Settings, options: argparse.Namespace) -> Result:
    """The same for somebody's own dump, which is still elsewhere."""
    with database.asking(settings.database) as session:
        database.program("psql", session.info.server_version)
        size = facts.shape(session)["bytes"]
    restore.check_room(settings.work, options.bytes)
    grown = options.bytes * (restore.GUNZIPPED if options.file.endswith(".gz") else restore.IMPORTED)
    return {
        "run": "",
        "extensions": [],
        "dump_bytes": options.bytes,
        "database_bytes": max(grown, size),
        "paths": [],
    }


def restorable(settings: Settings, manifest: Result) -> list[str]:
    return [path for path in manifest.get("files", {}).get("paths", []) if path in settings.shared_paths]


def load_database(settings: Settings, options: argparse.Namespace) -> Result:
    target = (settings.owner or settings.database) | {"PGDATABASE": options.database}
    began = time.monotonic()
    if options.file:
        restore.load_file(Path(options.file), target, settings.test_jobs)
        return {"seconds": round(time.monotonic() - began, 2)}
    repository, run, manifest = chosen(settings, options)
    recorded = manifest["database"]
    archive.load_stream(repository, run, recorded, target, settings.test_jobs)
    seconds = round(time.monotonic() - began, 2)
    restore.compare(recorded, target)
    return {"run": run.id, "seconds": seconds}


def bring_files(settings: Settings, options: argparse.Namespace) -> Result:
    repository, run, manifest = chosen(settings, options)
    paths = restorable(settings, manifest)
    # The database that was restored before may lie on the same disk.
    for folder in {Path(path).parent for path in paths}:
        restore.check_room(folder, manifest["files"]["bytes"])
    return {"paths": restore.restore_files(repository, run, paths, options.suffix)}


def ended(settings: Settings, record: Record, job: str) -> Result:
    """systemd's last word: a run that was killed couldn't say that it failed."""
    how = os.environ.get("SERVICE_RESULT", "success")
    if how != "success" and record.read().get(job, {}).get("state") == "running":
        error = f"it was ended from outside ({how})"
        record.fail(job, error)
        raise_alarm(settings, job, error)
    return {}


def broken_off(settings: Settings, record: Record) -> list[str]:
    """The jobs that were begun, and neither ended nor go on."""
    runs_now = running(settings)
    return [job for job, entry in record.read().items() if entry["state"] == "running" and job != runs_now]


def after_boot(settings: Settings, record: Record) -> Result:
    """Nobody could say of a job that the power went off under it."""
    lost = broken_off(settings, record)
    for job in lost:
        record.fail(job, BROKEN_OFF)
        raise_alarm(settings, job, BROKEN_OFF)
    if lost:
        raise Failure(f"{', '.join(lost)}: {BROKEN_OFF}")
    return {}


def swap(settings: Settings, options: argparse.Namespace) -> Result:
    """Renames, while the application is stopped: no other job is worth waiting for, and nothing is to be held any more."""
    act = restore.swap_files if options.command == "swap-files" else restore.swap_back
    kept = act(options.paths, options.suffix)
    hold(settings).unlink(missing_ok=True)
    return {"kept": kept}


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="backup", description=__doc__)
    parser.add_argument("configuration", type=Path)
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("init", "prune", "after-boot"):
        commands.add_parser(name)
    commands.add_parser("report").add_argument("--table", action="store_true")
    made = commands.add_parser("backup")
    made.add_argument("--kind", default="manual")
    made.add_argument("--once", action="store_true")
    for name in ("test", "plan", "load", "files", "list"):
        command = commands.add_parser(name)
        command.add_argument("--run", default="")
        command.add_argument("--from", default="", dest="origin")
        command.add_argument("--database", default="")
        command.add_argument("--file", default="")
        command.add_argument("--suffix", default="")
        command.add_argument("--bytes", type=int, default=0)
        command.add_argument("--files", action="store_true")
        command.add_argument("--hold", action="store_true")
    for name in ("swap-files", "swap-files-back"):
        swap = commands.add_parser(name)
        swap.add_argument("--suffix", required=True)
        swap.add_argument("paths", nargs="*")
    commands.add_parser("ended").add_argument("job")
    return parser.parse_args()


def perform(settings: Settings, options: argparse.Namespace) -> Result:
    record = Record(settings.name, settings.work, settings.metrics)
    attempts = 1 if getattr(options, "once", False) else settings.attempts
    at_once: dict[str, Callable[[], Result]] = {
        "report": lambda: report(settings, record),
        "list": lambda: listed(settings, options.origin),
        "ended": lambda: ended(settings, record, options.job),
        "after-boot": lambda: after_boot(settings, record),
        "swap-files": lambda: swap(settings, options),
        "swap-files-back": lambda: swap(settings, options),
    }
    acts: dict[str, Callable[[], Result]] = {
        "init": lambda: {"created": backup.create_missing(settings)},
        "plan": lambda: plan(settings, options),
        "load": lambda: load_database(settings, options),
        "files": lambda: bring_files(settings, options),
        "backup": lambda: persist(settings, record, "backup", backup.Job(settings, options.kind).run, attempts),
        "prune": lambda: persist(settings, record, "prune", lambda: backup.prune(settings), attempts),
        "test": lambda: persist(
            settings, record, "test", lambda: prove.prove(settings, options.run, options.origin), 1
        ),
    }
    if options.command in at_once:
        return at_once[options.command]()
    is_safety = getattr(options, "kind", "") == runs.SAFETY
    try:
        with locked(settings, PATIENCE_IN_OUTAGE if is_safety else PATIENCE):
            result = acts[options.command]()
            if is_safety or getattr(options, "hold", False):
                hold(settings).touch()
            return result
    except Busy as failure:
        if options.command in status.JOBS:
            record.fail(options.command, str(failure))
            raise_alarm(settings, options.command, str(failure))
        raise


def give_up(number: int, _frame: object) -> NoReturn:
    raise SystemExit(128 + number)


def main() -> None:
    # Whatever was begun is ended on the way out.
    signal.signal(signal.SIGTERM, give_up)
    options = arguments()
    settings = load(options.configuration)
    os.umask(0o077)
    try:
        result = perform(settings, options)
    except Failure as failure:
        sys.exit(f"<3>{failure}" if by_timer() else str(failure))
    print(table(result) if getattr(options, "table", False) else json.dumps(result))
