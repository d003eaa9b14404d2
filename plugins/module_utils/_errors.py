# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module utility is private to slipway.stack: it may change in any release.

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible.module_utils.basic import AnsibleModule


class StackError(Exception):
    """What went wrong, in one sentence that a user can act on, and what else the module returns."""

    def __init__(self, message: str, **details: Any) -> None:
        super().__init__(message)
        self.details = details


def conclude(module: AnsibleModule, run: Callable[[AnsibleModule], dict[str, Any]]) -> None:
    """End a module with what it found and did, or with why it couldn't, in one sentence."""
    try:
        result = run(module)
    except StackError as error:
        module.fail_json(msg=str(error), **error.details)
    except OSError as error:
        module.fail_json(msg=f"{error.filename}: {error.strerror}" if error.filename else str(error))
    module.exit_json(**result)
