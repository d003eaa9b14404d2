# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The health_check module against real servers: TCP, TLS and Unix sockets."""

from __future__ import annotations

import contextlib
import ipaddress
import itertools
import json
import re
import socket
import socketserver
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from ansible_collections.slipway.stack.plugins.modules import health_check

RunModule = Callable[..., dict[str, Any]]
DOMAIN = "shop.example.com"
HANGS_S = 2.0


class Service(BaseHTTPRequestHandler):
    """Answers with what it was asked; /status/N with that status, /hang late, /drip for ever."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.path == "/hang":
            time.sleep(HANGS_S)
        if self.path == "/drip":
            self._drip()
            return
        body = json.dumps({"path": self.path, "headers": dict(self.headers), "version": "1.4.3"}).encode()
        self.send_response(int(self.path.rpartition("/")[2]) if self.path.startswith("/status/") else 200)
        if self.path == "/chunked":
            self.send_header("Transfer-Encoding", "chunked")
            body = f"{len(body):x}\r\n".encode() + body + b"\r\n0\r\n\r\n"
        elif self.path != "/until-closed":
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            self.wfile.write(body)
        self.close_connection = True

    def _drip(self) -> None:
        self.send_response(200)
        self.end_headers()
        end = time.monotonic() + HANGS_S
        with contextlib.suppress(ConnectionError):
            while time.monotonic() < end:
                self.wfile.write(b"x")
                self.wfile.flush()
                time.sleep(0.05)
        self.close_connection = True

    def log_message(self, *_arguments: object) -> None:
        """Tests read the module's output only."""


class UnixService(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, _address = super().get_request()
        return connection, ("unix", 0)


@contextlib.contextmanager
def serving(server: socketserver.BaseServer) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def url() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Service)
    with serving(server):
        yield f"http://127.0.0.1:{server.server_port}"


class QuietTLSServer(ThreadingHTTPServer):
    """A client that refuses the certificate is what some tests want."""

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass


@contextlib.contextmanager
def serving_tls(folder: Path, days: int) -> Iterator[tuple[str, str]]:
    """The URL of a server whose certificate ends so many days from now, and the file to trust."""
    bundle = folder / "bundle.pem"
    bundle.write_bytes(certificate_and_key(days))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(bundle)
    server = QuietTLSServer(("127.0.0.1", 0), Service)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    with serving(server):
        yield f"https://127.0.0.1:{server.server_port}/health", str(bundle)


def certificate_and_key(days: int) -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, DOMAIN)])
    now = datetime.now(UTC)
    alternatives = [x509.DNSName(DOMAIN), x509.IPAddress(ipaddress.ip_address("192.0.2.7"))]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=400))
        .not_valid_after(now + timedelta(days=days, hours=1))
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.PEM) + key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def once(*targets: dict[str, Any], **options: Any) -> dict[str, Any]:
    return {"targets": list(targets), "deadline": 0, **options}


@pytest.fixture
def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.mark.parametrize("check_mode", [False, True])
def test_a_healthy_service_is_reported_in_check_mode_too(run_module: RunModule, url: str, check_mode: bool) -> None:
    wanted = {"url": f"{url}/health", "version": "v1.4.3", "json": {"path": "/health"}}
    result = run_module(health_check, once(wanted, successes=3, interval=0.01, deadline=9), check_mode=check_mode)
    assert result["healthy"]
    assert not result["changed"]
    (report,) = result["targets"]
    assert [sample["status"] for sample in report["samples"]] == [200, 200, 200]
    assert 0 < report["latency_ms"]["p50"] <= report["latency_ms"]["p95"] <= report["latency_ms"]["max"]


@pytest.mark.parametrize("path", ["/plain", "/chunked", "/until-closed"])
def test_each_kind_of_body_is_read(run_module: RunModule, url: str, path: str) -> None:
    assert run_module(health_check, once({"url": url + path, "json": {"path": path}}))["healthy"]


def test_the_headers_are_those_of_the_proxy(run_module: RunModule, url: str) -> None:
    wanted = {
        "url": f"{url}/?x=1",
        "host": DOMAIN,
        "forwarded_proto": "https",
        "json": {"path": "/?x=1", "headers.Host": DOMAIN, "headers.X-Forwarded-Proto": "https"},
    }
    assert run_module(health_check, once(wanted))["healthy"]


def test_the_host_header_bears_the_port(run_module: RunModule, url: str) -> None:
    wanted = {"url": f"{url}/", "json": {"headers.Host": url.removeprefix("http://")}}
    assert run_module(health_check, once(wanted))["healthy"]


def test_a_redirect_is_not_followed(run_module: RunModule, url: str) -> None:
    assert run_module(health_check, once({"url": f"{url}/status/301", "status": [301]}))["healthy"]


def test_one_bad_target_fails_the_task_and_names_itself_only(run_module: RunModule, url: str, closed_port: int) -> None:
    targets = [{"url": f"{url}/"}, {"url": f"http://127.0.0.1:{closed_port}/", "name": "the worker"}]
    result = run_module(health_check, once(*targets))
    assert result["failed"]
    assert result["msg"] == (
        f"the worker (http://127.0.0.1:{closed_port}/) isn't healthy: "
        "expected an answer, got Connection refused (1 try in 0.0 s, 0 good)."
    )
    assert [report["healthy"] for report in result["targets"]] == [True, False]


def test_without_fail_it_only_reports(run_module: RunModule, url: str) -> None:
    result = run_module(health_check, once({"url": f"{url}/status/503"}, fail=False))
    assert "failed" not in result
    assert result["healthy"] is False
    assert "expected status 200, got 503" in result["targets"][0]["reason"]


@pytest.mark.parametrize("path", ["/hang", "/drip"])
def test_a_try_ends_on_time_even_while_bytes_still_come(run_module: RunModule, url: str, path: str) -> None:
    start = time.monotonic()
    result = run_module(health_check, once({"url": url + path}, timeout=0.3, fail=False))
    assert "got none within 0.3 s" in result["targets"][0]["reason"]
    assert time.monotonic() - start < HANGS_S / 2


def test_targets_do_not_wait_for_each_other(run_module: RunModule, url: str) -> None:
    start = time.monotonic()
    result = run_module(health_check, once(*[{"url": f"{url}/hang"}] * 8, timeout=2 * HANGS_S))
    assert result["healthy"]
    assert time.monotonic() - start < 2 * HANGS_S


def test_a_tcp_port_is_healthy_when_it_accepts(run_module: RunModule, url: str, closed_port: int) -> None:
    targets = [{"url": url.replace("http:", "tcp:")}, {"url": f"tcp://127.0.0.1:{closed_port}"}]
    result = run_module(health_check, once(*targets, fail=False))
    assert [report["healthy"] for report in result["targets"]] == [True, False]


def test_a_unix_socket_is_asked_like_a_port(run_module: RunModule, tmp_path: Path) -> None:
    path = tmp_path / "web.sock"
    wanted = {"url": "http://localhost/ready", "unix_socket": str(path), "json": {"headers.Host": "localhost"}}
    with serving(UnixService(str(path), Service)):
        assert run_module(health_check, once(wanted))["healthy"]
    assert "Connection refused" in run_module(health_check, once(wanted))["msg"]


def test_what_is_not_http_is_said_so(run_module: RunModule) -> None:
    class Greeter(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(1000)
            self.request.sendall(b"SSH-2.0-OpenSSH\r\n")

    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Greeter)
    with serving(server):
        result = run_module(health_check, once({"url": f"http://127.0.0.1:{server.server_address[1]}/"}))
    assert "something that isn't HTTP" in result["msg"]


def test_a_trusted_certificate_is_reported(run_module: RunModule, tmp_path: Path) -> None:
    with serving_tls(tmp_path, days=69) as (url, ca):
        result = run_module(health_check, once({"url": url, "host": DOMAIN, "ca_path": ca}))
    certificate = result["targets"][0]["certificate"]
    assert certificate["days_left"] == 69
    assert certificate["names"] == [DOMAIN, "192.0.2.7"]
    assert certificate["name_matches"] is True


@pytest.mark.parametrize(
    ("days", "host", "trusted", "words"),
    [
        (69, DOMAIN, False, "self-signed certificate"),
        (-3, DOMAIN, True, "certificate has expired"),
        (69, "blog.example.com", True, "not valid for 'blog.example.com'"),
    ],
)
def test_a_certificate_that_is_not_good_fails_or_is_reported(
    run_module: RunModule, tmp_path: Path, days: int, host: str, trusted: bool, words: str
) -> None:
    with serving_tls(tmp_path, days) as (url, ca):
        wanted = {"url": url, "host": host, **({"ca_path": ca} if trusted else {})}
        failed = run_module(health_check, once(wanted))
        reported = run_module(health_check, once({**wanted, "validate_certs": False}))
    assert "a certificate that can't be trusted" in failed["msg"]
    assert words in failed["msg"]
    assert reported["healthy"]
    certificate = reported["targets"][0]["certificate"]
    assert certificate["days_left"] == days
    assert certificate["name_matches"] is (host == DOMAIN)


def test_a_file_of_authorities_that_is_missing_is_named(run_module: RunModule, url: str) -> None:
    wanted = {"url": url.replace("http:", "https:"), "ca_path": "/nonexistent.pem"}
    assert "ca_path /nonexistent.pem can't be used" in run_module(health_check, once(wanted))["msg"]


def test_a_stranger_on_the_port_does_not_pass(run_module: RunModule, url: str) -> None:
    result = run_module(health_check, once({"url": f"{url}/", "unit": "web@green.service"}))
    assert f"expected port {url.rpartition(':')[2]} to be held by web@green.service, got process" in result["msg"]


def test_the_journal_is_quoted_where_asked(
    run_module: RunModule, closed_port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "journalctl").write_text('#!/bin/sh\necho "last words: $*"\n')
    (tmp_path / "journalctl").chmod(0o700)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    wanted = {"url": f"tcp://127.0.0.1:{closed_port}", "journal_unit": "web.service"}
    result = run_module(health_check, once(wanted, journal_lines=5))
    assert "--lines=5 --unit=web.service" in result["msg"].splitlines()[1]
    assert len(result["targets"][0]["journal"]) == 1


@pytest.mark.parametrize(
    "target", [{"url": "tcp://127.0.0.1:{port}", "unit": "web.service"}, {"url": "unit://web.service"}]
)
def test_a_crash_loop_ends_long_before_the_deadline(
    run_module: RunModule, closed_port: int, monkeypatch: pytest.MonkeyPatch, target: dict[str, str]
) -> None:
    restarts = itertools.count()

    def run_command(_module: object, words: list[str], **_more: object) -> tuple[int, str, str]:
        if words[0] == "journalctl":
            return 0, "ImportError: no such name\n", ""
        return 0, f"LoadState=loaded\nActiveState=activating\nNRestarts={next(restarts)}\nResult=exit-code\n", ""

    monkeypatch.setattr(health_check.AnsibleModule, "run_command", run_command)
    wanted = {**target, "url": target["url"].format(port=closed_port), "journal_unit": "web.service"}
    began = time.monotonic()
    result = run_module(health_check, {"targets": [wanted], "deadline": 60, "interval": 0.05})
    assert time.monotonic() - began < 20
    assert result["failed"]
    assert re.search(
        r"and web\.service crashed and was restarted \d times meanwhile \(Result=exit-code\)", result["msg"]
    )
    assert result["msg"].endswith("\nImportError: no such name")
