"""One JSON object on a line of standard output for each event, of this application and of its servers."""

from __future__ import annotations

import json
import logging
import logging.config
import os
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

request_id: ContextVar[str | None] = ContextVar("request_id", default=None)

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "color_message", "data"}


class JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        event: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            "pid": os.getpid(),
        }
        if (current := request_id.get()) is not None:
            event["request_id"] = current
        event.update({key: value for key, value in vars(record).items() if key not in _STANDARD})
        if record.exc_info:
            event["exception"] = self.formatException(record.exc_info)
        return json.dumps(event, default=str, ensure_ascii=False)


def configure_logging(level: str = "INFO", stream: str = "ext://sys.stdout") -> None:
    # uvicorn.access is silent, since the application's own access line also knows the duration and the request id.
    servers = ("uvicorn", "uvicorn.error", "gunicorn.error", "celery", "alembic")
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {"json": {"()": JsonFormatter}},
            "handlers": {"lines": {"class": "logging.StreamHandler", "stream": stream, "formatter": "json"}},
            "root": {"level": level, "handlers": ["lines"]},
            "loggers": {name: {"handlers": [], "level": "NOTSET", "propagate": True} for name in servers}
            | {"uvicorn.access": {"handlers": [], "level": "CRITICAL", "propagate": False}},
        }
    )
