# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of visitors are the same on all hosts, and a singleton's state is where it runs."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.slipway.stack.plugins.plugin_utils._preflight_storage import storage_problem

UPLOADS = {"name": "uploads", "link": "media"}
BEAT = {"name": "beat", "per_host": True}


@pytest.mark.parametrize(
    ("directories", "hosts", "names"),
    [
        ([], 2, None),
        ([UPLOADS, BEAT], 1, None),
        ([BEAT], 2, None),
        ([UPLOADS, BEAT, {"name": "exports", "per_host": False}], 2, "[uploads, exports]"),
    ],
)
def test_what_all_hosts_serve_may_not_differ(directories: list[dict[str, Any]], hosts: int, names: str | None) -> None:
    problem = storage_problem(directories, hosts)
    assert problem is None if names is None else f"app_shared_directories{names} would be" in (problem or "")
