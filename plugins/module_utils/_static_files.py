# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module utility is private to slipway.stack: it may change in any release.
"""Static files of releases on a host that runs none of them: a folder for each release, and a link for each slot."""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.slipway.stack.plugins.module_utils._command import run_bounded
from ansible_collections.slipway.stack.plugins.module_utils._errors import StackError
from ansible_collections.slipway.stack.plugins.module_utils._processes import SLOTS
from ansible_collections.slipway.stack.plugins.module_utils._release import read_json, write_json

_UNPACK_SECONDS = 600


@dataclass(frozen=True)
class Archive:
    """The files of a release, and where in them the application is."""

    release: str
    path: str
    below: str


class Shelf:
    """The folders and links below a root."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def _note(self, release: str) -> Path:
        return self.root / release / "release.json"

    def has(self, release: str) -> bool:
        return self._note(release).exists()

    def link_of(self, release: str) -> str:
        return str(Path(release, str(read_json(self._note(release)).get("below", ""))))

    def links(self) -> dict[str, str]:
        paths = {slot: self.root / slot for slot in SLOTS}
        return {slot: os.readlink(path) for slot, path in paths.items() if path.is_symlink()}

    def releases(self) -> set[str]:
        return {path.parent.name for path in self.root.glob("*/release.json") if not path.parent.is_symlink()}

    def unpack(self, archive: Archive) -> None:
        """A folder is there when it is complete."""
        scratch = self.root / f".{archive.release}-{os.getpid()}"
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(parents=True, mode=0o755)
        try:
            done = run_bounded(
                ["tar", "-xzf", archive.path, "--no-same-owner", "-C", str(scratch)],
                capture_output=True,
                text=True,
                timeout=_UNPACK_SECONDS,
                umask=0o022,
            )
            if done.returncode:
                raise StackError(f"the static files of {archive.release} can't be unpacked: {done.stderr.strip()}")
            (scratch / archive.below).mkdir(parents=True, exist_ok=True)
            write_json(scratch / "release.json", {"below": archive.below})
            shutil.rmtree(self.root / archive.release, ignore_errors=True)
            scratch.rename(self.root / archive.release)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)

    def link(self, slot: str, target: str) -> None:
        scratch = self.root / f".{slot}-{os.getpid()}"
        scratch.symlink_to(target)
        scratch.replace(self.root / slot)

    def remove(self, release: str) -> None:
        self._note(release).unlink(missing_ok=True)
        shutil.rmtree(self.root / release)


@dataclass(frozen=True)
class Plan:
    """What is to be done, and which releases are lacking for more."""

    links: Mapping[str, str]
    unlinked: Collection[str]
    removed: Collection[str]
    missing: Collection[str]

    @property
    def changes(self) -> bool:
        return bool(self.links or self.unlinked or self.removed)


def plan(shelf: Shelf, slots: Mapping[str, str], keep: Collection[str]) -> Plan:
    """A slot whose release isn't here yet keeps the files that it has."""
    now = shelf.links()
    here = {slot: shelf.link_of(release) for slot, release in slots.items() if shelf.has(release)}
    wanted = {*keep, *slots.values(), *(target.partition("/")[0] for target in now.values())}
    return Plan(
        links={slot: target for slot, target in here.items() if now.get(slot) != target},
        unlinked=sorted(slot for slot in now if slot not in slots),
        removed=sorted(shelf.releases() - wanted),
        missing=sorted({release for release in slots.values() if not shelf.has(release)}),
    )


def apply(shelf: Shelf, planned: Plan) -> None:
    for slot, target in planned.links.items():
        shelf.link(slot, target)
    for slot in planned.unlinked:
        (shelf.root / slot).unlink()
    for release in planned.removed:
        shelf.remove(release)
