"""What the role has written for this application."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Place:
    """Where a repository is, and how it is reached."""

    name: str
    url: str
    environment: dict[str, str] = field(default_factory=dict)
    append_only: bool = False


@dataclass(frozen=True)
class Redis:
    """A Redis server whose data is wanted too."""

    name: str
    host: str
    port: int
    password: str = ""


@dataclass(frozen=True)
class Check:
    """How the application itself says that restored data is good."""

    sql: str = ""
    command: str = ""


@dataclass(frozen=True)
class Alarm:
    """Who is told of a failure."""

    command: str = ""
    webhook: str = ""


@dataclass(frozen=True)
class Settings:
    """All of it."""

    name: str
    repositories: list[Place]
    passphrase_file: str
    database: dict[str, str]
    # The same as who may create tables in it.
    owner: dict[str, str]
    paths: list[str]
    excludes: list[str]
    redis: list[Redis]
    keep: dict[str, int | str]
    check: Check
    test_jobs: int
    test_files: bool
    test_share: str
    attempts: int
    pause: int
    alarm: Alarm
    tools: Path
    work: Path
    metrics: Path | None

    @property
    def shared_paths(self) -> list[str]:
        """What must be there, and what a restore puts back. The rest is configuration, there to be looked at."""
        return [path for path in self.paths if not path.startswith("/etc/")]


def load(path: Path) -> Settings:
    values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return Settings(
        **values
        | {
            "repositories": [Place(**place) for place in values["repositories"]],
            "redis": [Redis(**server) for server in values["redis"]],
            "check": Check(**values["check"]),
            "alarm": Alarm(**values["alarm"]),
            "tools": Path(values["tools"]),
            "work": Path(values["work"]),
            "metrics": Path(values["metrics"]) if values["metrics"] else None,
        }
    )
