# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One piece of a database's maintenance, while nobody waits behind it: maintenance NAME FILE.

The file says of what kind it is, in which databases, and for how long it may wait for a lock. It ends with 1 when
something wasn't done, or an index is invalid, which is what a REINDEX that was cut off leaves behind.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

# The levels that systemd reads.
ERROR, WARNING = "<3>", "<4>"
# The server does the work, so its process has to step back, not this one.
STEP_BACK = r"""
SELECT pg_backend_pid() AS pid \gset
\setenv SLIPWAY_BACKEND :pid
\! renice -n 10 -p $SLIPWAY_BACKEND >/dev/null; ionice -c 2 -n 7 -p $SLIPWAY_BACKEND
"""
TABLES = """
SELECT format('%I.%I', nspname, relname) FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
WHERE relkind IN ('r', 'm') AND relpersistence <> 't' AND nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
ORDER BY relpages
"""
# One that is being made isn't valid yet.
INVALID = """
SELECT indexrelid::regclass FROM pg_index
WHERE NOT indisvalid AND indexrelid NOT IN (SELECT index_relid FROM pg_stat_progress_create_index) ORDER BY 1
"""


class Failure(Exception):
    """What PostgreSQL said."""


def psql(database: str, statement: str, lock_timeout: str = "0") -> list[str]:
    settings = {
        "lock_timeout": lock_timeout,
        # What is cut off here ends in the server too.
        "client_connection_check_interval": "2s",
        # VACUUM makes a pause each time that it has done some work.
        "vacuum_cost_delay": "2ms",
        "client_min_messages": "warning",
    }
    options = " ".join(f"-c {name}={value}" for name, value in settings.items())
    done = subprocess.run(
        ["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-f", "-", "-d", database],
        input=statement,
        text=True,
        capture_output=True,
        env={**os.environ, "PGOPTIONS": options, "PGAPPNAME": "slipway maintenance"},
        check=False,
    )
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"psql ended with {done.returncode}"]
        raise Failure(
            next((line for line in lines if "ERROR" in line), lines[-1]).partition("ERROR:  ")[2] or lines[-1]
        )
    return done.stdout.splitlines()


def statements(database: str, job: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield what is to be run, each with what it is about: one that fails doesn't keep the others from their turn."""
    if job["task"] == "vacuum_analyze":
        yield "", "VACUUM (ANALYZE, SKIP_LOCKED);"
    elif job["task"] == "reindex_concurrently":
        for table in psql(database, TABLES):
            yield f" of {table}", f"REINDEX TABLE CONCURRENTLY {table};"
    else:
        yield "", job["sql"]


def maintain(database: str, job: dict[str, Any]) -> list[str]:
    """Do what there is to do, and return what went wrong."""
    problems = []
    for what, statement in statements(database, job):
        try:
            psql(database, STEP_BACK + statement, job["lock_timeout"])
        except Failure as failure:
            problems.append(f"{job['task']}{what} wasn't done: {failure}")
    if invalid := psql(database, INVALID):
        problems.append(
            f"invalid indexes: {', '.join(invalid)}. Those that end in _ccnew or _ccold were left behind: drop them. Build others anew "
            "with REINDEX INDEX CONCURRENTLY"
        )
    return problems


def main() -> int:
    name, path = sys.argv[1:]
    with open(path, encoding="utf-8") as file:
        job = json.load(file)
    failed = False
    for database in job["databases"]:
        began = time.monotonic()
        try:
            problems = maintain(database, job)
        except Failure as failure:
            problems = [str(failure)]
        for problem in problems:
            print(f"{ERROR}{name} in {database}: {problem}.", flush=True)
        failed = failed or bool(problems)
        outcome = f"ended with {len(problems)} problem(s)" if problems else "is done"
        print(
            f"{WARNING if problems else ''}{name} in {database} {outcome} after {time.monotonic() - began:.1f} s.",
            flush=True,
        )
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
