# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module utility is private to slipway.stack: it may change in any release.
"""Commands that run as an application's user, without taking the processor from those who serve."""

from __future__ import annotations

import os
import pwd
import re
import shlex
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.slipway.stack.plugins.module_utils._command import run_bounded
from ansible_collections.slipway.stack.plugins.module_utils._errors import StackError

_TAIL_LINES = 40
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_PASSED_ON = re.compile(r"(?:UV|PIP|SSL_CERT)_\w+|(?:https?|no|all|HTTPS?|NO|ALL)_(?:proxy|PROXY)|NODE_EXTRA_CA_CERTS")
# systemd kills what is left of a scope after 90 seconds.
_STOP_SECONDS = 120
_LITTLE_WEIGHT = ("--property=CPUWeight=20", "--property=IOWeight=20")
_NICE = ("nice", "-n", "10")
_URL_PASSWORD = re.compile(r"(?<=://)([^\s:/@]*):[^\s/@]+(?=@)")
_COLOUR = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


@dataclass(frozen=True)
class Worker:
    """The application's user, and whether it stands back for those who serve."""

    application: str
    user: str
    home: Path
    lock: int
    deadline: float
    yields: bool = True

    def environment(self, extra: Mapping[str, str]) -> dict[str, str]:
        passed_on = {name: value for name, value in os.environ.items() if _PASSED_ON.fullmatch(name)}
        return {
            **passed_on,
            "HOME": str(self.home),
            "LANG": "C.UTF-8",
            "LOGNAME": self.user,
            "PATH": _PATH,
            "SHELL": "/bin/sh",
            "USER": self.user,
            **extra,
        }

    def run(self, words: Sequence[str], folder: Path, extra: Mapping[str, str], stdin: str = "") -> str:
        """Returns the output. Its environment is inherited, so that no secret stands on a command line."""
        identity = pwd.getpwnam(self.user)
        scope = f"slipway-build-{self.application}-{os.getpid()}-{time.monotonic_ns()}"
        command = [
            *("systemd-run", "--quiet", "--scope", "--collect", f"--unit={scope}"),
            *(_LITTLE_WEIGHT if self.yields else ()),
            *("setpriv", f"--reuid={identity.pw_uid}", f"--regid={identity.pw_gid}", "--init-groups", "--"),
            *(_NICE if self.yields else ()),
            *words,
        ]
        seconds = max(1.0, self.deadline - time.monotonic())
        try:
            done = run_bounded(
                command,
                cwd=folder,
                env=self.environment(extra),
                input=stdin,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                timeout=seconds,
                pass_fds=[self.lock],
                umask=0o022,
            )
        except subprocess.TimeoutExpired as error:
            run_bounded(["systemctl", "stop", f"{scope}.scope"], timeout=_STOP_SECONDS)
            raise failure(words, "took too long and was ended", _text(error.stdout)) from error
        if done.returncode != 0:
            raise failure(words, f"failed with exit status {done.returncode}", done.stdout)
        return str(done.stdout)


def service_command(
    unit: str,
    command: str,
    properties: Mapping[str, str],
    environment_files: Sequence[str],
    environment: Mapping[str, str],
) -> list[str]:
    """The words that run a shell command as a transient service and wait for its end."""
    return [
        *("systemd-run", "--quiet", "--pipe", "--wait", "--collect", f"--unit={unit}"),
        *(f"--property={name}={value}" for name, value in properties.items()),
        *(f"--property=EnvironmentFile={path}" for path in environment_files),
        *(f"--setenv={name}={value}" for name, value in environment.items()),
        # systemd would put variables in before the shell does.
        *("--", "/bin/sh", "-c", command.replace("$", "$$")),
    ]


def failure(words: Sequence[str], how: str, output: str) -> StackError:
    """The first line is what a rollout ends with: so it has the last words of the command, which mostly say why."""
    tail = last_lines(output)
    last_words = next((line.strip() for line in reversed(tail.splitlines()) if line.strip()), "")
    sentence = f"`{_shown(words)}` {how}{f': {last_words}' if last_words else ''}"
    return StackError("\n".join([sentence if sentence.endswith((".", "!")) else f"{sentence}.", tail]), output=tail)


def without_passwords(output: str) -> str:
    """URLs are what programs show of how they reach their services, whole."""
    return _URL_PASSWORD.sub(r"\1:********", output)


def last_lines(output: str) -> str:
    lines = _COLOUR.sub("", output).replace("\r\n", "\n").splitlines()
    return "\n".join(lines[-_TAIL_LINES:])


def _shown(words: Sequence[str]) -> str:
    if list(words[:2]) == ["/bin/sh", "-c"]:
        return words[2]
    return shlex.join([os.path.basename(words[0]), *words[1:]])


def _text(output: object) -> str:
    return output.decode(errors="replace") if isinstance(output, bytes) else str(output or "")
