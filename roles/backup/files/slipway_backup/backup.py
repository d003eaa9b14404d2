"""Make a run: dump, files and what was counted, in this order, and the manifest last."""

from __future__ import annotations

import json
import secrets
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from . import database, runs
from .commands import Failure, environment, run
from .repository import Repository
from .settings import Redis, Settings

MANIFEST = "manifest.json"


def repositories(settings: Settings) -> list[Repository]:
    cache = settings.work / "cache"
    return [
        Repository(place, settings.name, settings.passphrase_file, settings.tools, cache)
        for place in settings.repositories
    ]


def repository_named(settings: Settings, name: str) -> Repository:
    """The first one unless another is named."""
    for repository in repositories(settings):
        if name in ("", repository.place.name):
            return repository
    raise Failure(
        f"there is no repository '{name}': give one of {', '.join(place.name for place in settings.repositories)}"
    )


def create_missing(settings: Settings) -> list[str]:
    """Create the repositories that aren't there. Only who sets them up may: an unmounted disk looks just like that."""
    missing = [repository for repository in repositories(settings) if not repository.is_there()]
    for repository in missing:
        repository.create()
    return [repository.place.name for repository in missing]


def free_stale_locks(settings: Settings) -> None:
    """A run that was killed leaves its lock in the repository, which would keep prune from its work."""
    repositories(settings)[0].free_stale_locks()


def at_each(places: Iterable[Repository], work: Callable[[Repository], None]) -> None:
    """One that is away keeps nothing from the others; raises Failure at the end."""
    failures = []
    for repository in places:
        try:
            work(repository)
        except Failure as failure:
            failures.append(str(failure))
    if failures:
        raise Failure("; ".join(failures))


class Maker:
    """One run, as it is made."""

    def __init__(self, settings: Settings, kind: str) -> None:
        self._settings = settings
        self._began = datetime.now(UTC)
        self._kind = kind
        self._repository = repositories(settings)[0]
        self._parts: list[str] = []
        self.manifest: dict[str, Any] = {
            "run": f"{self._began:%Y%m%dT%H%M%SZ}-{secrets.token_hex(2)}",
            "name": settings.name,
            "kind": kind,
            "time": self._began.timestamp(),
            "seconds": {},
        }

    def make(self) -> dict[str, Any]:
        self._forget_broken()
        with self._stage() as stage:
            if self._settings.database:
                self._store_database()
            self._store_files(stage)
            if not self._parts:
                raise Failure("there is nothing to back up: set backup_database_url or backup_paths")
            self._store_manifest(stage)
        self.manifest["seconds"]["all"] = self._elapsed()
        return self.manifest

    def _forget_broken(self) -> None:
        broken = [made for made in runs.group(self._repository.snapshots()) if not made.is_whole]
        self._repository.forget(part for made in broken for part in made.parts.values())

    @contextmanager
    def _stage(self) -> Iterator[Path]:
        stage = self._settings.work / "stage"
        shutil.rmtree(stage, ignore_errors=True)
        stage.mkdir(mode=0o700)
        try:
            yield stage
        finally:
            shutil.rmtree(stage, ignore_errors=True)

    def _marks(self, part: str) -> list[str]:
        tags = {"app": self._settings.name, "run": self.manifest["run"], "part": part, "kind": self._kind}
        if part == runs.MANIFEST:
            tags["parts"] = "+".join(self._parts)
        else:
            self._parts.append(part)
        joined = ",".join(f"{name}:{value}" for name, value in tags.items())
        # One moment for all parts, so that the policy keeps or drops them together.
        when = self._began.astimezone().strftime("%Y-%m-%d %H:%M:%S")
        return ["--tag", joined, "--host", self._settings.name, "--time", when]

    def _elapsed(self) -> float:
        return round(time.time() - self._began.timestamp(), 2)

    def _store_database(self) -> None:
        with database.moment(self._settings.database) as moment:
            command, env = moment.dump_command()
            stored = self._repository.store_stream(command, env, database.DUMP, self._marks("database"))
            self.manifest["seconds"]["dump"] = self._elapsed()
            self.manifest["database"] = moment.facts() | {"dump_bytes": stored["bytes"], "added_bytes": stored["added"]}
            self.manifest["seconds"]["count"] = round(self._elapsed() - self.manifest["seconds"]["dump"], 2)

    def _store_files(self, stage: Path) -> None:
        dumped = [dump_redis(server, stage) for server in self._settings.redis]
        there = [path for path in self._settings.paths if Path(path).exists()]
        gone = set(self._settings.shared_paths).difference(there)
        # What was lost is what a restore is for.
        if gone and self._kind != runs.SAFETY:
            raise Failure(f"{', '.join(sorted(gone))} isn't there: is its file system mounted?")
        if not dumped and not there:
            return
        stored = self._repository.store_paths([*dumped, *there], self._settings.excludes, self._marks("files"))
        self.manifest["files"] = {
            "paths": there,
            "redis": [Path(path).name for path in dumped],
            "count": stored["files"],
            "bytes": stored["bytes"],
            "added_bytes": stored["added"],
        }

    def _store_manifest(self, stage: Path) -> None:
        path = stage / MANIFEST
        path.write_text(json.dumps(self.manifest, sort_keys=True), encoding="utf-8")
        self._repository.store_stream(["cat", str(path)], environment(), MANIFEST, self._marks(runs.MANIFEST))


def dump_redis(server: Redis, stage: Path) -> str:
    path = stage / f"redis-{server.name}.rdb"
    command = ["redis-cli", "-h", server.host, "-p", str(server.port), "--rdb", str(path)]
    run(command, environment(REDISCLI_AUTH=server.password) if server.password else environment())
    if not path.exists() or not path.read_bytes().startswith(b"REDIS"):
        raise Failure(f"Redis {server.name} sent no dump: is its password right?")
    return str(path)


def copy_to_others(settings: Settings) -> list[str]:
    """Bring every other repository what the first has and what is newer than its own; return their names."""
    first, *others = repositories(settings)
    if not others:
        return []
    there = runs.whole(runs.group(first.snapshots()))

    def copy(other: Repository) -> None:
        other.free_stale_locks()
        had = runs.whole(runs.group(other.snapshots()))
        newest = max((made.time for made in had), default=datetime.min.replace(tzinfo=UTC))
        known = {made.id for made in had}
        missing = [made for made in there if made.time >= newest and made.id not in known]
        for made in missing:
            # The manifest last, as when it was made.
            other.copy_from(first, [snapshot for part, snapshot in made.parts.items() if part != runs.MANIFEST])
            other.copy_from(first, [made.parts[runs.MANIFEST]])

    at_each(others, copy)
    return [other.place.name for other in others]


class Job:
    """A backup and its copies. When it is tried again, what was made isn't made twice."""

    def __init__(self, settings: Settings, kind: str) -> None:
        self._settings = settings
        self._kind = kind
        self._made: dict[str, Any] = {}

    def run(self) -> dict[str, Any]:
        if not self._made:
            self._made = Maker(self._settings, self._kind).make()
        # What is made to undo a restore is made while the service is down, and copied with the next one.
        copies = [] if self._kind == runs.SAFETY else copy_to_others(self._settings)
        return result_of(self._made, copies)


def result_of(manifest: dict[str, Any], copies: list[str]) -> dict[str, Any]:
    dumped = manifest.get("database", {})
    return {
        "run": manifest["run"],
        "time": manifest["time"],
        "seconds": manifest["seconds"]["all"],
        "count_seconds": manifest["seconds"].get("count", 0),
        "dump_bytes": dumped.get("dump_bytes", 0),
        "added_bytes": dumped.get("added_bytes", 0) + manifest.get("files", {}).get("added_bytes", 0),
        "tables": len(dumped.get("tables", {})),
        "files": manifest.get("files", {}).get("count", 0),
        "copies": copies,
    }


def prune(settings: Settings) -> dict[str, Any]:
    """Forget what the policy doesn't keep, and free its room, wherever this host may."""
    result: dict[str, Any] = {}

    def thin(repository: Repository) -> None:
        repository.free_stale_locks()
        made = runs.group(repository.snapshots())
        if not repository.place.append_only:
            outdated = set(repository.outdated(settings.keep))
            repository.forget(part for run in made if run.id in outdated for part in run.parts.values())
            repository.prune()
            made = [run for run in made if run.id not in outdated]
        if not result:
            result.update(kept=len(runs.whole(made)), repository_bytes=repository.size())

    at_each(repositories(settings), thin)
    return result
