# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module utility is private to slipway.stack: it may change in any release.

from __future__ import annotations

import json
import os
import re
import stat
from dataclasses import dataclass
from typing import Any

from ansible_collections.slipway.stack.plugins.module_utils._atomic import sync_directory, write_atomically
from ansible_collections.slipway.stack.plugins.module_utils._errors import StackError

Content = dict[str, Any]

_NAME = re.compile(r"[a-z0-9-]+")
_SUFFIX = ".json"


@dataclass(frozen=True)
class Fragment:
    """The text and the mode of one fragment's file. Both are None where there is none."""

    text: str | None = None
    mode: int | None = None


@dataclass(frozen=True)
class Plan:
    path: str
    before: Fragment
    after: Fragment
    others: dict[str, Content]
    merged: dict[str, Content]

    @property
    def changed(self) -> bool:
        return self.before != self.after


def plan(directory: str, name: str, content: Content | None, mode: int) -> Plan:
    """What there is, and what there will be once `name` says `content`, or nothing where that is None."""
    if not _NAME.fullmatch(name):
        raise StackError(f"name {name!r} may have lower-case letters, digits and hyphens only.")
    path = os.path.join(directory, name + _SUFFIX)
    others = _read_others(directory, name)
    after = Fragment() if content is None else Fragment(_as_text(content), mode)
    merged = dict(others) if content is None else {**others, name: content}
    return Plan(path, _look(path), after, others, dict(sorted(merged.items())))


def apply(step: Plan) -> None:
    directory = os.path.dirname(step.path)
    if step.after.text is None or step.after.mode is None:
        os.unlink(step.path)
    else:
        _make_directory(directory)
        write_atomically(step.path, step.after.text.encode(), mode=step.after.mode)
    sync_directory(directory)


def diff_of(step: Plan) -> dict[str, str]:
    return {
        "before": step.before.text or "",
        "after": step.after.text or "",
        "before_header": _header(step.path, step.before),
        "after_header": _header(step.path, step.after),
    }


def _header(path: str, fragment: Fragment) -> str:
    return f"{path} (absent)" if fragment.mode is None else f"{path} ({fragment.mode:04o})"


def _as_text(content: Content) -> str:
    return json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _look(path: str) -> Fragment:
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:
            return Fragment(stream.read(), stat.S_IMODE(os.fstat(stream.fileno()).st_mode))
    except FileNotFoundError:
        return Fragment()


def _read_others(directory: str, own_name: str) -> dict[str, Content]:
    try:
        files = sorted(os.listdir(directory))
    except FileNotFoundError:
        return {}
    names = [file.removesuffix(_SUFFIX) for file in files if file.endswith(_SUFFIX) and not file.startswith(".")]
    return {name: _read(os.path.join(directory, name + _SUFFIX)) for name in names if name != own_name}


def _read(path: str) -> Content:
    try:
        with open(path, encoding="utf-8") as stream:
            content = json.load(stream)
    except ValueError as error:
        raise StackError(f"{path} isn't valid JSON ({error}): mend it, or remove it if nobody needs it.") from error
    if not isinstance(content, dict):
        raise StackError(f"{path} holds no JSON object: mend it, or remove it if nobody needs it.")
    return content


def _make_directory(path: str) -> None:
    missing = []
    while not os.path.isdir(path):
        missing.append(path)
        path = os.path.dirname(path)
    for each in reversed(missing):
        os.mkdir(each)
        os.chmod(each, 0o755)
