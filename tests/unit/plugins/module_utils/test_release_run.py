# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a command of a release prints is shown to people, and its passwords aren't."""

from __future__ import annotations

import pytest

from ansible_collections.slipway.stack.plugins.module_utils._release_run import without_passwords


@pytest.mark.parametrize(
    ("printed", "shown"),
    [
        (
            "DATABASE_URL=postgresql+asyncpg://shop:p%40ss@db:5432/shop",
            "DATABASE_URL=postgresql+asyncpg://shop:********@db:5432/shop",
        ),
        ("redis://:word@127.0.0.1:6379/0 is away", "redis://:********@127.0.0.1:6379/0 is away"),
        ("see https://example.com:8443/a@b", "see https://example.com:8443/a@b"),
        ("two: a://b:c@d, e://f:g@h", "two: a://b:********@d, e://f:********@h"),
    ],
)
def test_passwords_in_urls_are_hidden(printed: str, shown: str) -> None:
    assert without_passwords(printed) == shown
