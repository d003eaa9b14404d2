"""Run a command while nobody else in the fleet does: under a lock that the database grants to one connection at a time.

lease APPLICATION PROCESS COMMAND...: waits for the lock, however long the database is away, then runs the command and
ends as it did. Who loses the connection has lost the lock, and ends the command.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any, NoReturn
from urllib.parse import parse_qsl, unquote, urlsplit

import psycopg2
from psycopg2.extensions import POLL_OK, POLL_READ, POLL_WRITE, connection, make_dsn, set_wait_callback

# Seconds: between two attempts to get the lease, between two looks at the connection that holds it, and to an answer.
RETRY = 1.0
CHECK = 2.0
ANSWER = 5.0
# Seconds that the command has to end once the lease is lost, and that its successor leaves it.
GRACE = 3.0
SETTLE = GRACE + 1
# The server gives up on a holder who is silent for 15 s or little more: not before the holder has given up too.
SERVER_SETTINGS = {
    "tcp_keepalives_idle": 9,
    "tcp_keepalives_interval": 3,
    "tcp_keepalives_count": 2,
    "tcp_user_timeout": 15_000,
}
FORWARDED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2)

URL = re.compile(
    r"postgres(?:ql)?(?:\+\w+)?://(?:(?P<user>[^:/@]*)(?::(?P<password>[^@]*))?@)?(?P<hosts>[^/?]*)(?:/(?P<dbname>[^?]*))?"
    r"(?:\?(?P<query>.*))?"
)
# What a URL may say to libpq; the rest is for the application's own driver.
LIBPQ = re.compile(r"ssl\w+|host|hostaddr|port|user|password|options|channel_binding|target_session_attrs|gssencmode")
# asyncpg's name for sslmode, and the values that other drivers know.
SSL = {"true": "require", "false": "disable"}

TRY = "SELECT pg_try_advisory_lock(%s)"
HOLDER = """
    SELECT coalesce(host(client_addr), 'somebody') || ' holds (backend ' || pid
           || coalesce(', connected since ' || date_trunc('second', backend_start), '') || ')'
    FROM pg_locks JOIN pg_stat_activity USING (pid)
    WHERE locktype = 'advisory' AND granted AND objsubid = 1 AND (classid::bigint << 32 | objid::bigint) = %s
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


def lock_key(application: str, process: str) -> int:
    digest = hashlib.sha256(f"slipway:{application}:{process}".encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)


def libpq_parameters(url: str) -> dict[str, str]:
    """What libpq needs to connect to where the application's own driver does."""
    found = URL.fullmatch(url)
    if found is None:
        raise ValueError("DATABASE_URL isn't postgresql://user:password@host:5432/name")
    hosts = [urlsplit(f"//{host}") for host in found["hosts"].split(",")]
    parameters = {name: unquote(found[name] or "") for name in ("user", "password", "dbname")}
    parameters["host"] = ",".join(host.hostname or "" for host in hosts)
    parameters["port"] = ",".join(str(host.port or "") for host in hosts)
    for name, value in parse_qsl(found["query"] or ""):
        if name == "ssl":
            parameters["sslmode"] = SSL.get(value, value)
        elif LIBPQ.fullmatch(name):
            parameters[name] = value
    return {name: value for name, value in parameters.items() if value}


def wait(session: connection) -> None:
    """Wait for an answer. libpq itself would wait for ever on a dead network, and keep signals waiting too."""
    deadline = time.monotonic() + ANSWER
    while (state := session.poll()) != POLL_OK:
        reading = [session] if state == POLL_READ else []
        writing = [session] if state == POLL_WRITE else []
        if not any(select.select(reading, writing, [], max(0.0, deadline - time.monotonic()))):
            raise psycopg2.OperationalError(f"there was no answer for {ANSWER:.0f} s")


def answer(session: connection, query: str, *values: Any) -> Any:
    """The first column of the first row, if there is one."""
    with session.cursor() as cursor:
        cursor.execute(query, values)
        row = cursor.fetchone()
        return row[0] if row else None


def connect(name: str, parameters: dict[str, str]) -> connection:
    session = psycopg2.connect(make_dsn(**parameters, application_name=f"{name} lease"))
    session.autocommit = True
    for setting, value in SERVER_SETTINGS.items():
        answer(session, "SELECT set_config(%s, %s, false)", setting, str(value))
    if answer(session, "SELECT pg_backend_pid()") != session.info.backend_pid:
        raise ValueError("a connection pooler stands before the database, so that locks aren't tied to who took them")
    return session


def first_line(error: psycopg2.Error) -> str:
    return str(error).strip().partition("\n")[0]


def acquire(name: str, key: int, connected: Callable[[], connection]) -> connection:
    """Return the connection that holds the lease."""
    session: connection | None = None
    reason = ""
    while True:
        said = reason
        try:
            session = session or connected()
            if answer(session, TRY, key):
                if said:
                    # Its holder may have lost it a moment ago, and has to end first.
                    time.sleep(SETTLE)
                    answer(session, "SELECT 1")
                    print(f"the lease of {name} is granted.", flush=True)
                return session
            reason = f"which {answer(session, HOLDER, key) or 'becomes free'}"
        except psycopg2.Error as error:
            session, reason = None, f"but the database is away: {first_line(error)}"
        if reason != said:
            print(f"waiting for the lease of {name}, {reason}.", flush=True)
        time.sleep(RETRY)


def start(command: list[str]) -> subprocess.Popen[bytes]:
    """Start the command, which gets the signals from now on, those that come meanwhile too."""
    early: list[int] = []
    on_signals(early.append)
    child = subprocess.Popen(command, process_group=0)
    on_signals(child.send_signal)
    for number in early:
        child.send_signal(number)
    return child


def on_signals(action: Callable[[int], None]) -> None:
    for number in FORWARDED:
        signal.signal(number, lambda received, _frame: action(received))


def guard(child: subprocess.Popen[bytes], session: connection) -> None:
    """Return when the command has ended; raise when the connection is lost before that."""
    ended = os.pidfd_open(child.pid)
    while ended not in select.select([ended, session.fileno()], [], [], CHECK)[0]:
        answer(session, "SELECT 1")


def clear(child: subprocess.Popen[bytes]) -> None:
    """Nothing that the command started goes on without the lease."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)


def end_alike(status: int) -> NoReturn:
    """End as the command did, so that systemd judges it by that."""
    if status < 0:
        for number in (*FORWARDED, signal.SIGPIPE):
            signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    sys.exit(status)


def main() -> None:
    application, process, *command = sys.argv[1:]
    name = f"{application}-{process}"
    # Until there is a command, every signal simply ends the waiting.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    set_wait_callback(wait)
    try:
        parameters = libpq_parameters(os.environ.get("DATABASE_DIRECT_URL") or os.environ.get("DATABASE_URL", ""))
        session = acquire(name, lock_key(application, process), partial(connect, name, parameters))
    except ValueError as error:
        # <3> is the level that systemd reads: an error.
        sys.exit(
            f"<3>{name} has no lease: {error}. Set app_database_direct_url to the URL past a pooler, give its entry in "
            "app_processes a DATABASE_URL of its own (environment), or set lease to false there to do without."
        )
    child = start(command)
    try:
        guard(child, session)
    except psycopg2.Error as error:
        child.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(GRACE)
        clear(child)
        sys.exit(f"<3>{name} was ended, since its lease is lost: {first_line(error)}.")
    clear(child)
    session.close()
    end_alike(child.wait())


if __name__ == "__main__":
    main()
