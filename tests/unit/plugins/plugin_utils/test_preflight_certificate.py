# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which certificates a proxy may serve."""

from __future__ import annotations

import datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from ansible_collections.slipway.stack.plugins.plugin_utils._preflight_certificate import certificate_problems, covers

NOW = datetime.datetime(2026, 6, 1, tzinfo=datetime.UTC)


def make(*names: str, days: int = 90) -> tuple[bytes, bytes]:
    """Make a certificate for some names that is valid for so many days from a month ago."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
    start = NOW - datetime.timedelta(days=30)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(start)
        .not_valid_after(start + datetime.timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return certificate.public_bytes(serialization.Encoding.PEM), private


def test_a_pair_for_the_domain_passes() -> None:
    assert (
        certificate_problems(
            *make("shop.example.com", "*.shop.example.com"), ["shop.example.com", "a.shop.example.com"], NOW
        )
        == []
    )


def test_another_domain_is_refused_by_both_names() -> None:
    (problem,) = certificate_problems(*make("blog.example.com"), ["shop.example.com"], NOW)
    assert "blog.example.com" in problem
    assert "not for shop.example.com" in problem
    assert "app_domain" in problem


def test_an_expired_one_is_refused_with_the_date() -> None:
    (problem,) = certificate_problems(*make("a.example.com", days=10), ["a.example.com"], NOW)
    assert "expired on 2026-05-12" in problem


def test_a_key_of_another_pair_is_refused() -> None:
    certificate, _own = make("a.example.com")
    _other, key = make("a.example.com")
    (problem,) = certificate_problems(certificate, key, ["a.example.com"], NOW)
    assert "nginx_certificate_key doesn't belong" in problem


@pytest.mark.parametrize(("which", "name"), [(0, "nginx_certificate is no PEM"), (1, "nginx_certificate_key is no")])
def test_what_is_no_pem_is_refused(which: int, name: str) -> None:
    pair = list(make("a.example.com"))
    pair[which] = b"nonsense"
    assert name in certificate_problems(pair[0], pair[1], ["a.example.com"], NOW)[0]


@pytest.mark.parametrize(
    ("pattern", "name", "expected"),
    [("*.a.b", "x.a.b", True), ("*.a.b", "a.b", False), ("*.a.b", "x.y.a.b", False), ("A.b", "a.B", True)],
)
def test_wildcards_cover_one_label(pattern: str, name: str, expected: bool) -> None:
    assert covers(pattern, name) is expected
