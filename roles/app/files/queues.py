# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""count NAME... or purge NAME...: Celery's queues, in the Redis that the environment names.

It runs in the Python of a release, which has the client library of its own broker.
"""

from __future__ import annotations

import os
import sys

# Celery keeps a list for each priority; the lowest has the queue's own name.
SUFFIXES = ("", "\x06\x163", "\x06\x166", "\x06\x169")


def main(what: str, names: list[str]) -> str:
    url = os.environ.get("CELERY_BROKER_URL") or os.environ.get("REDIS_URL") or ""
    if not url.startswith(("redis://", "rediss://", "unix://")):
        return "The live release has no queue in Redis: neither CELERY_BROKER_URL nor REDIS_URL names one."
    try:
        import redis
    except ImportError:
        return "The live release can't reach its queue: it has no Python package redis."
    with redis.Redis.from_url(url, socket_timeout=10) as server:
        for name in names:
            lists = [name + suffix for suffix in SUFFIXES]
            # No job comes between the count and the end.
            with server.pipeline(transaction=True) as both:
                for each in lists:
                    both.llen(each)
                if what == "purge":
                    both.delete(*lists)
                counted = sum(both.execute()[: len(lists)])
            print(f"{name}: {counted} {'dropped' if what == 'purge' else 'waiting'}")
    return ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]) or None)
