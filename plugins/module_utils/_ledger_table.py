# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module utility is private to slipway.stack: it may change in any release.
"""The ledgers of several hosts as one table for people."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Entry = Mapping[str, Any]

_GAP = "  "
_RELEASE = 12
_COMMIT = 8
_HOSTS = 3
_REASON = 80
# Steps of a run, which are told by how it ended, unless it never did.
_STEPS = ("migrated", "ran")
# What rounds to nothing.
_BRIEF = 0.05
_COLOUR = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_NEVER = datetime.datetime.min.replace(tzinfo=datetime.UTC)


@dataclass
class Row:
    """What several hosts noted of one run that ended alike on them."""

    entries: list[Entry] = field(default_factory=list)
    hosts: list[str] = field(default_factory=list)

    def each(self, name: str) -> list[str]:
        """The values that differ, in the order of the hosts."""
        return list(dict.fromkeys(text for entry in self.entries if (text := _text(entry.get(name)))))

    def all(self, name: str, length: int | None = None) -> str:
        return ",".join(text[:length] for text in self.each(name))

    def at(self) -> str:
        """When the last host noted it."""
        return max((_text(entry.get("at")) for entry in self.entries), key=_moment)


def _who(row: Row) -> str:
    return "@".join(text for text in (row.all("by"), row.all("from")) if text)


def _database(row: Row) -> str:
    before, after = row.all("database_before"), row.all("database_after")
    return before if before == after else " → ".join(text for text in (before, after) if text)


def _seconds(row: Row) -> str:
    """The slowest host's, since a rollout is done when the last host is."""
    known = [entry["seconds"] for entry in row.entries if isinstance(entry.get("seconds"), (int, float))]
    return f"{max(known):.1f}" if known else ""


def _steps(row: Row) -> str:
    """How long each took where it took longest."""
    slowest: dict[str, float] = {}
    for entry in row.entries:
        for name, seconds in (entry.get("steps") or {}).items():
            slowest[name] = max(seconds, slowest.get(name, 0.0))
    return ", ".join(f"{_text(name)} {seconds:.1f}" for name, seconds in slowest.items() if seconds >= _BRIEF)


def _hosts(row: Row) -> str:
    more = len(row.hosts) - _HOSTS
    return ",".join(row.hosts[:_HOSTS]) + (f",+{more}" if more > 0 else "")


def _reason(row: Row) -> str:
    text = "; ".join(row.each("reason"))
    return text if len(text) <= _REASON else text[: _REASON - 1].rstrip() + "…"


_COLUMNS: dict[str, Callable[[Row], str]] = {
    "at": lambda row: _local(row.at()),
    "outcome": lambda row: row.all("outcome"),
    "version": lambda row: row.all("version"),
    "release": lambda row: row.all("release", _RELEASE),
    "commit": lambda row: row.all("revision", _COMMIT),
    "slot": lambda row: row.all("slot"),
    "inventory": lambda row: row.all("wanted"),
    "database": _database,
    "backup": lambda row: row.all("backup"),
    "by": _who,
    "seconds": _seconds,
    "hosts": _hosts,
    "steps": _steps,
    "reason": _reason,
}
_NUMBERS = {"seconds"}


def ledger_table(ledgers: Mapping[str, Iterable[Entry]], limit: int = 20) -> str:
    """One line for each run, the newest last, under a line of headings. Empty where nothing was released."""
    rows = sorted(_rows(ledgers), key=lambda row: _moment(row.at()))
    if limit:
        rows = rows[-limit:]
    columns = {name: [cell(row) for row in rows] for name, cell in _COLUMNS.items()}
    shown = {name: [name, *cells] for name, cells in columns.items() if any(cells)}
    aligned = [_aligned(cells, name in _NUMBERS) for name, cells in shown.items()]
    return "\n".join(_GAP.join(cells).rstrip() for cells in zip(*aligned, strict=True))


def _rows(ledgers: Mapping[str, Iterable[Entry]]) -> Iterable[Row]:
    rows: dict[tuple[object, ...], Row] = {}
    ledgers = {host: list(entries) for host, entries in ledgers.items()}
    ended = {_text(entry.get("run")) for entries in ledgers.values() for entry in entries if not _is_step(entry)}
    for host, entries in sorted(ledgers.items()):
        for number, entry in enumerate(entries):
            run = _text(entry.get("run"))
            if run and run in ended and _is_step(entry):
                continue
            # Where a run ended in two ways, who ended how is what matters.
            key = (run, _text(entry.get("outcome"))) if run else (host, number)
            row = rows.setdefault(key, Row())
            row.entries.append(entry)
            if host not in row.hosts:
                row.hosts.append(host)
    return rows.values()


def _is_step(entry: Entry) -> bool:
    return entry.get("outcome") in _STEPS


def _aligned(cells: Sequence[str], right: bool) -> list[str]:
    width = max(map(len, cells))
    return [cell.rjust(width) if right else cell.ljust(width) for cell in cells]


def _text(value: Any) -> str:
    """One line without control characters: a reason may hold what a program wrote for a terminal."""
    if value is None:
        return ""
    if isinstance(value, (list, tuple)):
        return ",".join(_text(each) for each in value)
    words = _COLOUR.sub("", str(value)).split()
    return "".join(letter for letter in " ".join(words) if letter.isprintable())


def _moment(text: str) -> datetime.datetime:
    try:
        moment = datetime.datetime.fromisoformat(text)
    except ValueError:
        return _NEVER
    return moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC)


def _local(text: str) -> str:
    moment = _moment(text)
    return text if moment == _NEVER else f"{moment.astimezone():%Y-%m-%dT%H:%M:%S}"
