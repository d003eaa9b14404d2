# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module utility is private to slipway.stack: it may change in any release.
"""What a migration does to the tables of a database that nobody else uses: the locks that it takes, rows and sizes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from ansible_collections.slipway.stack.plugins.module_utils._migrate_schema import Query
from ansible_collections.slipway.stack.plugins.module_utils._migrate_session import Session

_POLL_S = 0.005
_LOCKS = """
    SELECT c.oid::regclass::text, l.mode
    FROM pg_locks l JOIN pg_class c ON c.oid = l.relation JOIN pg_namespace n ON n.oid = c.relnamespace
         JOIN pg_stat_activity a USING (pid)
    WHERE l.locktype = 'relation' AND l.granted AND c.relkind IN ('r', 'p') AND n.nspname NOT LIKE 'pg\\_%'
      AND a.application_name NOT LIKE 'slipway migrate %'
      AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""
_TABLES = """
    SELECT c.oid::regclass::text, pg_total_relation_size(c.oid),
           (xpath('/row/n/text()', query_to_xml('SELECT count(*) AS n FROM ' || c.oid::regclass, false, true, '')))[1]::text
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind = 'r' AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'
"""
# The weakest first, and what each keeps others from.
_MODES = {
    "AccessShareLock": "nothing",
    "RowShareLock": "nothing",
    "RowExclusiveLock": "nothing",
    "ShareUpdateExclusiveLock": "changes of the schema",
    "ShareLock": "writes",
    "ShareRowExclusiveLock": "writes",
    "ExclusiveLock": "writes",
    "AccessExclusiveLock": "reads and writes",
}
_ORDER = list(_MODES)


@dataclass
class Held:
    """The strongest lock that was seen on a table."""

    mode: str
    first: float
    last: float


class Locks:
    """What was seen of the locks on each table."""

    def __init__(self) -> None:
        self._held: dict[str, Held] = {}

    def see(self, rows: Iterable[tuple[str, str]], at: float) -> None:
        for table, mode in rows:
            held = self._held.get(table)
            if held is None or _ORDER.index(mode) > _ORDER.index(held.mode):
                self._held[table] = Held(mode, at, at)
            elif held.mode == mode:
                held.last = at

    def told(self) -> list[dict[str, Any]]:
        return [
            {
                "table": table,
                "lock": held.mode.removesuffix("Lock"),
                "blocks": _MODES[held.mode],
                "seconds": round(held.last - held.first, 2),
            }
            for table, held in sorted(self._held.items())
        ]


class Watch:
    """Looks at the locks while its block runs."""

    def __init__(self, connect: Callable[[], Session]) -> None:
        self._connect = connect
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self.locks = Locks()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end.set()
        self._thread.join()

    def _look(self) -> None:
        session = self._connect()
        while not self._end.wait(_POLL_S):
            self.locks.see([(str(table), str(mode)) for table, mode in session.query(_LOCKS)], time.monotonic())
        session.close()


def sizes(query: Query) -> dict[str, tuple[int, int]]:
    """Rows and bytes of each table."""
    return {str(table): (int(rows), int(size)) for table, size, rows in query(_TABLES)}


def told_sizes(before: dict[str, tuple[int, int]], after: dict[str, tuple[int, int]]) -> list[dict[str, Any]]:
    """The tables that differ."""
    none = (0, 0)
    return [
        {
            "table": table,
            "rows_before": before.get(table, none)[0],
            "rows_after": after.get(table, none)[0],
            "bytes_before": before.get(table, none)[1],
            "bytes_after": after.get(table, none)[1],
        }
        for table in sorted({*before, *after})
        if before.get(table, none) != after.get(table, none)
    ]
