# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module utility is private to slipway.stack: it may change in any release.
"""Which of Debian's packages someone wanted on this host, read from where dpkg and apt write it down."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

_DPKG = Path("/var/lib/dpkg/status")
_APT = Path("/var/lib/apt/extended_states")


def wanted_packages(dpkg: Path = _DPKG, apt: Path = _APT) -> list[str]:
    """Name what is installed, but not what apt would remove with the package that brought it along."""
    installed = {each["Package"] for each in _stanzas(dpkg) if each.get("Status", "").endswith(" ok installed")}
    automatic = {each["Package"] for each in _stanzas(apt) if each.get("Auto-Installed") == "1"}
    return sorted(installed - automatic)


def _stanzas(path: Path) -> Iterator[dict[str, str]]:
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return
    for stanza in text.split("\n\n"):
        lines = (line.partition(": ") for line in stanza.splitlines() if not line.startswith((" ", "\t")))
        fields = {name: value for name, colon, value in lines if colon}
        if "Package" in fields:
            yield fields
