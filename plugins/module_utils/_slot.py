# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module utility is private to slipway.stack: it may change in any release.

"""The flags that nginx looks for at each request: which slot of a site is live, and who gets a canary.

A file that is there means that green is live. A canary's flag names the slot that it leads to, so that one that is left
over after the switch leads where everybody goes.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ansible_collections.slipway.stack.plugins.module_utils._atomic import sync_directory, write_atomically
from ansible_collections.slipway.stack.plugins.module_utils._errors import StackError
from ansible_collections.slipway.stack.plugins.module_utils._processes import SLOTS

# nginx can't split by a variable percentage, so the role nginx has a flag for each of these.
CANARY_PERCENTS = (1, 5, 10, 25, 50)
DIRECTORY, CANARY_DIRECTORY, SITES = "/var/lib/slipway/slots", "/run/slipway/slots", "/etc/nginx/sites-available"
FLAG_MODE = 0o644
DIRECTORY_MODE = 0o755
_NOTED = re.compile(r"^# nginx_slots: (\w+)$", re.MULTILINE)
_SITE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True, order=True)
class Canary:
    """A share of the clients, and the slot that they get."""

    percent: int
    slot: str


@dataclass(frozen=True)
class State:
    """The flags of a site. More than one canary is what a run left that was killed while it changed them."""

    live: str
    canaries: frozenset[Canary] = frozenset()
    # Whether visitors get the maintenance page, whichever slot is live.
    maintenance: bool = False

    @property
    def canary(self) -> Canary | None:
        """The one that leads elsewhere than to the live slot. nginx obeys the largest."""
        return max((canary for canary in self.canaries if canary.slot != self.live), default=None)

    def switched(self, live: str) -> State:
        return replace(self, live=live, canaries=frozenset())

    def with_canary(self, percent: int, slot: str) -> State:
        return replace(self, canaries=frozenset([Canary(percent, slot)] if percent else []))


@dataclass(frozen=True)
class Flags:
    """Where the flags of a site are."""

    site: str
    directory: str
    canary_directory: str

    def __post_init__(self) -> None:
        if not _SITE.fullmatch(self.site):
            raise StackError(f"site {self.site!r} can't name a file: use letters, digits, '-', '_' and '.'.")

    @property
    def live(self) -> str:
        return os.path.join(self.directory, f"{self.site}.green")

    @property
    def maintenance(self) -> str:
        return os.path.join(self.directory, f"{self.site}.maintenance")

    def canary(self, canary: Canary) -> str:
        return os.path.join(self.canary_directory, f"{self.site}.canary-{canary.percent}-{canary.slot}")

    def read(self) -> State:
        every = [Canary(percent, slot) for percent in CANARY_PERCENTS for slot in SLOTS]
        return State(
            "green" if _is_there(self.live) else "blue",
            frozenset(canary for canary in every if _is_there(self.canary(canary))),
            _is_there(self.maintenance),
        )

    def change(self, before: State, after: State) -> None:
        """Go from one state to another, in an order in which nobody who got a slot is sent back meanwhile."""
        if not os.path.isdir(self.directory):
            raise StackError(f"{self.directory} doesn't exist: apply the role slipway.stack.nginx to this host first.")
        ended = before.canaries - after.canaries
        # One that is left over since an earlier switch would keep its clients in the slot that everybody else leaves.
        left_over = {canary for canary in ended if canary.slot == before.live != after.live}
        self._end(left_over)
        if before.live != after.live:
            self._put(self.live, there=after.live == "green")
        if before.maintenance != after.maintenance:
            self._put(self.maintenance, there=after.maintenance)
        for canary in after.canaries - before.canaries:
            _make_visible(Path(self.canary_directory))
            write_atomically(self.canary(canary), b"", mode=FLAG_MODE)
        self._end(ended - left_over)

    def _put(self, flag: str, *, there: bool) -> None:
        """Put a flag there or take it away, in one step that outlives a power loss."""
        if there:
            write_atomically(flag, b"", mode=FLAG_MODE)
        else:
            os.unlink(flag)
        sync_directory(self.directory)

    def _end(self, canaries: Iterable[Canary]) -> None:
        for canary in canaries:
            Path(self.canary(canary)).unlink(missing_ok=True)


def noted_slots(configuration: Path) -> str:
    """The hash of nginx_slots that the role nginx writes into the configuration of a site."""
    try:
        found = _NOTED.search(configuration.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return ""
    return found[1] if found else ""


def describe(flags: Flags, before: State, after: State, sites: Path) -> dict[str, Any]:
    """What the module slot returns of a site."""
    configuration = sites / f"{flags.site}.conf"
    return {
        "before": before.live,
        "after": after.live,
        "canary": after.canary.percent if after.canary else 0,
        "maintenance": after.maintenance,
        "path": flags.live,
        "configured": configuration.exists(),
        "slots": noted_slots(configuration),
        "readable": hidden_by(flags.live) is None,
    }


def hidden_by(path: str) -> str | None:
    """The first directory above path that other users, such as nginx's workers, can't look into."""
    for directory in reversed(Path(path).parents):
        try:
            mode = directory.stat().st_mode
        except FileNotFoundError:
            return None
        if not mode & stat.S_IXOTH:
            return str(directory)
    return None


def _is_there(path: str) -> bool:
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return False
    except NotADirectoryError:
        raise StackError(f"{os.path.dirname(path)} isn't a directory.") from None
    if not stat.S_ISREG(mode):
        raise StackError(f"{path} isn't a regular file, so what it means can't be told: remove it.")
    return True


def _make_visible(directory: Path) -> None:
    """Make a directory that nginx's workers can look into, whatever this process' umask is."""
    if directory.is_dir():
        return
    _make_visible(directory.parent)
    directory.mkdir()
    directory.chmod(DIRECTORY_MODE)
