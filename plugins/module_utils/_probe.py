# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One try at a target, over TCP, TLS or a Unix socket."""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import time

from ansible_collections.slipway.stack.plugins.module_utils._certificate import Certificate, parse_certificate
from ansible_collections.slipway.stack.plugins.module_utils._errors import StackError
from ansible_collections.slipway.stack.plugins.module_utils._health import DEFAULT_PORTS, Answer, NoAnswerError, Target
from ansible_collections.slipway.stack.plugins.module_utils._listeners import listeners

_MOST_BODY = 1024 * 1024
_CHUNK = 65536


class _Timer:
    """What is left of one try's time: a socket's own timeout starts anew with each byte that comes."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._start = time.monotonic()

    @property
    def elapsed(self) -> float:
        return time.monotonic() - self._start

    def limit(self, connection: socket.socket) -> None:
        left = self._seconds - self.elapsed
        if left <= 0:
            raise TimeoutError
        connection.settimeout(left)


def probe(target: Target, timeout: float) -> Answer:
    timer = _Timer(timeout)
    try:
        with contextlib.closing(_connect(target, timeout)) as connection:
            if target.scheme == "tcp":
                return Answer(timer.elapsed, listeners=_listeners(target))
            if target.scheme == "http":
                return _ask(target, connection, timer, None)
            timer.limit(connection)
            with _context(target).wrap_socket(connection, server_hostname=target.server_name) as secured:
                certificate = parse_certificate(secured.getpeercert(binary_form=True) or b"")
                return _ask(target, secured, timer, certificate)
    except TimeoutError:
        raise NoAnswerError(f"none within {timeout:.1f} s") from None
    except ssl.SSLCertVerificationError as error:
        raise NoAnswerError(f"a certificate that can't be trusted: {error.verify_message}") from error
    except http.client.HTTPException as error:
        raise NoAnswerError(f"something that isn't HTTP: {error!r}") from error
    except OSError as error:
        raise NoAnswerError(error.strerror or str(error)) from error


def _connect(target: Target, timeout: float) -> socket.socket:
    if not target.unix_socket:
        return socket.create_connection((target.host, target.port), timeout=timeout)
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.settimeout(timeout)
        connection.connect(target.unix_socket)
    except OSError:
        connection.close()
        raise
    return connection


def _context(target: Target) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=target.ca_path)
    except OSError as error:
        raise StackError(f"ca_path {target.ca_path} can't be used: {error.strerror or error}.") from error
    if not target.validate_certs:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _ask(target: Target, connection: socket.socket, timer: _Timer, certificate: Certificate | None) -> Answer:
    client = http.client.HTTPConnection(target.host, target.port)
    client.sock = connection
    client.putrequest("GET", target.path, skip_host=True, skip_accept_encoding=True)
    for name, value in _headers(target).items():
        client.putheader(name, value)
    timer.limit(connection)
    client.endheaders()
    response = client.getresponse()
    body = b""
    # The response lets go of the socket as soon as it knows that the body is complete.
    while not response.isclosed() and len(body) < _MOST_BODY:
        timer.limit(connection)
        chunk = response.read1(_CHUNK)
        if not chunk:
            break
        body += chunk
    latency = timer.elapsed
    return Answer(latency, response.status, body.decode(errors="replace"), certificate, _listeners(target))


def _headers(target: Target) -> dict[str, str]:
    host = f"[{target.host}]" if ":" in target.host else target.host
    if target.port != DEFAULT_PORTS[target.scheme]:
        host = f"{host}:{target.port}"
    headers = {
        "Host": target.host_header or host,
        "User-Agent": "slipway-health-check",
        "Accept": "*/*",
        "Connection": "close",
    }
    if target.forwarded_proto:
        headers["X-Forwarded-Proto"] = target.forwarded_proto
    return headers


def _listeners(target: Target) -> list[dict[str, object]]:
    return listeners() if target.unit else []
