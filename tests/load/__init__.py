"""A load tool that sees what a visitor would: open loop, no retries, every stall and closed connection counted."""

from __future__ import annotations
