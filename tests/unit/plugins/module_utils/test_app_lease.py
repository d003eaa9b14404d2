# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who gets the lease of a singleton, and what becomes of the command that runs under it."""

from __future__ import annotations

import importlib.util
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import psycopg2
import pytest
from psycopg2.extensions import POLL_READ, make_dsn, parse_dsn

from ansible_collections.slipway.stack.plugins.module_utils._urls import database_url

SCRIPT = Path(__file__).parents[4] / "roles" / "app" / "files" / "lease.py"
# The script under a lease that lasts until the other end of a socket is closed.
HOLDER = """
import contextlib, importlib.util, socket, sys
import psycopg2

class Session:
    def __init__(self, number):
        self._socket = socket.socket(fileno=number)
        self._socket.setblocking(False)

    def fileno(self):
        return self._socket.fileno()

    @contextlib.contextmanager
    def cursor(self):
        yield self

    def execute(self, query, values):
        with contextlib.suppress(BlockingIOError):
            if self._socket.recv(1) == b"":
                raise psycopg2.OperationalError("server closed the connection unexpectedly")

    def fetchone(self):
        return (1,)

    def close(self):
        self._socket.close()

script, number, *sys.argv[1:] = sys.argv[1:]
specification = importlib.util.spec_from_file_location("lease", script)
lease = importlib.util.module_from_spec(specification)
specification.loader.exec_module(lease)
lease.acquire = lambda *_: Session(int(number))
lease.CHECK, lease.GRACE = 0.1, 1
lease.main()
"""


@pytest.fixture
def lease() -> ModuleType:
    specification = importlib.util.spec_from_file_location("lease", SCRIPT)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def test_every_process_has_a_key_of_its_own_for_ever(lease: ModuleType) -> None:
    assert lease.lock_key("shop", "beat") == -8353192859286666053
    keys = {lease.lock_key(*names) for names in [("shop", "beat"), ("shop", "clock"), ("blog", "beat")]}
    assert len(keys) == 3
    assert all(-(2**63) <= key < 2**63 for key in keys)


def test_the_command_has_ended_before_anybody_else_may_start(lease: ModuleType) -> None:
    settings = lease.SERVER_SETTINGS
    ended = lease.CHECK + lease.ANSWER + lease.GRACE
    assert ended < settings["tcp_user_timeout"] / 1000
    idle, interval = settings["tcp_keepalives_idle"], settings["tcp_keepalives_interval"]
    assert ended < idle + interval * settings["tcp_keepalives_count"] <= 20
    assert lease.SETTLE > lease.GRACE


PARTS = {
    "host": "10.0.0.5",
    "port": 5432,
    "name": "shop",
    "user": "shop",
    "password": "9f%1/b@d:c ?#&",
    "sslmode": "require",
}


@pytest.mark.parametrize("driver", ["postgresql", "postgresql+asyncpg", "postgresql+psycopg", "postgresql+psycopg2"])
def test_libpq_connects_to_where_the_application_does(lease: ModuleType, driver: str) -> None:
    found = lease.libpq_parameters(database_url({**PARTS, "driver": driver}))
    assert found == {
        "host": "10.0.0.5",
        "port": "5432",
        "dbname": "shop",
        "user": "shop",
        "password": "9f%1/b@d:c ?#&",
        "sslmode": "require",
    }
    assert parse_dsn(make_dsn(**found)) == found


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgres://db/shop", {"host": "db", "dbname": "shop"}),
        (
            "postgresql://shop@[fd00::5]:5433/shop",
            {"user": "shop", "host": "fd00::5", "port": "5433", "dbname": "shop"},
        ),
        ("postgresql:///shop?host=/run/postgresql", {"host": "/run/postgresql", "dbname": "shop"}),
        ("postgresql://db", {"host": "db"}),
        ("postgresql://a:p%ss#/@db/shop", {"user": "a", "password": "p%ss#/", "host": "db", "dbname": "shop"}),
        (
            "postgresql://one:5432,two:5433/shop?target_session_attrs=read-write",
            {"host": "one,two", "port": "5432,5433", "dbname": "shop", "target_session_attrs": "read-write"},
        ),
        (
            "postgresql+asyncpg://db/shop?ssl=verify-full&prepared_statement_cache_size=0",
            {"host": "db", "dbname": "shop", "sslmode": "verify-full"},
        ),
        ("postgres://db/shop?ssl=true", {"host": "db", "dbname": "shop", "sslmode": "require"}),
        (
            "postgresql://db/shop?sslmode=verify-ca&sslrootcert=/etc/ca.pem&application_name=web",
            {"host": "db", "dbname": "shop", "sslmode": "verify-ca", "sslrootcert": "/etc/ca.pem"},
        ),
    ],
)
def test_urls_of_all_drivers_are_understood(lease: ModuleType, url: str, expected: dict[str, str]) -> None:
    found = lease.libpq_parameters(url)
    assert found == expected
    assert parse_dsn(make_dsn(**found)) == expected


@pytest.mark.parametrize(
    "url", ["", "sqlite:///shop.db", "mysql://shop:s3cret@db/shop", "postgresql://a:s3cret@db:x/shop"]
)
def test_another_database_is_refused_without_its_password(lease: ModuleType, url: str) -> None:
    with pytest.raises(ValueError, match=r"isn't postgresql://|Port") as refused:
        lease.libpq_parameters(url)
    assert "s3cret" not in str(refused.value)


class Database:
    """Answers each query by the next of its lines: whether the lock is granted, who holds it, or an error."""

    def __init__(self, *lines: object) -> None:
        self.lines = list(lines)
        self.connections = 0

    def connect(self) -> Database:
        self.connections += 1
        return self

    def answer(self, _session: object, _query: str, *_values: object) -> object:
        line = self.lines.pop(0)
        if isinstance(line, psycopg2.Error):
            raise line
        return line


@pytest.fixture
def acquire(lease: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Callable[[Database], list[float]]:
    """Get the lease of a database. Returns how long was waited, each time."""

    def acquire(database: Database) -> list[float]:
        waits: list[float] = []
        monkeypatch.setattr(lease, "answer", database.answer)
        monkeypatch.setattr(lease.time, "sleep", waits.append)
        assert lease.acquire("shop-beat", 1, database.connect) is database
        assert database.lines == []
        return waits

    return acquire


def test_a_free_lease_is_taken_at_once(acquire: Callable[..., list[float]], capsys: pytest.CaptureFixture[str]) -> None:
    assert acquire(Database(True)) == []
    assert capsys.readouterr().out == ""


def test_whoever_waits_says_once_for_whom_and_lets_them_end(
    lease: ModuleType, acquire: Callable[..., list[float]], capsys: pytest.CaptureFixture[str]
) -> None:
    holder = "10.0.0.5 holds (backend 7)"
    database = Database(False, holder, False, holder, False, None, True, 1)
    assert acquire(database) == [lease.RETRY] * 3 + [lease.SETTLE]
    assert database.connections == 1
    assert capsys.readouterr().out.splitlines() == [
        "waiting for the lease of shop-beat, which 10.0.0.5 holds (backend 7).",
        "waiting for the lease of shop-beat, which becomes free.",
        "the lease of shop-beat is granted.",
    ]


def test_a_database_that_is_away_is_waited_for(
    lease: ModuleType, acquire: Callable[..., list[float]], capsys: pytest.CaptureFixture[str]
) -> None:
    away = psycopg2.OperationalError("connection refused\n\tIs the server running?")
    database = Database(away, away, True, away, True, 1)
    assert acquire(database) == [lease.RETRY, lease.RETRY, lease.SETTLE, lease.RETRY, lease.SETTLE]
    assert database.connections == 4, "one that failed isn't used again"
    assert capsys.readouterr().out.splitlines() == [
        "waiting for the lease of shop-beat, but the database is away: connection refused.",
        "the lease of shop-beat is granted.",
    ]


def test_no_answer_is_waited_for_for_ever(lease: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    class Silent(socket.socket):
        def poll(self) -> int:
            return int(POLL_READ)

    monkeypatch.setattr(lease, "ANSWER", 0.1)
    with Silent() as session, socket.create_server(("127.0.0.1", 0)) as server:
        session.connect(server.getsockname())
        with pytest.raises(psycopg2.OperationalError, match="there was no answer"):
            lease.wait(session)


class Holder:
    """The script, with its lease and the command that it runs. The first line of the command says that it runs."""

    def __init__(self, folder: Path) -> None:
        self._program = folder / "holder.py"
        self._program.write_text(HOLDER)
        self.server, self._client = socket.socketpair()

    def run(self, command: str) -> subprocess.Popen[str]:
        number = self._client.fileno()
        self.process = subprocess.Popen(
            [sys.executable, self._program, SCRIPT, str(number), "shop", "beat", "/bin/sh", "-c", command],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            pass_fds=[number],
            env={**os.environ, "DATABASE_URL": "postgresql://db/shop"},
        )
        self._client.close()
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "runs\n"
        return self.process


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[Holder]:
    holder = Holder(tmp_path)
    yield holder
    holder.server.close()
    holder.process.communicate(timeout=10)


LOST = "<3>shop-beat was ended, since its lease is lost: server closed the connection unexpectedly.\n"


@pytest.mark.parametrize(
    ("command", "status"),
    [("true", 0), ("exit 3", 3), ("kill -TERM $$", -signal.SIGTERM), ("kill -PIPE $$", -signal.SIGPIPE)],
)
def test_it_ends_as_its_command_does(holder: Holder, command: str, status: int) -> None:
    process = holder.run(f"echo runs; sleep 0.3; {command}")
    assert process.communicate(timeout=10) == ("", "")
    assert process.returncode == status


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGUSR1])
def test_a_signal_is_the_commands_to_answer(holder: Holder, number: signal.Signals) -> None:
    trap = f"trap 'sleep 0.5; echo finished; exit 5' {number.name[3:]}"
    process = holder.run(f"{trap}; echo runs; sleep 20 & wait")
    process.send_signal(number)
    assert process.communicate(timeout=10) == ("finished\n", "")
    assert process.returncode == 5


@pytest.mark.parametrize(
    ("answer", "said"), [("echo finished; exit 0", "finished\n"), ("", "")], ids=["in_good_order", "by_force"]
)
def test_with_the_lease_the_command_ends(holder: Holder, answer: str, said: str) -> None:
    process = holder.run(f"trap '{answer}' TERM; echo runs; sleep 20 & wait")
    holder.server.close()
    assert process.communicate(timeout=10) == (said, LOST)
    assert process.returncode == 1


@pytest.mark.parametrize("lost", [True, False])
def test_nothing_that_the_command_started_outlives_the_lease(holder: Holder, lost: bool) -> None:
    # Its output is held open by whatever still runs.
    process = holder.run("sleep 60 & echo runs; " + ("wait" if lost else "sleep 0.3"))
    if lost:
        holder.server.close()
    process.communicate(timeout=10)
    assert process.returncode == (1 if lost else 0)
