"""A WSGI application of the older kind."""

from __future__ import annotations

import os


def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [os.environ["OWN"].encode()]
