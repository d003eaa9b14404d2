# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module utility is private to slipway.stack: it may change in any release.

from __future__ import annotations

import os
import re
import secrets
from typing import TYPE_CHECKING

from ansible_collections.slipway.stack.plugins.module_utils._errors import StackError

if TYPE_CHECKING:
    from collections.abc import Callable

# Without its leading zero a mode has usually been read by YAML as a decimal number.
_OCTAL_MODE = re.compile(r"0[0-7]{3,4}")


def parse_mode(text: str, where: str) -> int:
    if not _OCTAL_MODE.fullmatch(text):
        raise StackError(
            f'mode {text!r} of {where} isn\'t an octal number with a leading zero: write it quoted, as in "0644".'
        )
    return int(text, 8)


def scratch_name(path: str) -> str:
    """A name beside path that no `conf.d/*` matches, and that ends as checkers of unit files expect."""
    directory, name = os.path.split(path)
    return os.path.join(directory, f".slipway-{secrets.token_hex(6)}-{name[-100:]}")


def write_atomically(
    path: str,
    content: bytes,
    *,
    mode: int,
    uid: int = -1,
    gid: int = -1,
    check: Callable[[str], None] | None = None,
) -> None:
    """Replace path in one step: readers see the old file or the new one, never a part of it."""
    scratch = scratch_name(path)
    handle = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fchown(stream.fileno(), uid, gid)
            os.fchmod(stream.fileno(), mode)
            os.fsync(stream.fileno())
        if check:
            check(scratch)
        os.replace(scratch, path)
    except BaseException:
        os.unlink(scratch)
        raise


def sync_directory(path: str) -> None:
    """Make renames in path outlive a power loss."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
