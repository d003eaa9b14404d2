# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a command within a time limit."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from typing import Any


def run_bounded(words: Sequence[str], *, timeout: float, **options: Any) -> subprocess.CompletedProcess[Any]:
    """Run a command and return its result, whatever its exit status.

    C(AnsibleModule.run_command) has no time limit, hands on no file descriptor, and can't be used outside of a module.
    Raises subprocess.TimeoutExpired, and FileNotFoundError where there's no such program.
    """
    # See above for why it isn't run_command.
    return subprocess.run(words, timeout=timeout, check=False, **options)  # pylint: disable=ansible-bad-function
