"""What Prometheus sees. With PROMETHEUS_MULTIPROC_DIR the figures are those of all workers of an instance."""

from __future__ import annotations

import os
from pathlib import Path

if _shared_directory := os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
    # The client library opens its files when the first metric is made, and expects the directory by then.
    Path(_shared_directory).mkdir(parents=True, exist_ok=True)

from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client import generate_latest as render_registry
from prometheus_client.multiprocess import MultiProcessCollector

REQUESTS = Counter("http_requests_total", "Requests answered", ["method", "route", "status"])
DURATION = Histogram("http_request_duration_seconds", "Time until the answer was complete", ["method", "route"])
IN_FLIGHT = Gauge("http_requests_in_flight", "Requests being answered", multiprocess_mode="livesum")
ERRORS = Counter("unhandled_errors_total", "Errors that no code expected")
ITEMS = Counter("items_created_total", "Items stored")
CACHE = Counter("item_cache_reads_total", "Reads of single items", ["outcome"])
INFO = Gauge("app_info", "Always 1", ["version", "environment", "slot"], multiprocess_mode="livemax")


def render() -> tuple[bytes, str]:
    registry = REGISTRY
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        registry = CollectorRegistry()
        MultiProcessCollector(registry)
    return render_registry(registry), CONTENT_TYPE_LATEST
