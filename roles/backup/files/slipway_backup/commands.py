"""Run programs, and say what went wrong in their own words."""

from __future__ import annotations

import contextlib
import fcntl
import os
import subprocess
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO

# Bytes that wait between two programs: less makes them take turns.
PIPE_BYTES = 1 << 20
SAID_LINES = 3


class Failure(Exception):
    """What went wrong, in one sentence."""


def environment(**more: str) -> dict[str, str]:
    """What every program gets: none of our own environment, and what it needs."""
    return {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8", "HOME": "/root", **more}


def failure_of(command: Sequence[str], status: int, said: str) -> Failure:
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    how = f"was killed by signal {-status}" if status < 0 else f"ended with {status}"
    return Failure(f"{Path(command[0]).name} {how}: {' '.join(lines[-SAID_LINES:]) or 'it said nothing'}")


def run(command: Sequence[str], env: Mapping[str, str], allowed: Collection[int] = (0,), cwd: str | None = None) -> str:
    """What a program prints; raises Failure where it ends otherwise than allowed."""
    done = subprocess.run(command, env=env, cwd=cwd, check=False, capture_output=True, text=True, errors="replace")
    if done.returncode not in allowed:
        raise failure_of(command, done.returncode, done.stderr or done.stdout)
    return done.stdout


@contextlib.contextmanager
def started(
    command: Sequence[str], env: Mapping[str, str], stdin: int | None = None, stdout: int | IO[bytes] | None = None
) -> Iterator[tuple[subprocess.Popen[bytes], IO[bytes]]]:
    """A running program and what it says on stderr. It doesn't outlive the block."""
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(command, env=env, stdin=stdin, stdout=stdout, stderr=said)
        try:
            yield process, said
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()
            for pipe in filter(None, (process.stdin, process.stdout)):
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()


def pipe_of(end: IO[bytes] | None) -> IO[bytes]:
    if end is None:
        raise RuntimeError("the program was started without this pipe")
    return end


def text_of(said: IO[bytes]) -> str:
    said.seek(0)
    return said.read().decode(errors="replace")


def splice(source: IO[bytes], sink: IO[bytes]) -> tuple[int, bool]:
    """Move what comes from one pipe to another, past this process; return the bytes, and whether they were all taken."""
    for pipe in (source, sink):
        # Who has used up the share of pipes that a user may have keeps small ones.
        with contextlib.suppress(PermissionError):
            fcntl.fcntl(pipe.fileno(), fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    total = 0
    try:
        while moved := os.splice(source.fileno(), sink.fileno(), PIPE_BYTES):
            total += moved
    except BrokenPipeError:
        return total, False
    return total, True
