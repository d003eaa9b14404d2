"""One module for each thing that the service does."""

from __future__ import annotations
