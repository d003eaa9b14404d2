"""Where the requests go: a name that is asked for, and the addresses that answer for it."""

from __future__ import annotations

import asyncio
import ssl
from itertools import cycle
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from .http import Failed

if TYPE_CHECKING:
    from collections.abc import Sequence

CONNECT_TIMEOUT_S = 10


class Target:
    def __init__(self, url: str, addresses: Sequence[str], port: int | None) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError(f"{url} is no http or https URL with a name")
        self.scheme = parts.scheme
        self.name = parts.hostname
        self.host_header = parts.netloc
        self.prefix = parts.path.rstrip("/")
        self.addresses = tuple(addresses) or (self.name,)
        self.port = port or parts.port or (443 if parts.scheme == "https" else 80)
        self._turns = cycle(self.addresses)
        self._contexts = {protocol: _context(protocol) for protocol in ("http/1.1", "h2")}

    def next_address(self) -> str:
        return next(self._turns)

    def tls(self, protocol: str) -> ssl.SSLContext | None:
        return self._contexts[protocol] if self.scheme == "https" else None

    async def connect(self, address: str, protocol: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        context = self.tls(protocol)
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                reader, writer = await asyncio.open_connection(
                    address, self.port, ssl=context, server_hostname=self.name if context else None
                )
        except TimeoutError:
            raise Failed("connect timeout", f"{address} after {CONNECT_TIMEOUT_S} s") from None
        agreed = writer.get_extra_info("ssl_object")
        if protocol == "h2" and agreed and agreed.selected_alpn_protocol() != "h2":
            writer.close()
            raise Failed("no HTTP/2", address)
        return reader, writer


def _context(protocol: str) -> ssl.SSLContext:
    """Any certificate will do: what is measured is whether requests are answered, not by whom."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols([protocol])
    return context
