# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module utility is private to slipway.stack: it may change in any release.

from __future__ import annotations

import hashlib
import re
import socket
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Protocol

from ansible_collections.slipway.stack.plugins.module_utils._errors import StackError

Reply = Any

TIMEOUT_S = 10.0
SECRETS = frozenset({"requirepass", "masterauth", "tls-key-file-pass", "tls-client-key-file-pass"})
# Directives of a configuration file that a server can't be asked about.
FILE_ONLY = frozenset({"include", "loadmodule", "rename-command", "user"})
_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "kb": 2**10, "mb": 2**20, "gb": 2**30, "b": 1}
_SIZE = re.compile(r"(\d+)(b|k|kb|m|mb|g|gb)?", re.IGNORECASE)
# Redis says so itself, but in check mode it isn't asked to change anything.
_IMMUTABLE = frozenset({"databases", "dbfilename", "dir", "io-threads", "logfile", "pidfile", "unixsocket"})
_SAYS_IMMUTABLE = ("immutable", "protected")
_COMPARED = "slipway-compared"
# Redis 7.0 says so of users whom a command made, and not of those whom its file did.
_DEFAULT_RULE = "sanitize-payload"
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "a": "\a"}
_TOKEN = re.compile(r'"((?:\\.|[^"\\])*)"|\'((?:\\\'|[^\'])*)\'|(\S+)')


class RedisError(StackError):
    """What a server answered instead of doing what it was told."""


class NotRedisError(RedisError):
    """Whoever answers isn't a Redis server."""


class Server(Protocol):
    """Whatever takes a command and gives its reply."""

    def command(self, *words: str) -> Reply:
        """Send one command; raises RedisError where the server refuses."""


class Connection:
    """A connection to a server that speaks RESP, version 2."""

    def __init__(self, address: str | tuple[str, int]) -> None:
        family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_STREAM)
        try:
            self._socket.settimeout(TIMEOUT_S)
            self._socket.connect(address)
        except OSError:
            self._socket.close()
            raise
        self._stream: BinaryIO = self._socket.makefile("rb")

    def close(self) -> None:
        self._stream.close()
        self._socket.close()

    def command(self, *words: str) -> Reply:
        encoded = [word.encode() for word in words]
        message = [b"*%d\r\n" % len(encoded)]
        message += [b"$%d\r\n%b\r\n" % (len(word), word) for word in encoded]
        self._socket.sendall(b"".join(message))
        return self._reply()

    def _reply(self) -> Reply:
        line = self._stream.readline()
        if not line.endswith(b"\r\n"):
            raise NotRedisError("the server closed the connection")
        kind, rest = line[:1], line[1:-2].decode(errors="replace")
        if kind == b"+":
            return rest
        if kind == b"-":
            raise RedisError(rest)
        if kind == b":":
            return int(rest)
        if kind == b"$":
            return None if rest == "-1" else self._stream.read(int(rest) + 2)[:-2].decode(errors="replace")
        if kind == b"*":
            return None if rest == "-1" else [self._reply() for _element in range(int(rest))]
        raise NotRedisError(f"this isn't Redis: it answered {line[:40]!r}")


@dataclass(frozen=True)
class User:
    name: str
    password: str
    rules: tuple[str, ...]

    @property
    def tokens(self) -> list[str]:
        return ["on", "#" + hashlib.sha256(self.password.encode()).hexdigest(), *self.rules]


@dataclass
class Outcome:
    """What was changed in a running server, and what has to wait until it is restarted."""

    changed: list[str] = field(default_factory=list)
    pending: list[str] = field(default_factory=list)
    before: dict[str, str] = field(default_factory=dict)
    after: dict[str, str] = field(default_factory=dict)

    def note(self, name: str, before: str, after: str) -> None:
        self.changed.append(name)
        secret = name in SECRETS
        self.before[name] = "(hidden)" if secret else before
        self.after[name] = "(hidden, changed)" if secret else after


def parse_configuration(text: str) -> dict[str, str]:
    """The directives of a configuration file; of one that stands there twice, the last."""
    directives = {}
    for line in text.splitlines():
        words = split_words(line)
        if words and not words[0].startswith("#"):
            directives[words[0].lower()] = " ".join(words[1:])
    return directives


def split_words(line: str) -> list[str]:
    return [_word(match) for match in _TOKEN.finditer(line)]


def _word(match: re.Match[str]) -> str:
    double_quoted, single_quoted, bare = match.groups()
    if double_quoted is not None:
        return _unescape(double_quoted)
    return bare if single_quoted is None else single_quoted.replace("\\'", "'")


def _unescape(text: str) -> str:
    return re.sub(
        r"\\(x[0-9a-fA-F]{2}|.)",
        lambda match: chr(int(match[1][1:], 16)) if len(match[1]) > 1 else _ESCAPES.get(match[1], match[1]),
        text,
    )


def same_value(wanted: str, found: str) -> bool:
    """Whether a server that says `found` has what a file calls `wanted`."""
    return _canonical(wanted) == _canonical(found)


def _canonical(value: str) -> str:
    return " ".join(_in_bytes(word) for word in value.split())


def _in_bytes(word: str) -> str:
    match = _SIZE.fullmatch(word)
    return str(int(match[1]) * _UNITS[(match[2] or "").lower()]) if match else word


def log_in(server: Server, passwords: Iterable[str]) -> bool:
    """Try to be let in with one password after the other, and without any."""
    for password in dict.fromkeys(passwords):
        try:
            if password:
                server.command("AUTH", password)
            server.command("PING")
        except NotRedisError:
            raise
        except RedisError:
            continue
        return True
    return False


def apply_settings(server: Server, wanted: Mapping[str, str], *, check_mode: bool) -> Outcome:
    outcome = Outcome()
    for name, value in wanted.items():
        if name in FILE_ONLY:
            continue
        found = _setting(server, name)
        if found is None:
            raise StackError(f"this version of Redis doesn't know the setting {name}: correct its name, or remove it.")
        if not same_value(value, found):
            _change(server, outcome, name, value, check_mode=check_mode)
    return outcome


def _setting(server: Server, name: str) -> str | None:
    reply = server.command("CONFIG", "GET", name)
    return str(reply[1]) if reply else None


def _change(server: Server, outcome: Outcome, name: str, value: str, *, check_mode: bool) -> None:
    before = _setting(server, name) or ""
    if name in _IMMUTABLE:
        outcome.pending.append(name)
        return
    if check_mode:
        outcome.note(name, before, value)
        return
    try:
        server.command("CONFIG", "SET", name, value)
    except RedisError as error:
        if not any(word in str(error) for word in _SAYS_IMMUTABLE):
            shown = "(hidden)" if name in SECRETS else repr(value)
            raise StackError(f"Redis refuses {shown} for the setting {name}: {error}") from error
        outcome.pending.append(name)
        return
    after = _setting(server, name) or ""
    # Some values come back in other words than they were given.
    if after != before:
        outcome.note(name, before, after)


def apply_users(server: Server, wanted: Sequence[User], outcome: Outcome, *, check_mode: bool) -> None:
    """Make the server know exactly these users beside `default`."""
    found = _rules_of_users(server)
    for user in wanted:
        if user.name in found and found[user.name] == _rules_once_set(server, user):
            continue
        if not check_mode:
            _set_user(server, user.name, user)
        outcome.note(f"user {user.name}", "as before" if user.name in found else "absent", "as listed")
    for name in sorted(set(found) - {user.name for user in wanted} - {"default"}):
        if not check_mode:
            server.command("ACL", "DELUSER", name)
        outcome.note(f"user {name}", "present", "absent")


def _rules_of_users(server: Server) -> dict[str, list[str]]:
    users = [line.split()[1:] for line in server.command("ACL", "LIST")]
    return {name: [rule for rule in rules if rule != _DEFAULT_RULE] for name, *rules in users}


def _set_user(server: Server, name: str, user: User) -> None:
    try:
        server.command("ACL", "SETUSER", name, "reset", *user.tokens)
    except RedisError as error:
        raise StackError(f"Redis refuses the rules of the user {user.name}: {error}") from error


def _rules_once_set(server: Server, user: User) -> list[str]:
    """What the server will say of a user: it has words of its own for many rules, so a user that is gone at once gets them."""
    try:
        _set_user(server, _COMPARED, user)
        return _rules_of_users(server)[_COMPARED]
    finally:
        server.command("ACL", "DELUSER", _COMPARED)


def count_keys(server: Server) -> int:
    """The number of keys in all databases."""
    return sum(
        int(number) for number in re.findall(r"^db\d+:keys=(\d+)", server.command("INFO", "keyspace"), re.MULTILINE)
    )


def configuration_file(server: Server) -> str:
    match = re.search(r"^config_file:(\S*)", server.command("INFO", "server"), re.MULTILINE)
    return match[1] if match else ""
