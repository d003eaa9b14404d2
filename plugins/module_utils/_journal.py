# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable

Run = Callable[[list[str]], tuple[int, str, str]]


def last_lines(unit: str, lines: int, run: Run) -> list[str]:
    if lines == 0:
        return []
    code, out, err = run(
        ["journalctl", "--quiet", "--no-pager", "--output=short-iso", f"--lines={lines}", f"--unit={unit}"]
    )
    return (out if code == 0 else f"the journal of {unit} can't be read: {err.strip()}").splitlines()
