# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module utility is private to slipway.stack: it may change in any release.
"""The journals of several hosts as lines in the order of time."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterable, Mapping
from typing import Any


def journal_lines(journals: Mapping[str, str], limit: int = 0) -> list[str]:
    """One line for each entry, the newest last. A journal is what journalctl prints as JSON."""
    entries = [(host, json.loads(line)) for host, text in journals.items() for line in text.splitlines() if line]
    entries.sort(key=lambda pair: int(pair[1]["__REALTIME_TIMESTAMP"]))
    width = max(map(len, journals), default=0)
    return [f"{_at(entry)}  {host:{width}}  {_who(entry)}  {_said(entry)}" for host, entry in entries[-limit:]]


def _at(entry: Mapping[str, Any]) -> str:
    seconds, rest = divmod(int(entry["__REALTIME_TIMESTAMP"]), 1_000_000)
    moment = datetime.datetime.fromtimestamp(seconds, tz=datetime.UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{rest // 1000:03d}Z"


def _who(entry: Mapping[str, Any]) -> str:
    unit = entry.get("_SYSTEMD_UNIT") or entry.get("UNIT") or entry.get("SYSLOG_IDENTIFIER") or "?"
    return str(unit).removesuffix(".service")


def _said(entry: Mapping[str, Any]) -> str:
    """journalctl gives what isn't plain text as bytes."""
    message = entry.get("MESSAGE")
    if isinstance(message, Iterable) and not isinstance(message, str):
        message = bytes(message).decode(errors="replace")
    return "".join(letter if letter.isprintable() else " " for letter in str(message or ""))
