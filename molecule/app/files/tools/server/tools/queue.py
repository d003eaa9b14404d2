"""A worker that finishes the job that it has when it is told to stop."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

stopping = False
log = Path("var/data/jobs")


def stop(number: int, frame: object) -> None:
    global stopping
    stopping = True


def note(text: str) -> None:
    with log.open("a") as stream:
        stream.write(f"{os.environ['APP_SLOT']} {text}\n")


signal.signal(signal.SIGTERM, stop)
Path(sys.argv[1], "touched").touch()
note("started")
while not stopping:
    time.sleep(0.2)
time.sleep(2)
note("finished")
