# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module utility is private to slipway.stack: it may change in any release.

from __future__ import annotations

import ipaddress
import os
import re
import ssl
import stat
import tempfile
from collections.abc import Callable, Sequence
from datetime import datetime

from ansible_collections.slipway.stack.plugins.module_utils._atomic import sync_directory, write_atomically
from ansible_collections.slipway.stack.plugins.module_utils._certificate import Certificate, parse_certificate
from ansible_collections.slipway.stack.plugins.module_utils._errors import StackError

Run = Callable[[list[str]], tuple[int, str, str]]

MODE = 0o600
PARENT_MODE = 0o755
# X.520 allows no longer common name.
LONGEST_COMMON_NAME = 64
_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----\n?", re.DOTALL)
_HOST_NAME = re.compile(
    r"(\*\.)?[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?)*"
)

_REQUEST = """\
[req]
prompt = no
distinguished_name = subject
x509_extensions = extensions
[subject]
O = self-signed by slipway.stack
CN = {common_name}
[extensions]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectAltName = {alternative_names}
"""


def clean_names(names: Sequence[str]) -> list[str]:
    """The names in the form that a certificate bears, each once, in the order given."""
    if not names:
        raise StackError("names is empty: give at least one host name or address.")
    return list(dict.fromkeys(_clean_name(name) for name in names))


def _clean_name(name: str) -> str:
    try:
        return str(ipaddress.ip_address(name))
    except ValueError:
        if not _HOST_NAME.fullmatch(name):
            raise StackError(f"names has {name!r}, which is neither a host name nor an address.") from None
        return name.lower()


def _is_address(name: str) -> bool:
    return ":" in name or name.replace(".", "").isdigit()


def read(path: str) -> tuple[Certificate | None, int | None]:
    """The certificate in the file, if it is one of ours that has its key with it, and the file's mode."""
    try:
        found = os.lstat(path)
        if not stat.S_ISREG(found.st_mode):
            raise StackError(f"{path} isn't a regular file: remove it.")
        with open(path, encoding="ascii", errors="replace") as stream:
            text = stream.read()
    except FileNotFoundError:
        return None, None
    pem = _CERTIFICATE.search(text)
    if not pem or "PRIVATE KEY-----" not in text:
        return None, stat.S_IMODE(found.st_mode)
    try:
        return parse_certificate(ssl.PEM_cert_to_DER_cert(pem[0].strip())), stat.S_IMODE(found.st_mode)
    except (ValueError, IndexError, StopIteration):
        return None, stat.S_IMODE(found.st_mode)


def reason_to_make(found: Certificate | None, names: Sequence[str], renew_days: int, now: datetime) -> str | None:
    """Why a new certificate is needed, as the end of a sentence, or None."""
    if found is None:
        return "there is none"
    if set(found.names) != set(names):
        return f"the old one is for {', '.join(found.names) or 'no name'}"
    days_left = found.days_left(now)
    if days_left < renew_days:
        return f"the old one has {days_left} days left"
    return None


def request(names: Sequence[str]) -> str:
    kinds = ((("IP" if _is_address(name) else "DNS"), name) for name in names)
    return _REQUEST.format(
        common_name=names[0][:LONGEST_COMMON_NAME],
        alternative_names=", ".join(f"{kind}:{name}" for kind, name in kinds),
    )


def make(path: str, names: Sequence[str], days: int, run: Run) -> None:
    directory = os.path.dirname(path)
    os.makedirs(directory, PARENT_MODE, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="slipway-") as scratch:
        config, key, certificate = (os.path.join(scratch, name) for name in ("request", "key", "certificate"))
        with open(config, "w", encoding="ascii") as stream:
            stream.write(request(names))
        words = ["openssl", "req", "-x509", "-noenc", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
        words += ["-sha256", "-days", str(days), "-config", config, "-keyout", key, "-out", certificate]
        try:
            code, _out, err = run(words)
        except OSError as error:
            raise StackError(f"openssl could not run: {error.strerror}. Install the package openssl.") from error
        if code != 0:
            raise StackError(f"openssl could not make the certificate: {err.strip()}")
        pem = b"".join(_content(each) for each in (certificate, key))
    # One file for both: no reader ever finds a key that belongs to another certificate.
    write_atomically(path, pem, mode=MODE)
    sync_directory(directory)


def _content(path: str) -> bytes:
    with open(path, "rb") as stream:
        return stream.read()
