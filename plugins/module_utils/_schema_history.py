# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module utility is private to slipway.stack: it may change in any release.
"""Whether an older release can run on the schema as it is, by what the ledgers say of each migration since."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Entry = Mapping[str, Any]
# After each of these the release runs on the schema as it is then.
_ENDED_WELL = ("live", "rolled back", "contracted", "restored", "restarted")
# What an older release isn't troubled by.
_HARMLESS = ("", "none", "expand")
# What knows only the way forward.
_ONE_WAY = ("", "command", "itself")


def changes_since(ledger: Sequence[Entry], release: str) -> list[Entry]:
    """The migrations that ran after the release was last made live, the oldest first; failed runs made some too."""
    begun = 0
    for number, entry in enumerate(ledger, start=1):
        if entry.get("release") == release and entry.get("outcome") in _ENDED_WELL:
            begun = number
    found: list[Entry] = []
    for entry in ledger[begun:]:
        if entry.get("database_kind", "none") == "none" or (found and _is_same(entry, found[-1])):
            continue
        taken_back_to = next((number for number, each in enumerate(found) if _leads_back(entry, each)), None)
        if taken_back_to is None:
            found.append(entry)
        else:
            del found[taken_back_to:]
    return found


def _is_same(entry: Entry, other: Entry) -> bool:
    """A migration is noted when it has run, and again when its release ends well or fails."""
    names = ("release", "database_before", "database_after", "database_kind")
    return all(entry.get(name) == other.get(name) for name in names)


def _leads_back(entry: Entry, earlier: Entry) -> bool:
    """Whether the schema is then what it was before the earlier one."""
    return bool(entry.get("database_after")) and entry["database_after"] == earlier.get("database_before")


def verdict(ledgers: Iterable[Sequence[Entry]], release: str, version: str, choice: str, tool: str) -> dict[str, Any]:
    """What stands in the way of going back to a release, where a downgrade would lead, and what there is to choose."""
    # A host that joined later knows less than the others.
    found = max((changes_since(ledger, release) for ledger in ledgers), key=len, default=[])
    harmful = [entry for entry in found if entry.get("database_kind") not in _HARMLESS]
    # Where nothing was taken away, a release may still refuse what it doesn't know.
    first = (harmful or found or [{}])[0]
    back_to = str(first.get("database_before") or "") if tool not in _ONE_WAY else ""
    backup = _backup_before(found, first)
    # What was chosen already helps no more.
    choices = _choices("" if choice == "downgrade" else back_to, backup) if found else ""
    answer = {"obstacle": "", "downgrade_to": "", "restore": "", "changes": len(found), "choices": choices}
    if choice == "downgrade" and back_to:
        return {**answer, "downgrade_to": back_to}
    if choice == "downgrade" and found:
        return {
            **answer,
            "obstacle": f"Nothing is known of how to take the schema back to what {version} had. "
            f"{_choices('', backup, 'force')}",
        }
    if choice == "restore" and backup:
        return {**answer, "restore": backup}
    if choice == "restore" and found:
        return {
            **answer,
            "obstacle": f"No backup is known from before {_revisions(first)} of {first.get('at')}. "
            f"{_choices(back_to, backup, 'force')}",
        }
    if harmful and choice != "force":
        why = f"{version or release} may not run on the database as it is. {_told(first)} "
        why += _choices(back_to, backup, "force")
        return {**answer, "obstacle": why}
    return answer


def _backup_before(found: Sequence[Entry], first: Entry) -> str:
    """The newest backup from before the first migration that is in the way."""
    known = [str(entry["backup"]) for entry in found[: found.index(first) + 1] if entry.get("backup")] if found else []
    return known[-1] if known else ""


def _choices(back_to: str, backup: str, force: str = "") -> str:
    """To force it helps against what is noted, and not against a release that refuses the schema itself."""
    choices = [f"-e app_database=downgrade takes the schema back to {back_to}"] if back_to else []
    choices += [
        f"-e app_database=restore brings the database of backup {backup} back, without what was written since"
        if backup
        else "restore a backup from before that migration"
    ]
    choices += [f"-e app_database={force} goes back regardless"] if force else []
    return f"Choose: {'; '.join(choices)}."


def _name(revision: Mapping[str, str] | str) -> str:
    """Older ledgers have the name alone."""
    return revision if isinstance(revision, str) else revision["revision"]


def _revisions(entry: Entry) -> str:
    return ", ".join(map(_name, entry.get("database_revisions") or [])) or "a migration"


def _told(entry: Entry) -> str:
    by = f"{entry.get('version') or entry.get('release')} ran {_revisions(entry)} at {entry.get('at')}"
    if entry.get("database_kind") != "contract":
        return f"{by}, and nobody could see what it changed."
    gone = "; ".join(entry.get("database_breaking") or [])
    return f"{by}: {gone}." if gone else f"{by}, which is a contract revision."
