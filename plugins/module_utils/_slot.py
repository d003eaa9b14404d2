# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module utility is private to slipway.stack: it may change in any release.

"""The flag that says which slot of a site is live: a file that is there means green."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

from ansible_collections.slipway.stack.plugins.module_utils._atomic import sync_directory, write_atomically
from ansible_collections.slipway.stack.plugins.module_utils._errors import StackError

FLAG_MODE = 0o644
_SITE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def flag_path(directory: str, site: str) -> str:
    if not _SITE.fullmatch(site):
        raise StackError(f"site {site!r} can't name a file: use letters, digits, '-', '_' and '.'.")
    return os.path.join(directory, f"{site}.green")


def read(path: str) -> str:
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return "blue"
    except NotADirectoryError:
        raise StackError(f"{os.path.dirname(path)} isn't a directory.") from None
    if not stat.S_ISREG(mode):
        raise StackError(f"{path} isn't a regular file, so what it means can't be told: remove it.")
    return "green"


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


def switch(path: str, slot: str) -> None:
    """Put the flag there or take it away, in one step that outlives a power loss."""
    directory = os.path.dirname(path)
    if not os.path.isdir(directory):
        raise StackError(f"{directory} doesn't exist: apply the role slipway.stack.nginx to this host first.")
    if slot == "green":
        write_atomically(path, b"", mode=FLAG_MODE)
    else:
        os.unlink(path)
    sync_directory(directory)
