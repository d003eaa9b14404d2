from __future__ import annotations

import json
import os

workers = 3
timeout = 77
graceful_timeout = 11
max_requests = 9


def when_ready(server):
    """Tells the tests what gunicorn made of everything that it was told."""
    names = ("workers", "timeout", "graceful_timeout", "max_requests", "backlog", "keepalive", "worker_class_str")
    path = os.path.join(os.environ["RUNTIME_DIRECTORY"], "settings.json")
    with open(path, "w") as stream:
        json.dump({name: getattr(server.cfg, name) for name in names}, stream)
