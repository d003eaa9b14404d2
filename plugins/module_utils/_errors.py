# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module utility is private to slipway.stack: it may change in any release.

from __future__ import annotations

from typing import Any


class StackError(Exception):
    """What went wrong, in one sentence that a user can act on, and what else the module returns."""

    def __init__(self, message: str, **details: Any) -> None:
        super().__init__(message)
        self.details = details
