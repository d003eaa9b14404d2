# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module utility is private to slipway.stack: it may change in any release.

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ansible_collections.slipway.stack.plugins.module_utils._errors import StackError
from ansible_collections.slipway.stack.plugins.module_utils._ufw_plan import Plan
from ansible_collections.slipway.stack.plugins.module_utils._ufw_state import (
    FAMILIES,
    Connection,
    Firewall,
    plain_ip,
    read_rules,
    read_settings,
)

Run = Callable[[list[str]], tuple[int, str, str]]

DEFAULT_SSH_PORT = 22
_WORDS_OF_SSH_CONNECTION = 4
_LOCK = "/run/lock/slipway-ufw.lock"
_RULES = {4: "/etc/ufw/user.rules", 6: "/etc/ufw/user6.rules"}
_POLICIES = {"ACCEPT": "allow", "DROP": "deny", "REJECT": "reject"}


@contextmanager
def alone() -> Iterator[None]:
    """What one run reads, another shall not change before the first has acted on it."""
    with open(_LOCK, "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def look_at_firewall(ufw: str | None, run: Run) -> Firewall:
    if ufw is None:
        return Firewall()
    code, out, err = run([ufw, "status"])
    if code != 0:
        raise StackError(f"`ufw status` failed: {(err or out).strip()}")
    defaults = read_settings(_text_of("/etc/default/ufw"))
    return Firewall(
        installed=True,
        enabled_at_boot=read_settings(_text_of("/etc/ufw/ufw.conf")).get("ENABLED", "no").lower() == "yes",
        active="Status: active" in out,
        ipv6=defaults.get("IPV6", "no").lower() == "yes",
        incoming=_POLICIES.get(defaults.get("DEFAULT_INPUT_POLICY", ""), ""),
        outgoing=_POLICIES.get(defaults.get("DEFAULT_OUTPUT_POLICY", ""), ""),
        rules=tuple(rule for family in FAMILIES for rule in read_rules(_text_of(_RULES[family]), family)),
    )


def _text_of(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as stream:
            return stream.read()
    except FileNotFoundError:
        return ""


def carry_out(plan: Plan, ufw: str, run: Run) -> None:
    for words in plan.commands:
        code, out, err = run([ufw, *words])
        if code == 0:
            continue
        said = (err or out).strip()
        if words[-1] == "enable":
            run([ufw, "disable"])
            said += " (the firewall was switched off again)"
        raise StackError(f"`ufw {' '.join(words)}` failed: {said}")


def find_connection(proc: str = "/proc") -> Connection | None:
    """The ssh connection that this process descends from: sudo drops the variable that tells, an ancestor has it."""
    pid = os.getpid()
    while pid > 1:
        words = _ssh_connection_of(proc, pid)
        if len(words) == _WORDS_OF_SSH_CONNECTION:
            client, _client_port, server, port = words
            return Connection(plain_ip(client), plain_ip(server), int(port))
        pid = _parent_of(proc, pid)
    return None


def _ssh_connection_of(proc: str, pid: int) -> list[str]:
    try:
        with open(f"{proc}/{pid}/environ", "rb") as stream:
            variables = stream.read().split(b"\0")
    except OSError:
        return []
    prefix = b"SSH_CONNECTION="
    for variable in variables:
        if variable.startswith(prefix):
            return variable.removeprefix(prefix).decode().split()
    return []


def _parent_of(proc: str, pid: int) -> int:
    try:
        with open(f"{proc}/{pid}/stat", encoding="utf-8", errors="replace") as stream:
            return int(stream.read().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def ssh_ports(asked: int, connection: Connection | None, sshd: str | None, run: Run) -> list[int]:
    """The port asked for, else that of the connection, else those on which the host's own sshd listens."""
    if asked:
        return [asked]
    if connection:
        return [connection.port]
    if sshd:
        code, out, _err = run([sshd, "-T"])
        ports = [int(line.split()[1]) for line in out.splitlines() if line.startswith("port ")]
        if code == 0 and ports:
            return sorted(set(ports))
    return [DEFAULT_SSH_PORT]
