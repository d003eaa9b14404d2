# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A certificate is made where there is none that will do, by the real openssl."""

from __future__ import annotations

import ssl
import stat
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.slipway.stack.plugins.module_utils import _self_signed
from ansible_collections.slipway.stack.plugins.module_utils._certificate import Certificate
from ansible_collections.slipway.stack.plugins.modules import self_signed_certificate

NAMES = ["shop.example.com", "*.shop.example.com", "203.0.113.10", "2001:db8::10"]
NOW = datetime(2026, 11, 23, tzinfo=UTC)

RunCertificate = Callable[..., dict[str, Any]]


@pytest.fixture
def pem(tmp_path: Path) -> Path:
    return tmp_path / "tls" / "shop.pem"


@pytest.fixture
def run_certificate(run_module: Callable[..., dict[str, Any]], pem: Path) -> RunCertificate:
    def run(names: list[str] | None = None, *, check_mode: bool = False, **options: Any) -> dict[str, Any]:
        arguments = {"path": str(pem), "names": NAMES if names is None else names, **options}
        return run_module(self_signed_certificate, arguments, check_mode=check_mode, diff=True)

    return run


def test_one_is_made_and_then_kept(run_certificate: RunCertificate, pem: Path) -> None:
    made = run_certificate()
    assert (made["changed"], made["reason"], made["names"]) == (True, "there is none", NAMES)
    assert stat.S_IMODE(pem.stat().st_mode) == 0o600
    before = pem.read_bytes()
    kept = run_certificate()
    assert (kept["changed"], kept["not_after"]) == (False, made["not_after"])
    assert pem.read_bytes() == before
    assert [path.name for path in pem.parent.iterdir()] == ["shop.pem"]


def test_key_and_certificate_belong_together(run_certificate: RunCertificate, pem: Path) -> None:
    run_certificate()
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(pem)


def test_the_order_of_names_does_not_matter_but_the_names_do(run_certificate: RunCertificate) -> None:
    run_certificate()
    assert run_certificate(NAMES[::-1])["changed"] is False
    other = run_certificate(["blog.example.com"])
    assert (other["changed"], other["reason"]) == (True, f"the old one is for {', '.join(NAMES)}")


def test_one_near_its_end_is_renewed(run_certificate: RunCertificate) -> None:
    run_certificate(days=20, renew_days=10)
    assert run_certificate()["reason"] == "the old one has 19 days left"


def test_check_mode_tells_and_does_nothing(run_certificate: RunCertificate, pem: Path) -> None:
    result = run_certificate(check_mode=True)
    assert result["changed"]
    assert "a new certificate for shop.example.com" in result["diff"]["prepared"]
    assert not pem.parent.exists()


def test_a_mode_that_lets_others_read_is_mended(run_certificate: RunCertificate, pem: Path) -> None:
    run_certificate()
    before = pem.read_bytes()
    pem.chmod(0o644)
    assert run_certificate()["changed"]
    assert (stat.S_IMODE(pem.stat().st_mode), pem.read_bytes()) == (0o600, before)


@pytest.mark.parametrize(
    "content", ["", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n-----BEGIN PRIVATE KEY-----\n"]
)
def test_what_is_no_certificate_is_replaced(run_certificate: RunCertificate, pem: Path, content: str) -> None:
    pem.parent.mkdir()
    pem.write_text(content)
    assert run_certificate()["reason"] == "there is none"
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(pem)


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        ([], "names is empty"),
        (["shop\nsubjectAltName=DNS:evil"], "neither a host name nor an address"),
        (["a, DNS:b"], "neither a host name nor an address"),
    ],
)
def test_names_are_checked(run_certificate: RunCertificate, pem: Path, names: list[str], sentence: str) -> None:
    assert sentence in run_certificate(names)["msg"]
    assert not pem.exists()


def test_days_must_outlast_the_renewal(run_certificate: RunCertificate) -> None:
    assert "days must be more than renew_days" in run_certificate(days=30)["msg"]


def test_a_failing_openssl_is_quoted(pem: Path) -> None:
    with pytest.raises(Exception, match="openssl could not make the certificate: no entropy"):
        _self_signed.make(str(pem), ["a.example"], 90, lambda _words: (1, "", "no entropy\n"))
    assert not pem.exists()


def test_the_last_moment_counts() -> None:
    found = Certificate(NOW + timedelta(days=30), ("a.example",))
    assert _self_signed.reason_to_make(found, ["a.example"], 30, NOW) is None
    assert _self_signed.reason_to_make(found, ["a.example"], 30, NOW + timedelta(seconds=1)) is not None
