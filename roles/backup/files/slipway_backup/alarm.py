"""Tell people of a failure."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator

from .commands import environment
from .settings import Settings

SECONDS = 30


def raise_alarm(settings: Settings, job: str, error: str) -> None:
    """Run the user's command and call the webhook. That one of them fails is said, and keeps nobody from the other."""
    alarm = settings.alarm
    if alarm.command:
        values = environment(
            BACKUP_NAME=settings.name, BACKUP_JOB=job, BACKUP_ERROR=error, BACKUP_HOST=socket.gethostname()
        )
        with said(f"the command of the alarm ({alarm.command})"):
            subprocess.run(["/bin/sh", "-c", alarm.command], env=values, check=True, timeout=SECONDS)
    if alarm.webhook:
        text = f"{settings.name} on {socket.gethostname()}: the {job} failed: {error}"
        body = {"text": text, "name": settings.name, "job": job, "error": error, "host": socket.gethostname()}
        request = urllib.request.Request(alarm.webhook, json.dumps(body).encode(), {"Content-Type": "application/json"})
        with said("the webhook of the alarm"), urllib.request.urlopen(request, timeout=SECONDS):
            pass


@contextlib.contextmanager
def said(what: str) -> Iterator[None]:
    try:
        yield
    except (OSError, subprocess.SubprocessError) as error:
        print(f"<4>{what} failed: {error}", file=sys.stderr)
