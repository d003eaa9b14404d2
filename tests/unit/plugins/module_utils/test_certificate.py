# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates are read as the cryptography library wrote them."""

from __future__ import annotations

import ipaddress
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from ansible_collections.slipway.stack.plugins.module_utils._certificate import Certificate, parse_certificate

NOW = datetime(2026, 11, 23, 5, 0, tzinfo=UTC)


def der(not_after: datetime, names: list[x509.GeneralName]) -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "not-looked-at.example.com")])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
        .not_valid_after(not_after)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


@pytest.mark.parametrize(
    "not_after",
    [
        datetime(2027, 2, 1, 10, 30, 59, tzinfo=UTC),
        datetime(2049, 12, 31, 23, 59, 59, tzinfo=UTC),
        datetime(2050, 1, 1, tzinfo=UTC),
        datetime(2126, 6, 1, tzinfo=UTC),
    ],
)
def test_the_end_is_read_in_both_notations(not_after: datetime) -> None:
    assert parse_certificate(der(not_after, [])).not_after == not_after


def test_names_and_addresses_are_read() -> None:
    names: list[x509.GeneralName] = [
        x509.DNSName("shop.example.com"),
        x509.DNSName("*.shop.example.com"),
        x509.RFC822Name("who@example.com"),
        x509.IPAddress(ipaddress.ip_address("192.0.2.7")),
        x509.IPAddress(ipaddress.ip_address("2001:db8::7")),
    ]
    parsed = parse_certificate(der(NOW, names))
    assert parsed.names == ("shop.example.com", "*.shop.example.com", "192.0.2.7", "2001:db8::7")


def test_many_names_need_long_lengths() -> None:
    names: list[x509.GeneralName] = [x509.DNSName(f"host-{number}.example.com") for number in range(4000)]
    assert len(parse_certificate(der(NOW, names)).names) == 4000


def test_without_names_none_matches() -> None:
    assert not parse_certificate(der(NOW, [])).matches("not-looked-at.example.com")


@pytest.mark.parametrize(
    ("left", "days"),
    [(timedelta(days=69, hours=23), 69), (timedelta(hours=1), 0), (timedelta(0), 0), (timedelta(hours=-1), -1)],
)
def test_only_whole_days_count(left: timedelta, days: int) -> None:
    assert Certificate(NOW + left, ()).days_left(NOW) == days


@pytest.mark.parametrize(
    ("host", "matches"),
    [
        ("shop.example.com", True),
        ("SHOP.example.com.", True),
        ("a.cdn.example.com", True),
        ("a.b.cdn.example.com", False),
        ("cdn.example.com", False),
        ("example.com", False),
        ("192.0.2.7", True),
        ("192.0.2.8", False),
    ],
)
def test_a_wildcard_stands_for_one_label(host: str, matches: bool) -> None:
    assert Certificate(NOW, ("Shop.example.com", "*.cdn.example.com", "192.0.2.7")).matches(host) is matches
