# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Until when, and for which names, a server's certificate is good.

Python's ssl module tells neither of a certificate that it doesn't trust, and a host need not have another library.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

_UTC_TIME = 0x17
_VERSION = 0xA0
_EXTENSIONS = 0xA3
_OCTET_STRING = 0x04
_DNS_NAME = 0x82
_IP_ADDRESS = 0x87
_SUBJECT_ALTERNATIVE_NAME = bytes.fromhex("0603551d11")
_LONG_FORM = 0x80


@dataclass(frozen=True)
class Certificate:
    not_after: datetime
    names: tuple[str, ...]

    def days_left(self, now: datetime) -> int:
        """Whole days until it expires; negative once it has."""
        return (self.not_after - now) // timedelta(days=1)

    def matches(self, host: str) -> bool:
        host = host.lower().rstrip(".")
        _first_label, _dot, domain = host.partition(".")
        return any(name in (host, f"*.{domain}") for name in (each.lower() for each in self.names))


def parse_certificate(der: bytes) -> Certificate:
    certificate = _first(der)
    fields = [(tag, content) for tag, content in _elements(_first(certificate)) if tag != _VERSION]
    # serial number, signature algorithm, issuer, validity, …
    _tag, validity = fields[3]
    _not_before, not_after = _elements(validity)
    extensions = next((content for tag, content in fields if tag == _EXTENSIONS), b"")
    return Certificate(_time(*not_after), tuple(_alternative_names(extensions)))


def _elements(data: bytes) -> Iterator[tuple[int, bytes]]:
    position = 0
    while position < len(data):
        tag, length = data[position], data[position + 1]
        position += 2
        if length & _LONG_FORM:
            size = length ^ _LONG_FORM
            length = int.from_bytes(data[position : position + size], "big")
            position += size
        yield tag, data[position : position + length]
        position += length


def _first(data: bytes) -> bytes:
    return next(_elements(data))[1]


def _time(tag: int, content: bytes) -> datetime:
    text = content.decode("ascii")
    if tag == _UTC_TIME:
        # Two digits of a year mean 1950 to 2049 (RFC 5280, 4.1.2.5.1).
        text = ("19" if text >= "50" else "20") + text
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)


def _alternative_names(extensions: bytes) -> Iterator[str]:
    for _tag, extension in _elements(_first(extensions) if extensions else b""):
        if extension.startswith(_SUBJECT_ALTERNATIVE_NAME):
            for tag, value in _elements(extension):
                if tag == _OCTET_STRING:
                    yield from _names(_first(value))


def _names(general_names: bytes) -> Iterator[str]:
    for tag, content in _elements(general_names):
        if tag == _DNS_NAME:
            yield content.decode("ascii")
        elif tag == _IP_ADDRESS:
            yield str(ipaddress.ip_address(content))
