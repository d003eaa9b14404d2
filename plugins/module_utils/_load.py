# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a load means for every part of the stack, so that one word sizes all of them alike.

PostgreSQL isn't here: it is sized for the sum of connections that follows.
"""

from __future__ import annotations

import typing as t

# workers is the most that gunicorn starts where nothing says how many; pool and overflow are connections of each worker.
# With a pooler, so many connections are meant to be held by a pooler between the application and PostgreSQL.
_PROFILES: dict[str, dict[str, t.Any]] = {
    "": {"workers": 4, "pool": 5, "overflow": 10, "redis_maxmemory": "256mb", "keepalive": 32, "pooler": False},
    "light": {"workers": 2, "pool": 5, "overflow": 10, "redis_maxmemory": "128mb", "keepalive": 16, "pooler": False},
    "medium": {"workers": 4, "pool": 10, "overflow": 20, "redis_maxmemory": "256mb", "keepalive": 32, "pooler": False},
    "heavy": {"workers": 8, "pool": 20, "overflow": 40, "redis_maxmemory": "1gb", "keepalive": 64, "pooler": False},
    "very_heavy": {
        "workers": 8,
        "pool": 100,
        "overflow": 200,
        "redis_maxmemory": "2gb",
        "keepalive": 128,
        "pooler": True,
    },
}


def load_profile(load: str) -> dict[str, t.Any]:
    """Return the sizes for a load; raises ValueError for one that nobody knows."""
    if load not in _PROFILES:
        known = ", ".join(name for name in _PROFILES if name)
        raise ValueError(f"app_load is '{load}': set it to one of {known}, or leave it out")
    return dict(_PROFILES[load])
