"""Defects on purpose, so that whoever deploys this application can see what theirs would do.

They come from `misbehave.toml` beside the code (a release that is broken) or from MISBEHAVE_* variables (an
environment that is); without either, nothing here does anything.
"""

from __future__ import annotations

import os
import random
import socket
import time

from pydantic import Field
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from app.settings import SOURCE_ROOT


class Misbehaviour(BaseSettings):
    model_config = SettingsConfigDict(
        env_prefix="MISBEHAVE_", env_ignore_empty=True, toml_file=SOURCE_ROOT / "misbehave.toml", extra="forbid"
    )

    crash_at_import: bool = False
    crash_at_start: bool = False
    start_slowly: float = Field(default=0, ge=0, description="seconds before the first request is answered")
    unhealthy: bool = False
    unhealthy_after: float | None = Field(default=None, ge=0, description="seconds after the start")
    unhealthy_after_requests: int | None = Field(default=None, ge=0)
    wrong_version: str | None = None
    fail_after_requests: int | None = Field(default=None, ge=0)
    fail_share: float = Field(default=0, ge=0, le=1)
    slow_down: float = Field(default=0, ge=0, description="seconds added to each request")
    sabotage: bool = Field(default=False, description="serves POST /hang, /exit and /hog")
    only_on_host: str | None = Field(default=None, description="the one host that misbehaves")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        del dotenv_settings, file_secret_settings
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)


class Saboteur:
    """Counts what this process has served and decides when it is time to fail."""

    def __init__(self, plan: Misbehaviour) -> None:
        self.plan = plan if plan.only_on_host in (None, socket.gethostname()) else Misbehaviour.model_construct()
        self._started = time.monotonic()
        self._requests = 0

    def at_import(self) -> None:
        if self.plan.crash_at_import:
            raise RuntimeError("This release crashes at import, on purpose.")

    def at_start(self) -> None:
        if self.plan.crash_at_start:
            raise RuntimeError("This release crashes at start, on purpose.")

    def count_request(self) -> None:
        self._requests += 1

    @property
    def fails_this_request(self) -> bool:
        limit = self.plan.fail_after_requests
        return (limit is not None and self._requests > limit) or random.random() < self.plan.fail_share

    @property
    def is_unhealthy(self) -> bool:
        after, after_requests = self.plan.unhealthy_after, self.plan.unhealthy_after_requests
        return (
            self.plan.unhealthy
            or (after is not None and time.monotonic() - self._started >= after)
            or (after_requests is not None and self._requests > after_requests)
        )


def hang_for(seconds: float) -> None:
    """Blocks the thread that calls it; called on the event loop, it blocks every request of the process."""
    time.sleep(seconds)


def exit_now(code: int) -> None:
    os._exit(code)
