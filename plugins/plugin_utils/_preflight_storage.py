# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where files that outlive releases are, when the application runs on several hosts."""

from __future__ import annotations

import typing as t


def storage_problem(directories: t.Iterable[t.Mapping[str, t.Any]], hosts: int) -> str | None:
    """Say which directories would differ from host to host although every host serves from them."""
    local = [directory["name"] for directory in directories if not directory.get("per_host")]
    if hosts < 2 or not local:
        return None
    return (
        f"app_shared_directories[{', '.join(local)}] would be a folder of its own on each of {hosts} hosts: put such "
        "files on storage that all hosts mount and set app_shared_storage to true, or keep them in an object store; set "
        "per_host to true for what one host alone uses, such as the state of a singleton."
    )
