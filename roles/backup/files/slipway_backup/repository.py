"""A restic repository."""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from .commands import Failure, environment, failure_of, pipe_of, run, splice, started, text_of
from .settings import Place

# restic ends so when a file couldn't be read, and has written a snapshot without it.
INCOMPLETE = 3
# How often it says how far it is; sixty times otherwise.
PROGRESS_PER_SECOND = "0.02"
# A full disk has no room for a lock, and what is on it is wanted all the same. Jobs of this host exclude each other anyway.
READING = "--no-lock"


@dataclass(frozen=True)
class Snapshot:
    """One of restic's snapshots: a part of a run."""

    id: str
    time: datetime
    tags: dict[str, str]


class Repository:
    """One place where runs are kept. Passwords are passed in files and in the environment only."""

    def __init__(self, place: Place, name: str, passphrase_file: str, tools: Path, cache: Path) -> None:
        self.place = place
        self._name = name
        is_local = place.url.startswith("/")
        self._options = ["--no-cache"] if is_local else ["--cleanup-cache"]
        self._access = {"RESTIC_REPOSITORY": place.url, "RESTIC_PASSWORD_FILE": passphrase_file, **place.environment}
        self._environment = environment(
            RESTIC_CACHE_DIR=str(cache), RESTIC_PROGRESS_FPS=PROGRESS_PER_SECOND, **self._access
        )
        # An ssh of our own stands first: it knows the keys of the repositories.
        self._environment["PATH"] = f"{tools}:{self._environment['PATH']}"

    def _restic(self, *arguments: str, allowed: Sequence[int] = (0,)) -> str:
        command = ["restic", *self._options, *arguments]
        try:
            return run(command, self._environment, allowed)
        except Failure as failure:
            raise self._explained(failure) from failure

    def _explained(self, failure: Failure) -> Failure:
        return Failure(f"repository {self.place.name}: {failure}")

    def is_there(self) -> bool:
        """Tell whether it can be opened; raises Failure where something is there that can't."""
        try:
            self._restic("cat", READING, "config")
        except Failure as failure:
            if any(words in str(failure) for words in ("no such file", "does not exist", "Is there a repository")):
                return False
            raise
        return True

    def create(self) -> None:
        self._restic("init")

    def free_stale_locks(self) -> None:
        self._restic("unlock")

    def snapshots(self) -> list[Snapshot]:
        listed = json.loads(self._restic("snapshots", READING, "--json", "--tag", f"app:{self._name}") or "null") or []
        return [
            Snapshot(entry["id"], moment(entry["time"]), dict(tag.partition(":")[::2] for tag in entry["tags"]))
            for entry in listed
        ]

    def store_stream(
        self, command: Sequence[str], env: dict[str, str], filename: str, marks: Sequence[str]
    ) -> dict[str, Any]:
        """Store what a program prints; where that fails, restic is ended before it could think that this was all."""
        backup = ["restic", *self._options, "backup", "--json", "--stdin", "--stdin-filename", filename, *marks]
        pipe = subprocess.PIPE
        with (
            # restic goes on saying how far it is, and would wait for whoever reads that of a pipe.
            tempfile.TemporaryFile() as printed,
            started(command, env, stdout=pipe) as (producer, producer_said),
            started(backup, self._environment, stdin=pipe, stdout=printed) as (restic, restic_said),
        ):
            moved, taken = splice(pipe_of(producer.stdout), pipe_of(restic.stdin))
            if taken:
                if producer.wait() != 0:
                    restic.kill()
                    raise failure_of(command, producer.returncode, text_of(producer_said))
                pipe_of(restic.stdin).close()
            if restic.wait() != 0:
                raise self._explained(failure_of(backup, restic.returncode, text_of(restic_said)))
            return _summary(text_of(printed)) | {"bytes": moved}

    def store_paths(self, paths: Sequence[str], excludes: Sequence[str], marks: Sequence[str]) -> dict[str, Any]:
        command = ["restic", *self._options, "backup", "--json", *marks]
        command += [f"--exclude={pattern}" for pattern in excludes]
        done = subprocess.run(
            [*command, "--", *paths], env=self._environment, check=False, capture_output=True, text=True
        )
        unread = _unread(done.stderr)
        if done.returncode not in (0, INCOMPLETE) or (done.returncode == INCOMPLETE and unread != []):
            said = f"couldn't read {', '.join(unread)}" if unread else done.stderr
            raise self._explained(failure_of(command, done.returncode, said))
        return _summary(done.stdout)

    def fetch(self, snapshot: str, filename: str, target: IO[bytes]) -> None:
        command = ["restic", *self._options, "dump", READING, snapshot, f"/{filename}"]
        with started(command, self._environment, stdout=target) as (restic, said):
            if restic.wait() != 0:
                raise self._explained(failure_of(command, restic.returncode, text_of(said)))

    @contextlib.contextmanager
    def reading(self, snapshot: str, filename: str) -> Iterator[IO[bytes]]:
        """The same as a pipe; raises Failure at its end where the repository couldn't give it all."""
        command = ["restic", *self._options, "dump", READING, snapshot, f"/{filename}"]
        with started(command, self._environment, stdout=subprocess.PIPE) as (restic, said):
            yield pipe_of(restic.stdout)
            if restic.wait() != 0:
                raise self._explained(failure_of(command, restic.returncode, text_of(said)))

    def archive(self, snapshot: str) -> tuple[list[str], dict[str, str]]:
        """The program, and its environment, that prints a snapshot's files as a tar archive."""
        return ["restic", *self._options, "dump", READING, "--archive", "tar", snapshot, "/"], self._environment

    def restore(self, snapshot: str, paths: Sequence[str], target: Path) -> None:
        self._restic("restore", READING, snapshot, "--target", str(target), *(f"--include={path}" for path in paths))

    def forget(self, snapshots: Iterable[str]) -> None:
        ids = list(snapshots)
        if ids and not self.place.append_only:
            self._restic("forget", *ids)

    def outdated(self, keep: dict[str, int | str]) -> list[str]:
        """The runs that the policy wouldn't keep, by restic's own rules."""
        policy = [f"--keep-{period}={count}" for period, count in keep.items() if count]
        said = self._restic(
            "forget", "--dry-run", "--json", "--group-by", "", "--tag", f"app:{self._name},part:manifest", *policy
        )
        groups = json.loads(said.partition("\n")[0] or "[]")
        tags = [tag for group in groups for entry in group["remove"] or [] for tag in entry["tags"]]
        return [tag.partition(":")[2] for tag in tags if tag.startswith("run:")]

    def prune(self) -> None:
        self._restic("prune")

    def check(self, share: str) -> None:
        """Whether everything hangs together, and a share of all data can be read; raises Failure."""
        self._restic("check", f"--read-data-subset={share}")

    def copy_from(self, source: Repository, snapshots: Iterable[str]) -> None:
        ids = list(snapshots)
        if not ids:
            return
        taken = {
            f"RESTIC_FROM_{name[7:]}": value for name, value in source._access.items() if name.startswith("RESTIC_")
        }
        others = {name: value for name, value in source._access.items() if not name.startswith("RESTIC_")}
        try:
            run(["restic", "--cleanup-cache", "copy", *ids], others | self._environment | taken)
        except Failure as failure:
            raise self._explained(failure) from failure

    def size(self) -> int:
        """The bytes that it takes, compressed and encrypted."""
        return int(json.loads(self._restic("stats", READING, "--json", "--mode", "raw-data"))["total_size"])


def moment(text: str) -> datetime:
    """restic's time, which has more digits than Python reads."""
    return datetime.fromisoformat(re.sub(r"\.\d+", "", text))


def _summary(printed: str) -> dict[str, Any]:
    last = json.loads(printed.strip().splitlines()[-1])
    return {
        "id": last["snapshot_id"],
        "added": last.get("data_added_packed", last["data_added"]),
        "bytes": last["total_bytes_processed"],
        "files": last["total_files_processed"],
    }


def _unread(said: str) -> list[str] | None:
    """The files that restic couldn't read and that are still there; None where it didn't say which."""
    entries = []
    for line in said.splitlines():
        with contextlib.suppress(ValueError):
            entries.append(json.loads(line))
    paths = [entry.get("item", "") for entry in entries if entry.get("message_type") == "error"]
    return [path for path in paths if Path(path).exists()] if paths and all(paths) else None
