# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which process, of which systemd unit, listens on which TCP port."""

from __future__ import annotations

import os
import re
import typing as t

_LISTEN = "0A"
_SOCKET = re.compile(r"socket:\[(\d+)\]")


def listening_inodes(tables: t.Iterable[str]) -> dict[str, int]:
    """Map the socket inodes of listening sockets to their ports, from the text of /proc/net/tcp and tcp6."""
    ports: dict[str, int] = {}
    for table in tables:
        for line in table.splitlines()[1:]:
            fields = line.split()
            if len(fields) > 9 and fields[3] == _LISTEN:
                ports[fields[9]] = int(fields[1].rpartition(":")[2], 16)
    return ports


def unit_of(cgroup: str) -> str:
    """Return the last systemd service, scope or socket in the text of /proc/PID/cgroup; empty when there's none."""
    for line in cgroup.splitlines():
        for part in reversed(line.rpartition(":")[2].split("/")):
            if part.endswith((".service", ".scope")):
                return part
    return ""


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def listeners(proc: str = "/proc") -> list[dict[str, t.Any]]:
    """List C({port, pid, unit}) for each listening TCP socket that has a process, sorted by port."""
    ports = listening_inodes(_read(f"{proc}/net/{table}") for table in ("tcp", "tcp6"))
    found: dict[tuple[int, str], dict[str, t.Any]] = {}
    for pid in filter(str.isdigit, os.listdir(proc)):
        try:
            descriptors = os.listdir(f"{proc}/{pid}/fd")
        except OSError:  # the process has ended, or belongs to the kernel
            continue
        for descriptor in descriptors:
            try:
                match = _SOCKET.fullmatch(os.readlink(f"{proc}/{pid}/fd/{descriptor}"))
            except OSError:
                continue
            if match and match[1] in ports:
                unit = unit_of(_read(f"{proc}/{pid}/cgroup"))
                found.setdefault((ports[match[1]], unit), {"port": ports[match[1]], "pid": int(pid), "unit": unit})
    return [found[key] for key in sorted(found)]
