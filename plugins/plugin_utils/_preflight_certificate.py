# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judge a certificate before a proxy serves it."""

from __future__ import annotations

import contextlib
import datetime
import typing as t

# ansible-core needs it, so it is on every controller; the test that imports each file by itself has only the standard
# library.
with contextlib.suppress(ImportError):
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization


def covers(pattern: str, name: str) -> bool:
    """Tell whether a certificate's name, which may begin with C(*.), covers a host name (RFC 6125)."""
    pattern, name = pattern.lower(), name.lower()
    if pattern.startswith("*."):
        return name.partition(".")[2] == pattern[2:]
    return pattern == name


def certificate_problems(certificate: bytes, key: bytes, names: t.Iterable[str], now: datetime.datetime) -> list[str]:
    """Return a sentence for each reason not to serve this certificate under these names."""
    try:
        parsed = x509.load_pem_x509_certificates(certificate)[0]
    except (ValueError, IndexError):
        return ["nginx_certificate is no PEM certificate: give the path of a file, or the text, that has one."]
    problems = []
    try:
        private = serialization.load_pem_private_key(key, password=None)
    except (ValueError, TypeError):
        problems.append(
            "nginx_certificate_key is no unencrypted PEM key: give the key that belongs to nginx_certificate."
        )
    else:
        spki = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        if private.public_key().public_bytes(*spki) != parsed.public_key().public_bytes(*spki):
            problems.append("nginx_certificate_key doesn't belong to nginx_certificate: give the pair.")
    try:
        covered = parsed.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        sans = covered.get_values_for_type(x509.DNSName)
    except x509.ExtensionNotFound:
        sans = []
    problems += [
        f"nginx_certificate is for {', '.join(sans) or 'no host name'}, not for {name}: give a certificate for app_domain "
        "and app_aliases, or set these to what it covers."
        for name in names
        if not any(covers(pattern, name) for pattern in sans)
    ]
    if parsed.not_valid_after_utc < now:
        problems.append(f"nginx_certificate expired on {parsed.not_valid_after_utc:%Y-%m-%d}: renew it.")
    if parsed.not_valid_before_utc > now:
        problems.append(
            f"nginx_certificate is valid only from {parsed.not_valid_before_utc:%Y-%m-%d}: give one that is valid now."
        )
    return problems
