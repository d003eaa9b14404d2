# Copyright (c) 2026 slipway.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module utility is private to slipway.stack: it may change in any release.
"""Runs a release's migration tool, as the application's user and in the release's environment."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from ansible_collections.slipway.stack.plugins.module_utils import (
    _command,
    _migrate_agent,
    _migrate_alembic,
    _migrate_command,
    _migrate_django,
    _migrate_trouble,
)
from ansible_collections.slipway.stack.plugins.module_utils._command import run_bounded
from ansible_collections.slipway.stack.plugins.module_utils._errors import StackError
from ansible_collections.slipway.stack.plugins.module_utils._release_run import last_lines, service_command

_SYSTEM_PYTHON = "/usr/bin/python3"
_SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_STOP_SECONDS = 30
_AGENTS: tuple[ModuleType, ...] = (
    _command,
    _migrate_agent,
    _migrate_alembic,
    _migrate_command,
    _migrate_django,
    _migrate_trouble,
)
_SENTENCES = {
    "config": "the release has no {message}: set app_migrate_config to the path of the file that its tool reads",
    "section": "its configuration names no script_location in a section [{message}] (or [tool.alembic] of pyproject.toml): set "
    "app_migrate_section",
    "directory": "the release has no folder {message} for its migrations: set app_migrate_directory, or what the tool's file says",
    "settings": "{message} sets no DJANGO_SETTINGS_MODULE: set that variable in app_environment",
    "flask": "Flask finds no application ({message}): set FLASK_APP in app_environment, or app_migrate_config",
    "tool": "{message} isn't installed in the release: add it to its requirements, or change app_migrate",
    "heads": "the migrations have more than one head ({message}): merge them in the application's repository (alembic merge "
    "heads, flask db merge heads, manage.py makemigrations --merge)",
    "revision": "the release has no revision {message}, or more than one whose name begins so",
    "command": "{message}: {last_line}",
}


class ToolError(StackError):
    """The tool failed. `error` is how its database called it, `output` what it printed."""

    def __init__(self, message: str, error: Mapping[str, str], output: str, *, gone: bool = False) -> None:
        super().__init__(message, output=last_lines(output))
        self.error = error
        self.output = output
        # Its process ended without an answer: what it was doing may go on in the database.
        self.gone = gone


@dataclass(frozen=True)
class Service:
    """In what the tool runs."""

    name: str
    user: str
    directory: str
    path: Sequence[str] = ()
    environment_files: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    secret_environment: Mapping[str, str] = field(default_factory=dict)
    # Tests have no systemd.
    wrap: Callable[..., list[str]] = service_command


class Tool:
    """One migration tool of one release."""

    def __init__(self, service: Service, settings: Mapping[str, Any], deadline: float) -> None:
        self._service = service
        self._settings = settings
        self._deadline = deadline

    def has_time_for(self, seconds: float) -> bool:
        return time.monotonic() + seconds < self._deadline

    def plan(self, state: str) -> dict[str, Any]:
        return self._ask({"action": "plan", "state": state})[0]

    def run(self, state: str, revisions: Sequence[str], targets: Sequence[str], *, back: bool) -> tuple[list[str], str]:
        """Returns the revision that the database is at, and what the tool printed."""
        request = {
            "action": "run",
            "state": state,
            "revisions": list(revisions),
            "targets": list(targets),
            "back": back,
        }
        found, output = self._ask(request)
        return list(found["after"]), output

    def _python(self) -> str:
        if self._settings["tool"] != "command":
            for folder in self._service.path:
                if os.access(os.path.join(folder, "python"), os.X_OK):
                    return os.path.join(folder, "python")
        return _SYSTEM_PYTHON

    def _ask(self, request: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
        seconds = self._deadline - time.monotonic()
        if seconds <= 0:
            raise ToolError("the time for the whole migration is over", {}, "")
        scratch = tempfile.mkdtemp(prefix="slipway-migrate-")
        # Open for as long as this process lives: the agent ends with it.
        reading, writing = os.pipe()
        unit = f"slipway-migrate-{self._service.name}-{os.getpid()}-{time.monotonic_ns()}"
        try:
            words = self._words(unit, Path(scratch), {**self._settings, **request}, seconds)
            done = run_bounded(words, timeout=seconds, stdin=reading, capture_output=True, text=True, errors="replace")
        except subprocess.TimeoutExpired as error:
            run_bounded(
                ["systemctl", "kill", "--signal=KILL", f"{unit}.service"], timeout=_STOP_SECONDS, capture_output=True
            )
            output = (
                error.stderr.decode(errors="replace") if isinstance(error.stderr, bytes) else str(error.stderr or "")
            )
            raise ToolError(f"it took longer than {seconds:.0f} s and was ended", {}, output, gone=True) from error
        finally:
            os.close(reading)
            os.close(writing)
            shutil.rmtree(scratch, ignore_errors=True)
        return _answer(done), done.stderr

    def _words(self, unit: str, scratch: Path, request: Mapping[str, Any], seconds: float) -> list[str]:
        folder = scratch.joinpath(*_migrate_agent.PACKAGE.split("."))
        folder.mkdir(parents=True)
        for module in _AGENTS:
            folder.joinpath(f"{module.__name__.rpartition('.')[2]}.py").write_text(_source(module), encoding="utf-8")
        (scratch / "start.py").write_text(f"from {_migrate_agent.PACKAGE}._migrate_agent import main\n\nmain()\n")
        run_bounded(["chmod", "-R", "u=rwX,go=rX", str(scratch)], timeout=_STOP_SECONDS)
        secrets = scratch / "environment"
        secrets.touch(0o600)
        secrets.write_text("".join(map(_assignment, self._service.secret_environment.items())), encoding="utf-8")
        command = f"exec {self._python()} {scratch / 'start.py'}"
        return self._service.wrap(
            unit,
            command,
            {
                "User": self._service.user,
                "Group": self._service.user,
                "WorkingDirectory": self._service.directory,
                "TimeoutStopSec": "5",
                # Should this process be gone by then, and the agent not have noticed.
                "RuntimeMaxSec": str(int(seconds) + 60),
            },
            [*self._service.environment_files, str(secrets)],
            {
                "PATH": ":".join([*self._service.path, _SYSTEM_PATH]),
                "PYTHONDONTWRITEBYTECODE": "1",
                "SLIPWAY_REQUEST": json.dumps(request),
                **self._service.environment,
            },
        )


def _source(module: ModuleType) -> str:
    """Also from the archive in which Ansible ships a module."""
    loader: Any = module.__spec__.loader if module.__spec__ else None
    found = loader.get_source(module.__name__)
    # Ansible's own loader of collections returns what the file holds, undecoded.
    return found.decode() if isinstance(found, bytes) else str(found)


def _assignment(variable: tuple[str, str]) -> str:
    """As systemd reads it."""
    name, value = variable
    for letter in '\\"$`':
        value = value.replace(letter, f"\\{letter}")
    return f'{name}="{value}"\n'


def _answer(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    try:
        found = json.loads(done.stdout)
    except json.JSONDecodeError:
        raise ToolError(
            f"its process was killed or ended without an answer (exit status {done.returncode})",
            {},
            done.stderr,
            gone=True,
        ) from None
    if "error" in found:
        said = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        raise ToolError(sentence(found["error"], said[-1] if said else ""), found["error"], done.stderr)
    return dict(found)


def sentence(error: Mapping[str, str], last_line: str = "") -> str:
    """What a tool's error means to whoever has to mend it."""
    if error["kind"] in _SENTENCES:
        return _SENTENCES[error["kind"]].format(message=error["message"], last_line=last_line)
    if error["sqlstate"]:
        return f"the database said: {error['message']}"
    return f"{error['type']}: {error['message']}"
