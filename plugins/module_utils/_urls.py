# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""URLs of databases and Redis servers, for the driver that asks."""

from __future__ import annotations

import re
import typing as t
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

# How each driver spells "encrypt the connection": libpq's name, unless the driver has its own.
_TLS_PARAMETER = {"asyncpg": "ssl"}


def _driver_of(scheme: str) -> str:
    return scheme.partition("+")[2]


def database_url(source: str | t.Mapping[str, t.Any], driver: str = "", port: int = 0) -> str:
    """Compose the URL of a database for one driver.

    C(source) is either another URL, of which only the driver or the port is to change, or a mapping with C(host), C(name),
    C(user), and optionally C(driver), C(port), C(password) and C(sslmode). C(driver) is a whole scheme, such as
    C(postgresql+asyncpg). Raises ValueError where the source can't be understood.
    """
    parts = _split(source) if isinstance(source, str) else dict(source)
    scheme = driver or parts.get("driver") or "postgresql"
    query = dict(parts.get("query", {}))
    sslmode = query.pop("sslmode", None) or query.pop("ssl", None) or parts.get("sslmode")
    if sslmode:
        query[_TLS_PARAMETER.get(_driver_of(scheme), "sslmode")] = sslmode
    credentials = ""
    if parts.get("user"):
        credentials = quote(str(parts["user"]), safe="")
        if parts.get("password"):
            credentials += ":" + quote(str(parts["password"]), safe="")
        credentials += "@"
    host = str(parts.get("host") or "")
    if ":" in host and not host.startswith("["):
        host = f"[{host}]"
    port = port or parts.get("port") or 0
    tail = f"?{urlencode(query)}" if query else ""
    location = f"{host}:{port}" if port else host
    return f"{scheme}://{credentials}{location}/{quote(str(parts.get('name') or ''), safe='')}{tail}"


def _split(url: str) -> dict[str, t.Any]:
    split = urlsplit(url)
    if not split.scheme or not split.netloc:
        raise ValueError("a database URL looks like postgresql://user:password@host:5432/name")
    try:
        port = split.port
    except ValueError as error:
        raise ValueError(
            "the port of a database URL must be a number: percent-encode special characters in its password"
        ) from error
    return {
        "driver": split.scheme,
        "user": unquote(split.username or ""),
        "password": unquote(split.password or ""),
        "host": split.hostname or "",
        "port": port,
        "name": unquote(split.path.lstrip("/")),
        "query": dict(parse_qsl(split.query)),
    }


def redis_url(host: str, port: int = 6379, password: str = "", database: int = 0, user: str = "") -> str:
    """Compose the URL of a Redis server."""
    credentials = f"{quote(user, safe='')}:{quote(password, safe='')}@" if password else ""
    address = f"[{host}]" if ":" in host else host
    return f"redis://{credentials}{address}:{port}/{database}"


# What a URL may say to libpq; the rest is for the application's own driver.
_LIBPQ = re.compile(r"ssl\w+|host|hostaddr|port|user|password|options|channel_binding|target_session_attrs|gssencmode")


def libpq_parameters(url: str) -> dict[str, t.Any]:
    """What libpq needs to connect to where an application's own driver does. Raises ValueError."""
    parts = _split(database_url(url, "postgresql"))
    found = {"host": parts["host"], "port": parts["port"], "user": parts["user"], "password": parts["password"]}
    asked = {name: value for name, value in parts["query"].items() if _LIBPQ.fullmatch(name)}
    return {name: value for name, value in {**found, "dbname": parts["name"], **asked}.items() if value}


def libpq_environment(url: str) -> dict[str, str]:
    """Return the variables by which libpq and its programs reach what a driver's URL names. Raises ValueError."""
    found = {"port": 5432, **libpq_parameters(url)}
    found["database"] = found.pop("dbname", "")
    # asyncpg's word for it.
    if found.get("sslmode") == "true":
        found["sslmode"] = "require"
    return {f"PG{name.replace('_', '').upper()}": str(value) for name, value in found.items() if value}
