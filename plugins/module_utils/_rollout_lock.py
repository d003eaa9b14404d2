# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module utility is private to slipway.stack: it may change in any release.
"""The lock that lets one rollout of an application run at a time."""

from __future__ import annotations

import contextlib
import datetime
import fcntl
import json
import os
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from ansible_collections.slipway.stack.plugins.module_utils._atomic import sync_directory, write_atomically
from ansible_collections.slipway.stack.plugins.module_utils._errors import StackError
from ansible_collections.slipway.stack.plugins.module_utils._turn import make_directory

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_MODE = 0o644


@dataclass(frozen=True)
class Holder:
    """Who has the lock, as its file says it."""

    run: str
    owner: str
    purpose: str
    since: str
    expires: str
    controller: dict[str, Any] = field(default_factory=dict)

    @property
    def process(self) -> str:
        pid = self.controller.get("pid")
        return f"{self.owner} (process {pid} there)" if pid else self.owner

    def described(self) -> str:
        purpose = f" for {self.purpose}" if self.purpose else ""
        return f"{self.process} since {_clock(self.since)}{purpose}"


@dataclass(frozen=True)
class Claim:
    """Who wants the lock, and what is known of the one who may have it."""

    run: str
    owner: str = ""
    purpose: str = ""
    minutes: int = 60
    controller: dict[str, Any] = field(default_factory=dict)
    ended: dict[str, Any] = field(default_factory=dict)

    def holder(self, now: datetime.datetime) -> Holder:
        expires = now + datetime.timedelta(minutes=self.minutes)
        return Holder(self.run, self.owner, self.purpose, _text(now), _text(expires), self.controller)


def now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


def lock_path(directory: str, name: str) -> Path:
    if not _NAME.fullmatch(name):
        raise StackError(f"name {name!r} can't name a folder: use letters, digits, '-', '_' and '.'.")
    return Path(directory, name, "rollout.lock")


def read(path: Path) -> Holder | None:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        holder = Holder(**{each.name: content[each.name] for each in fields(Holder)})
        for moment in (holder.since, holder.expires):
            _moment(moment)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (ValueError, TypeError, KeyError) as error:
        raise StackError(
            f"{path} can't be read as a lock ({error}): remove it on this host once no rollout is under way."
        ) from error
    return holder


def cause_of_death(holder: Holder, ended: dict[str, Any], at: datetime.datetime) -> str:
    """Why the holder can't be at work any more; empty while it may be."""
    if ended and holder.controller == ended:
        return "the ansible-playbook that took it has ended"
    if _moment(holder.expires) <= at:
        return f"its lease ended at {_clock(holder.expires)}"
    return ""


def refusal(path: Path, holder: Holder, at: datetime.datetime) -> str:
    age, left = at - _moment(holder.since), _moment(holder.expires) - at
    purpose = f", for {holder.purpose}" if holder.purpose else ""
    return (
        f"another rollout of {path.parent.name} is under way: {holder.process} has held its lock for {_duration(age)}, "
        f"since {_clock(holder.since)}{purpose}, and its lease lasts until {_clock(holder.expires)}, {_duration(left)} "
        f"from now: wait until that run ends, or, if you know that it is dead, remove {path} on this host."
    )


@dataclass(frozen=True)
class Decision:
    """What the lock's file says, and what it will say when the claim is granted."""

    before: Holder | None
    after: Holder | None
    death: str = ""

    @property
    def taken_over(self) -> str:
        return f"{self.before.described()}: {self.death}" if self.before and self.after and self.death else ""


def decide(before: Holder | None, claim: Claim, at: datetime.datetime) -> Decision:
    wanted = claim.holder(at)
    if before is None:
        return Decision(before, wanted)
    if before.run == claim.run:
        return Decision(before, replace(wanted, since=before.since))
    death = cause_of_death(before, claim.ended, at)
    return Decision(before, wanted if death else None, death)


def hold(path: Path, claim: Claim, at: datetime.datetime) -> Decision:
    make_directory(path.parent)
    with _alone(path.parent):
        decision = decide(read(path), claim, at)
        if decision.after:
            write_atomically(str(path), (json.dumps(asdict(decision.after), indent=2) + "\n").encode(), mode=_MODE)
            sync_directory(str(path.parent))
    return decision


def release(path: Path, run: str) -> Holder | None:
    """Give the lock back, and return who had it."""
    if not path.parent.is_dir():
        return None
    with _alone(path.parent):
        holder = read(path)
        if holder and holder.run == run:
            path.unlink()
            sync_directory(str(path.parent))
    return holder


@contextlib.contextmanager
def _alone(directory: Path) -> Iterator[None]:
    """Let one process at a time read and write. It is the directory that is locked, so no file is left behind."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _text(moment: datetime.datetime) -> str:
    return moment.isoformat(timespec="seconds")


def _moment(text: str) -> datetime.datetime:
    moment = datetime.datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text} has no time zone")
    return moment


def _clock(text: str) -> str:
    return f"{_moment(text).astimezone(datetime.UTC):%Y-%m-%d %H:%M:%S} UTC"


def _duration(span: datetime.timedelta) -> str:
    seconds = max(0, int(span.total_seconds()))
    if seconds < 120:
        return f"{seconds} s"
    hours, minutes = divmod(seconds // 60, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"
