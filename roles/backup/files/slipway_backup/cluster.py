"""A PostgreSQL cluster of our own, on a socket of its own, that is gone afterwards."""

from __future__ import annotations

import os
import pwd
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .commands import environment, run
from .database import program

OWNER = "postgres"
# Nothing of it is wanted after a crash.
CONFIGURATION = """
listen_addresses = ''
unix_socket_directories = '{socket}'
unix_socket_permissions = 0700
fsync = off
full_page_writes = off
synchronous_commit = off
wal_level = minimal
max_wal_senders = 0
max_wal_size = 1GB
autovacuum = off
archive_mode = off
max_connections = 20
shared_buffers = 128MB
maintenance_work_mem = 128MB
logging_collector = off
"""


@contextmanager
def throw_away(server: int, parent: Path) -> Iterator[dict[str, str]]:
    """How to reach a cluster that can restore a dump of this server; only root and its owner may."""
    folder = Path(tempfile.mkdtemp(prefix="test-", dir=parent))
    owner = pwd.getpwnam(OWNER)
    os.chown(folder, owner.pw_uid, owner.pw_gid)
    data = folder / "data"
    try:
        _run_as_owner(
            [program("initdb", server), "-D", str(data), "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"]
        )
        (data / "postgresql.auto.conf").write_text(CONFIGURATION.format(socket=folder), encoding="utf-8")
        control = [program("pg_ctl", server), "-D", str(data), "-s", "-w"]
        _run_as_owner([*control, "-l", str(folder / "log"), "start"])
        try:
            yield {"PGHOST": str(folder), "PGUSER": OWNER, "PGDATABASE": OWNER}
        finally:
            _run_as_owner([*control, "-m", "immediate", "stop"])
    finally:
        shutil.rmtree(folder)


def remove_leftovers(parent: Path) -> None:
    """What a test left that was killed; nobody else has such a folder, since one runs at a time."""
    for folder in parent.glob("test-*"):
        if (folder / "data" / "postmaster.pid").exists():
            pid = int((folder / "data" / "postmaster.pid").read_text(encoding="ascii").splitlines()[0])
            if str(folder / "data") in _command_line(pid):
                os.kill(pid, 9)
        shutil.rmtree(folder)


def _command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def as_owner(command: list[str]) -> list[str]:
    return ["setpriv", f"--reuid={OWNER}", f"--regid={OWNER}", "--init-groups", "--", *command]


def _run_as_owner(command: list[str]) -> None:
    run(as_owner(command), environment(), cwd="/")
