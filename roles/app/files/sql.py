# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""psql where DATABASE_URL leads, whatever driver that names. It runs in the environment of a release."""

from __future__ import annotations

import os
import subprocess
import sys
from urllib.parse import parse_qs, unquote, urlsplit


def environment(url: str) -> dict[str, str]:
    """A password stands on no command line."""
    parts = urlsplit(url)
    query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    # asyncpg has words of its own.
    sslmode = query.get("sslmode") or {"true": "require"}.get(query.get("ssl", ""), query.get("ssl"))
    found = {
        "PGHOST": parts.hostname or query.get("host"),
        "PGPORT": str(parts.port or 5432),
        "PGUSER": unquote(parts.username or ""),
        "PGPASSWORD": unquote(parts.password or ""),
        "PGDATABASE": unquote(parts.path.lstrip("/")),
        "PGSSLMODE": sslmode,
    }
    return {name: value for name, value in found.items() if value}


def run(sql: str) -> int:
    url = os.environ.get("DATABASE_DIRECT_URL") or os.environ.get("DATABASE_URL", "")
    if not url.startswith("postgres"):
        print("The live release has no PostgreSQL: DATABASE_URL names none.", file=sys.stderr)
        return 1
    words = ["psql", "--no-psqlrc", "--set=ON_ERROR_STOP=1", "--pset=pager=off", "--file=-"]
    return subprocess.run(words, input=sql, text=True, env={**os.environ, **environment(url)}, check=False).returncode
