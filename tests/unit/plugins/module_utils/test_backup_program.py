# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A backup is whole or none, the policy and a restore see whole ones alone, and a failure is loud."""

from __future__ import annotations

import argparse
import fcntl
import gzip
import importlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

FILES = Path(__file__).parents[4] / "roles" / "backup" / "files"

sys.path.insert(0, str(FILES))

archive, database, facts, main, restore, runs, status, backup_job, repository_module, settings_module, table_module = (
    importlib.import_module(f"slipway_backup.{name}")
    for name in (
        "archive",
        "database",
        "facts",
        "main",
        "restore",
        "runs",
        "status",
        "backup",
        "repository",
        "settings",
        "table",
    )
)
prune, load, table = backup_job.prune, settings_module.load, table_module.table
Failure, Place = repository_module.Failure, settings_module.Place
Repository, Snapshot, moment = repository_module.Repository, repository_module.Snapshot, repository_module.moment

# Enough of restic: snapshots are lines of a file, and one is written when everything was read.
RESTIC = """#!/usr/bin/python3
import hashlib, json, os, sys
folder = os.environ["RESTIC_REPOSITORY"]
words = [word for word in sys.argv[1:] if word not in ("--no-cache", "--cleanup-cache", "--no-lock")]
index = folder + "/snapshots"
log = open(os.path.dirname(folder) + "/calls", "a")
log.write(json.dumps([os.path.basename(folder), *words]) + "\\n")
if not os.path.isdir(folder):
    sys.exit("Fatal: unable to open config file: stat: no such file or directory")
if os.path.exists(folder + "/broken"):
    sys.exit("Fatal: the disk is full")
saved = [json.loads(line) for line in open(index)] if os.path.exists(index) else []
def value(name):
    return words[words.index(name) + 1]
def save(entries):
    with open(index, "w") as file:
        file.writelines(json.dumps(entry) + "\\n" for entry in entries)
if words[0] == "backup":
    # More than a pipe holds.
    for _ in range(2000):
        print(json.dumps({"message_type": "status", "seconds_elapsed": 1, "current_files": ["/" + "x" * 100]}))
    sys.stdout.flush()
    content = sys.stdin.buffer.read() if "--stdin" in words else "\\n".join(words[words.index("--") + 1:]).encode()
    number = hashlib.sha256(content + value("--tag").encode()).hexdigest()
    with open(folder + "/" + number, "wb") as file:
        file.write(content)
    save(saved + [{"id": number, "time": value("--time").replace(" ", "T") + ".123456789Z", "tags": value("--tag").split(",")}])
    print(json.dumps({"snapshot_id": number, "data_added": 7, "total_bytes_processed": len(content), "total_files_processed": 1}))
elif words[0] == "dump":
    sys.stdout.buffer.write(open(folder + "/" + words[1], "rb").read())
    if os.path.exists(folder + "/damaged"):
        sys.exit("Fatal: ciphertext verification failed")
elif words[0] == "snapshots":
    print(json.dumps(saved))
elif words[0] == "copy":
    there = [json.loads(line) for line in open(os.environ["RESTIC_FROM_REPOSITORY"] + "/snapshots")]
    save(saved + [entry for entry in there if entry["id"] in words[1:]])
elif words[0] == "forget" and "--dry-run" in words:
    manifests = [entry for entry in saved if "part:manifest" in entry["tags"]]
    print(json.dumps([{"keep": manifests[-1:], "remove": manifests[:-1] or None}]) if manifests else "")
elif words[0] == "forget":
    save([entry for entry in saved if entry["id"] not in words[1:]])
elif words[0] == "stats":
    print(json.dumps({"total_size": 42}))
"""


def back_up(settings: Any, kind: str) -> Any:
    return backup_job.Job(settings, kind).run()


@pytest.fixture
def settings_path(tmp_path: Path) -> Path:
    """Two repositories and one directory of files; no database."""
    tools = tmp_path / "tools"
    for folder in (tools, tmp_path / "local", tmp_path / "offsite", tmp_path / "work", tmp_path / "uploads"):
        folder.mkdir()
    (tools / "restic").write_text(RESTIC)
    (tools / "restic").chmod(0o755)
    values = {
        "name": "shop",
        "repositories": [
            {"name": "local", "url": str(tmp_path / "local")},
            {"name": "offsite", "url": str(tmp_path / "offsite")},
        ],
        "passphrase_file": str(tmp_path / "passphrase"),
        "database": {},
        "owner": {},
        "paths": [str(tmp_path / "uploads")],
        "excludes": [],
        "redis": [],
        "keep": {"daily": 30, "weekly": 0, "within": "2d"},
        "check": {},
        "test_jobs": 1,
        "test_files": True,
        "test_share": "100%",
        "attempts": 2,
        "pause": 0,
        "alarm": {"command": f'echo "$BACKUP_JOB $BACKUP_ERROR" >>{tmp_path}/alarms'},
        "tools": str(tools),
        "work": str(tmp_path / "work"),
        "metrics": str(tmp_path),
    }
    path = tmp_path / "backup.json"
    path.write_text(json.dumps(values))
    return path


@pytest.fixture
def repository(settings_path: Path, tmp_path: Path) -> Any:
    return Repository(Place("local", str(tmp_path / "local")), "shop", "/nowhere", tmp_path / "tools", tmp_path)


@pytest.fixture
def backup(settings_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """backup(WORD...): the program as timers call it."""

    def call(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "slipway_backup", str(settings_path), *words]
        env = {"PATH": os.environ["PATH"], "PYTHONPATH": f"{FILES}:{':'.join(sys.path)}", **variables}
        return subprocess.run(command, env=env, check=False, capture_output=True, text=True)

    return call


def parts(tmp_path: Path, name: str = "local") -> list[str]:
    index = tmp_path / name / "snapshots"
    lines = index.read_text().splitlines() if index.exists() else []
    return [tag.removeprefix("part:") for line in lines for tag in json.loads(line)["tags"] if tag.startswith("part:")]


MARKS = ["--tag", "app:shop,run:1,part:database", "--host", "shop", "--time", "2026-11-20 03:00:00"]


def test_what_a_program_prints_is_stored_whole(repository: Any, tmp_path: Path) -> None:
    stored = repository.store_stream(["head", "-c", "3000000", "/dev/zero"], {"PATH": "/usr/bin"}, "dump", MARKS)
    assert (stored["bytes"], stored["added"]) == (3000000, 7)
    assert (tmp_path / "local" / stored["id"]).stat().st_size == 3000000


def test_a_program_that_fails_leaves_no_snapshot(repository: Any, tmp_path: Path) -> None:
    command = ["sh", "-c", "head -c 100000 /dev/zero; echo the server went away >&2; exit 3"]
    with pytest.raises(Failure, match="sh ended with 3: the server went away"):
        repository.store_stream(command, {"PATH": "/usr/bin"}, "dump", MARKS)
    assert parts(tmp_path) == []


def test_a_repository_that_fails_says_why_and_ends_the_program(repository: Any, tmp_path: Path) -> None:
    (tmp_path / "local" / "broken").touch()
    started = time.monotonic()
    with pytest.raises(Failure, match="repository local: restic ended with 1: Fatal: the disk is full"):
        repository.store_stream(["yes"], {"PATH": "/usr/bin"}, "dump", MARKS)
    assert time.monotonic() - started < 10


# A dump of 4 MB whose list is within its first 3 MB, for a pg_restore that wants "end" last.
DUMP = b"list" + bytes(3 << 20) + b"rows" + bytes(1 << 20) + b"end"
PG_RESTORE = """#!/usr/bin/python3
import sys
if "--list" in sys.argv:
    head = open(sys.argv[-1], "rb").read()
    if not head.startswith(b"list"[: len(head)]):
        sys.exit("pg_restore: error: unsupported version (1.16) in file header")
    sys.exit(0 if b"rows" in head else "pg_restore: error: could not read from input file: end of file")
if "--section=post-data" in sys.argv:
    open({log!r}, "w").write(" ".join(sys.argv[1:]))
elif {content}:
    sys.stdin.buffer.read(1000)
elif not sys.stdin.buffer.read().endswith(b"end"):
    sys.exit("pg_restore: error: unexpected end of file")
"""


@pytest.fixture
def load_dump(
    repository: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Callable[..., str]:
    """load_dump(DUMP, BYTES): put what the repository holds into a database; returns how the indexes were asked for."""
    pg_restore, log = tmp_path / "pg_restore", tmp_path / "asked"
    is_content = getattr(request, "param", False)
    pg_restore.write_text(PG_RESTORE.format(log=str(log), content=is_content))
    pg_restore.chmod(0o755)
    monkeypatch.setattr(archive, "reader", lambda _recorded: str(pg_restore))
    monkeypatch.setattr(archive, "prepared", lambda *_arguments: [str(pg_restore)])
    monkeypatch.setattr(archive, "analyze", lambda _access: None)

    def call(dump: bytes, dumped: int) -> str:
        (tmp_path / "local" / "1").write_bytes(dump)
        run = runs.Run("1", "manual", datetime.now(UTC), {"database": "1"}, True)
        archive.load_stream(repository, run, {"dump_bytes": dumped, "server": 150000}, {}, 2)
        return log.read_text()

    return call


def test_indexes_are_built_from_the_beginning_of_a_stream(load_dump: Callable[..., str]) -> None:
    asked = load_dump(DUMP, len(DUMP))
    assert asked.startswith("--section=post-data --jobs=2 ")
    assert not Path(asked.split()[-1]).exists()


@pytest.mark.parametrize("there", [2, 3 << 20, len(DUMP) - 1])
def test_a_dump_that_ends_early_isnt_whole(load_dump: Callable[..., str], there: int) -> None:
    with pytest.raises(Failure, match=f"the dump has {there} bytes instead of {len(DUMP)}: it isn't whole"):
        load_dump(DUMP[:there], len(DUMP))


def test_a_stream_that_pg_restore_refuses_fails_in_its_words(load_dump: Callable[..., str]) -> None:
    with pytest.raises(Failure, match="pg_restore ended with 1: pg_restore: error: unexpected end of file"):
        load_dump(DUMP + b"more", len(DUMP) + 4)


@pytest.mark.parametrize("load_dump", [True], indirect=True)
def test_what_pg_restore_needs_no_more_is_read_all_the_same(load_dump: Callable[..., str], tmp_path: Path) -> None:
    assert load_dump(DUMP, len(DUMP)).startswith("--section=post-data")
    with pytest.raises(Failure, match="it isn't whole"):
        load_dump(DUMP[:-5], len(DUMP))
    (tmp_path / "local" / "damaged").touch()
    with pytest.raises(Failure, match="ciphertext verification failed"):
        load_dump(DUMP[:-5], len(DUMP))


def test_a_dump_of_another_kind_is_not_read_to_its_end(load_dump: Callable[..., str]) -> None:
    with pytest.raises(Failure, match="pg_restore ended with 1: pg_restore: error: unsupported version"):
        load_dump(b"PGDMP" + DUMP, len(DUMP) + 5)


def test_a_repository_that_is_damaged_says_so_first(load_dump: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "local" / "damaged").touch()
    with pytest.raises(Failure, match="repository local: restic ended with 1: Fatal: ciphertext verification failed"):
        load_dump(DUMP[:1000], len(DUMP))


def test_the_manifest_is_stored_last_and_copied(backup: Any, tmp_path: Path) -> None:
    made = backup("backup")
    assert made.returncode == 0, made.stderr
    assert parts(tmp_path) == ["files", "manifest"]
    assert sorted(parts(tmp_path, "offsite")) == ["files", "manifest"]
    assert json.loads(made.stdout)["copies"] == ["offsite"]
    assert [run["run"] for run in json.loads(backup("list").stdout)["runs"]] == [json.loads(made.stdout)["run"]]


def test_only_what_is_newer_is_copied(settings_path: Path, tmp_path: Path) -> None:
    settings = load(settings_path)
    back_up(settings, "scheduled")
    (tmp_path / "calls").write_text("")
    back_up(settings, "scheduled")
    copied = [json.loads(line) for line in (tmp_path / "calls").read_text().splitlines()]
    assert [len(words) - 2 for words in copied if words[1] == "copy"] == [1, 1]


def test_a_run_that_broke_off_is_never_listed_and_goes_with_the_next(backup: Any, tmp_path: Path) -> None:
    orphan = {
        "id": "a" * 64,
        "time": "2026-11-20T03:00:00Z",
        "tags": ["app:shop", "run:0", "part:database", "kind:manual"],
    }
    (tmp_path / "local" / "snapshots").write_text(json.dumps(orphan) + "\n")
    assert json.loads(backup("list").stdout)["runs"] == []
    backup("backup")
    assert parts(tmp_path) == ["files", "manifest"]


def test_a_failure_is_tried_again_and_then_loud(backup: Any, tmp_path: Path) -> None:
    (tmp_path / "local" / "broken").touch()
    done = backup("backup")
    assert done.returncode != 0
    assert "attempt 1 of 2 failed" in done.stderr
    assert "the disk is full" in done.stderr
    assert (tmp_path / "alarms").read_text().startswith("backup repository local: restic ended with 1")
    assert json.loads((tmp_path / "work" / "status.json").read_text())["backup"]["state"] == "failed"
    assert (
        'slipway_backup_failed{application="shop",job_name="backup"} 1'
        in (tmp_path / "slipway_backup_shop.prom").read_text()
    )
    (tmp_path / "local" / "broken").unlink()
    assert backup("backup").returncode == 0
    assert json.loads((tmp_path / "work" / "status.json").read_text())["backup"]["state"] == "ok"


def test_nights_without_the_other_repository_are_made_up_for(backup: Any, tmp_path: Path) -> None:
    (tmp_path / "offsite").rename(tmp_path / "away")
    for nights in (1, 2, 3):
        done = backup("backup")
        assert done.returncode != 0
        assert "repository offsite" in done.stderr
        # Two attempts to copy are no two runs.
        assert parts(tmp_path).count("manifest") == nights
    assert len((tmp_path / "alarms").read_text().splitlines()) == 3
    (tmp_path / "away").rename(tmp_path / "offsite")
    assert backup("backup").returncode == 0
    assert parts(tmp_path, "offsite").count("manifest") == parts(tmp_path).count("manifest") == 4


def test_one_that_is_away_keeps_nothing_from_a_third(settings_path: Path, tmp_path: Path) -> None:
    (tmp_path / "third").mkdir()
    values = json.loads(settings_path.read_text())
    values["repositories"].append({"name": "third", "url": str(tmp_path / "third")})
    settings_path.write_text(json.dumps(values))
    (tmp_path / "offsite").rmdir()
    settings = load(settings_path)
    for _night in range(2):
        with pytest.raises(Failure, match="repository offsite"):
            back_up(settings, "scheduled")
    assert parts(tmp_path, "third").count("manifest") == 2
    with pytest.raises(Failure, match="repository offsite"):
        prune(settings)
    assert parts(tmp_path, "third").count("manifest") == 1


def test_what_is_made_to_undo_a_restore_waits_for_nobody(settings_path: Path, tmp_path: Path) -> None:
    settings = load(settings_path)
    (tmp_path / "offsite").rename(tmp_path / "away")
    assert back_up(settings, "safety")["copies"] == []
    (tmp_path / "away").rename(tmp_path / "offsite")
    assert parts(tmp_path, "offsite") == []
    back_up(settings, "scheduled")
    assert parts(tmp_path, "offsite").count("manifest") == 2


def test_a_repository_that_is_away_is_not_made_anew(backup: Any, tmp_path: Path) -> None:
    (tmp_path / "local").rmdir()
    assert "no such file" in backup("backup", "--once").stderr
    assert not (tmp_path / "local").exists()


def test_a_directory_that_is_gone_is_no_empty_one(backup: Any, tmp_path: Path) -> None:
    (tmp_path / "uploads").rmdir()
    assert "uploads isn't there: is its file system mounted?" in backup("backup", "--once").stderr


def test_what_is_made_to_undo_a_restore_does_without_what_was_lost(settings_path: Path, tmp_path: Path) -> None:
    (tmp_path / "uploads").rmdir()
    values = json.loads(settings_path.read_text())
    values["paths"].append(str(settings_path))
    settings_path.write_text(json.dumps(values))
    assert back_up(load(settings_path), "safety")["files"] == 1


def test_who_was_killed_is_loud_too(backup: Any, settings_path: Path, tmp_path: Path) -> None:
    settings = load(settings_path)
    status.Record("shop", settings.work, None).begin("backup")
    backup("ended", "backup", SERVICE_RESULT="signal")
    assert (tmp_path / "alarms").read_text() == "backup it was ended from outside (signal)\n"
    backup("ended", "backup", SERVICE_RESULT="signal")
    assert len((tmp_path / "alarms").read_text().splitlines()) == 1


def test_two_jobs_never_overlap(settings_path: Path) -> None:
    settings = load(settings_path)
    with (
        main.locked(settings, 0),
        pytest.raises(Failure, match="another job of shop runs already"),
        main.locked(settings, 0),
    ):
        pass
    with main.locked(settings, 0):
        pass


def test_a_job_that_waited_in_vain_is_loud(
    settings_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = load(settings_path)
    monkeypatch.setattr(main, "PATIENCE", 0)
    with main.locked(settings, 0), pytest.raises(Failure, match="runs already"):
        main.perform(settings, argparse.Namespace(command="prune"))
    assert "prune another job of shop runs already" in (tmp_path / "alarms").read_text()
    assert json.loads((tmp_path / "work" / "status.json").read_text())["prune"]["state"] == "failed"


def test_no_timer_comes_between_the_steps_of_a_restore(settings_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load(settings_path)
    main.perform(settings, argparse.Namespace(command="backup", kind="safety", once=True))
    with main.locked(settings, 0):
        pass
    monkeypatch.setenv("INVOCATION_ID", "1")
    with pytest.raises(Failure, match="runs already"), main.locked(settings, 0):
        pass
    main.perform(settings, argparse.Namespace(command="swap-files", suffix="x", paths=[]))
    with main.locked(settings, 0):
        pass


def test_a_restore_that_died_holds_nobody_for_long(settings_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load(settings_path)
    main.hold(settings).touch()
    os.utime(main.hold(settings), (time.time() - main.HELD - 1,) * 2)
    monkeypatch.setenv("INVOCATION_ID", "1")
    with main.locked(settings, 0):
        pass


def test_a_boot_tells_what_the_power_ended(backup: Any, settings_path: Path, tmp_path: Path) -> None:
    settings = load(settings_path)
    assert backup("after-boot").returncode == 0
    record = status.Record("shop", settings.work, tmp_path)
    record.begin("backup")
    record.succeed("prune", {})
    with (settings.work / "lock").open("w") as lock:
        lock.write("backup --kind scheduled, process 1")
        lock.flush()
        fcntl.flock(lock, fcntl.LOCK_EX)
        # It goes on.
        assert backup("after-boot").returncode == 0
    done = backup("after-boot")
    assert done.returncode != 0
    assert "backup: it broke off: the host went down, or it was killed" in done.stderr
    assert (tmp_path / "alarms").read_text() == "backup it broke off: the host went down, or it was killed\n"
    assert (
        'slipway_backup_failed{application="shop",job_name="backup"} 1'
        in (tmp_path / "slipway_backup_shop.prom").read_text()
    )
    assert backup("after-boot").returncode == 0


def test_a_run_after_one_that_the_power_ended_tells_it(backup: Any, settings_path: Path, tmp_path: Path) -> None:
    status.Record("shop", load(settings_path).work, None).begin("backup")
    assert backup("backup").returncode == 0
    assert (tmp_path / "alarms").read_text() == "backup it broke off: the host went down, or it was killed\n"


def test_the_policy_removes_whole_runs(settings_path: Path, tmp_path: Path) -> None:
    settings = load(settings_path)
    for _attempt in range(3):
        back_up(settings, "scheduled")
    assert prune(settings) == {"kept": 1, "repository_bytes": 42}
    assert parts(tmp_path) == ["files", "manifest"]
    assert parts(tmp_path, "offsite") == ["files", "manifest"]
    policy = [line for line in (tmp_path / "calls").read_text().splitlines() if "--dry-run" in line]
    assert '"--keep-daily=30", "--keep-within=2d"]' in policy[0]


def test_nothing_is_removed_where_one_may_only_add(settings_path: Path, tmp_path: Path) -> None:
    values = json.loads(settings_path.read_text())
    values["repositories"][1]["append_only"] = True
    settings_path.write_text(json.dumps(values))
    settings = load(settings_path)
    for _attempt in range(2):
        back_up(settings, "scheduled")
    prune(settings)
    assert parts(tmp_path, "offsite").count("manifest") == 2


def snapshot(run: str, part: str, day: int, kind: str = "scheduled", needed: str = "database") -> Any:
    tags = {"run": run, "part": part, "kind": kind} | ({"parts": needed} if part == "manifest" else {})
    return Snapshot(f"{run}{part}".ljust(64, "0"), datetime(2026, 11, day, 3, tzinfo=UTC), tags)


@pytest.fixture
def made() -> list[Any]:
    return runs.group(
        [
            *(snapshot(f"r{day}", part, day) for day in (1, 2, 3) for part in ("database", "manifest")),
            snapshot("r4", "database", 4),
            snapshot("r5", "manifest", 5),
            *(snapshot("r6", part, 6, "safety") for part in ("database", "manifest")),
        ]
    )


def test_a_restore_takes_the_newest_whole_run_or_the_one_that_is_named(made: list[Any]) -> None:
    assert [run.id for run in runs.whole(made)] == ["r1", "r2", "r3", "r6"]
    assert runs.choose(made).id == "r3"
    assert runs.choose(made, "r1").id == "r1"
    assert runs.choose(made, "r6").id == "r6"
    assert runs.choose(made, "2026-11-02 23:00").id == "r2"
    assert runs.choose(made, "2026-11-02T23:00").id == "r2"
    # What a restore replaced isn't what was meant.
    assert runs.choose(made, "2026-11-07T00:00").id == "r3"


def test_a_wish_that_nothing_fits_is_refused(made: list[Any]) -> None:
    for wish, why in {
        "r4": "no whole backup 'r4'",
        "2026-10-01T00:00": "as old as",
        "2026-11-02": "T03:00 without",
        "yesterday": "or a moment",
    }.items():
        with pytest.raises(Failure, match=why):
            runs.choose(made, wish)
    with pytest.raises(Failure, match="no whole backup yet"):
        runs.choose([])


@pytest.mark.parametrize("text", ["2026-11-20T03:00:00.123456789Z", "2026-11-20T04:00:00+01:00"])
def test_times_of_restic_are_read(text: str) -> None:
    assert moment(text) == datetime(2026, 11, 20, 3, tzinfo=UTC)


def test_the_client_is_as_new_as_the_server(tmp_path: Path) -> None:
    for version in ("15", "17", "common"):
        (tmp_path / version / "bin").mkdir(parents=True)
        (tmp_path / version / "bin" / "pg_dump").touch()
    assert database.program("pg_dump", 150018, tmp_path).endswith("/15/bin/pg_dump")
    assert database.program("pg_dump", 160002, tmp_path).endswith("/17/bin/pg_dump")
    with pytest.raises(Failure, match="the server is PostgreSQL 18, and this host has pg_dump of 15, 17 only"):
        database.program("pg_dump", 180001, tmp_path)


def test_an_import_leaves_out_what_only_a_superuser_may_say() -> None:
    dump = b"""CREATE TABLE t (a text);
COMMENT ON EXTENSION pg_trgm IS 'x';
ALTER TABLE public.t OWNER TO somebody;
COPY public.t (a) FROM stdin;
ALTER TABLE public.t OWNER TO somebody;
\\.
COMMENT ON TABLE t IS 'y';
"""
    kept = b"".join(restore.importable(dump.splitlines(keepends=True))).decode()
    assert "EXTENSION" not in kept
    assert kept.count("OWNER TO") == 1
    assert kept.endswith("COMMENT ON TABLE t IS 'y';\n")


@pytest.mark.parametrize(
    "cut",
    [
        b"COPY public.t (a) FROM stdin;\n1\n",
        b"--\n-- PostgreSQL database dump\n--\nCREATE TABLE t (a text);\n",
        b"-- PostgreSQL database dump\nCOPY t (a) FROM stdin;\n-- PostgreSQL database dump complete\n\\.\n",
    ],
)
def test_an_import_that_was_cut_off_is_refused(cut: bytes) -> None:
    with pytest.raises(Failure, match="the dump isn't whole"):
        list(restore.importable(cut.splitlines(keepends=True)))


def test_a_whole_import_and_one_that_no_pg_dump_made_are_taken() -> None:
    for dump in (b"-- PostgreSQL database dump\nSELECT 1;\n-- PostgreSQL database dump complete\n", b"SELECT 1;\n"):
        assert b"".join(restore.importable(dump.splitlines(keepends=True))) == dump


def test_extensions_come_back_where_they_were() -> None:
    schemas = {"citext": "extensions", "pg_trgm": "public", "pgsodium": "pgsodium", "plpgsql": "pg_catalog"}
    assert main.extensions_of({"extensions": list(schemas), "extension_schemas": schemas}) == [
        {"name": "citext", "schema": "extensions"},
        {"name": "pg_trgm", "schema": ""},
        {"name": "pgsodium", "schema": ""},
    ]
    assert main.extensions_of({"extensions": ["citext"]}) == [{"name": "citext", "schema": ""}]


def test_parameters_of_libpq_keep_their_names() -> None:
    for variable, name in {
        "PGDATABASE": "dbname",
        "PGHOST": "host",
        "PGSSLMODE": "sslmode",
        "PGCHANNELBINDING": "channel_binding",
    }.items():
        assert database.parameter(variable) == name


def test_a_gzipped_import_is_opened(tmp_path: Path) -> None:
    path = tmp_path / "dump.sql.gz"
    path.write_bytes(gzip.compress(b"SELECT 1;\n"))
    with restore._opened(path, path.read_bytes()[:5]) as file:
        assert file.read() == b"SELECT 1;\n"


RECORDED = {
    "extensions": ["plpgsql", "pg_trgm"],
    "objects": {"triggers": 2},
    "tables": {"public.a": [3, "99"], "public.b": [1, "5"]},
    "sequences": {"public.a_id_seq": [4, 7]},
}


@pytest.fixture
def restored(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    now = {"extensions": ["pg_trgm", "plpgsql"], "objects": {"triggers": 2}, "tables": dict(RECORDED["tables"])}
    now["sequences"] = {"public.a_id_seq": 5}
    monkeypatch.setattr(facts, "shape", lambda _session: now)
    monkeypatch.setattr(facts, "tables", lambda _session: now["tables"])
    monkeypatch.setattr(facts, "sequences", lambda _session: now["sequences"])
    return now  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({}, []),
        ({"extensions": ["plpgsql"]}, ["the extension pg_trgm is missing"]),
        ({"objects": {}}, ["triggers: none instead of 2"]),
        ({"tables": {"public.a": [2, "99"], "public.b": [1, "5"]}}, ["rows of public.a: 2 instead of 3"]),
        (
            {"tables": {"public.a": [3, "98"], "public.b": [1, "5"]}},
            ["the content of public.a is another: its checksum differs"],
        ),
        ({"tables": {"public.a": [3, "99"]}}, ["rows of public.b: none instead of 1"]),
        ({"sequences": {"public.a_id_seq": 8}}, ["the sequence public.a_id_seq stands at 8 instead of 4 to 7"]),
        ({"sequences": {}}, ["the sequence public.a_id_seq is missing"]),
    ],
)
def test_what_comes_back_otherwise_is_said(restored: dict[str, Any], change: dict[str, Any], said: list[str]) -> None:
    restored.update(change)
    assert facts.differences(RECORDED, None) == said


def test_files_are_swapped_and_swapped_back(tmp_path: Path) -> None:
    live = tmp_path / "uploads"
    live.mkdir()
    (live / "new").touch()
    beside = tmp_path / ".uploads.x" / str(live).lstrip("/")
    beside.mkdir(parents=True)
    (beside / "old").touch()
    assert restore.swap_files([str(live)], "x") == [str(tmp_path / ".uploads.before-x")]
    assert [path.name for path in live.iterdir()] == ["old"]
    restore.swap_back([str(live)], "x")
    assert [path.name for path in live.iterdir()] == ["new"]
    assert [path.name for path in tmp_path.iterdir()] == ["uploads"]


def test_a_directory_that_can_not_be_renamed_is_refused(tmp_path: Path) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text("/dev/sdb1 /srv/my\\040shop/uploads ext4 rw 0 0\n/dev/sdc1 /srv/shop/uploads/big ext4 rw 0 0\n")
    restore.check_swappable(["/srv/shop/uploads2", "/srv/shop/beat"], mounts)
    for path, point in {
        "/srv/my shop/uploads": "/srv/my shop/uploads",
        "/srv/shop/uploads": "/srv/shop/uploads/big",
    }.items():
        with pytest.raises(Failure, match=f"{point} is a file system of its own.*restore_files=false"):
            restore.check_swappable([path], mounts)


def plan_of(settings: Any, **options: Any) -> Any:
    return main.plan(settings, argparse.Namespace(**{"file": "", "run": "", "origin": "", "files": False, **options}))


def test_a_plan_looks_at_the_room_for_files(
    settings_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = load(settings_path)
    made = back_up(settings, "scheduled")
    recorded = {"files": {"paths": [str(tmp_path / "uploads"), "/etc/slipway"], "bytes": 5}}
    monkeypatch.setattr(restore, "manifest_of", lambda _repository, _run: {"time": made["time"], **recorded})
    assert plan_of(settings, files=True)["paths"] == [str(tmp_path / "uploads")]
    assert plan_of(settings)["paths"] == []
    recorded["files"]["bytes"] = 1 << 60
    with pytest.raises(Failure, match="are needed"):
        plan_of(settings, files=True)
    assert plan_of(settings)["run"] == made["run"]


def test_a_disk_that_is_too_small_is_seen_before(tmp_path: Path) -> None:
    with pytest.raises(Failure, match="are needed"):
        restore.check_room(tmp_path, 1 << 60)


def test_the_table_tells_rpo_and_rto() -> None:
    now = 1_000_000.0
    report = {
        "jobs": {
            "backup": {"state": "failed", "began": now - 60, "ended": now - 30, "error": "the disk is full"},
            "test": {
                "state": "ok",
                "began": 0,
                "ended": now,
                "success": {"seconds": 4.2, "run": "r1", "ended": now - 7200},
            },
        },
        "repositories": [
            {"name": "local", "kept": 3, "bytes": 5 << 20, "newest": "r1", "time": now - 3 * 3600},
            {"name": "offsite", "error": "connection refused"},
        ],
    }
    lines = table(report, now).splitlines()
    assert "failed, 0 min ago: the disk is full" in lines[0]
    assert "never ran" in lines[1]
    assert "3 backups in 5.0 MB, the newest r1 of 3 h ago" in lines[3]
    assert "can't be read: connection refused" in lines[4]
    assert lines[5].endswith("3 h")
    assert "4.2 s for r1, proven 2 h ago" in lines[6]
