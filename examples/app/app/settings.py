"""Everything that the environment says about this process."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

SOURCE_ROOT = Path(__file__).resolve().parent.parent
SHORTEST_SECRET = 32
PLACEHOLDER = re.compile(
    r"change[-_ ]?(me|this|it)|placeholder|default|example|insecure|your[-_ ]|replace|^(secret|password|dev|test)",
    re.IGNORECASE,
)


class ConfigurationError(Exception):
    """The environment is wrong; the message is one sentence for whoever set it."""


class Settings(BaseSettings):
    """Each field is the environment variable of the same name in capitals; an empty value counts as unset."""

    model_config = SettingsConfigDict(env_ignore_empty=True, extra="ignore")

    app_name: str = "dinghy"
    app_env: str = "development"
    app_version: str = Field(default_factory=lambda: version_of_tree(SOURCE_ROOT))
    app_slot: str | None = None
    secret_key: SecretStr = SecretStr("insecure-development-key")
    jwt_secret_key: SecretStr | None = None

    database_url: str | None = Field(default=None, repr=False)
    db_pool_size: int = Field(default=5, ge=1)
    db_max_overflow: int = Field(default=10, ge=0)
    db_pool_recycle: int = Field(default=1800, ge=-1)
    db_pool_timeout: float = Field(default=30, gt=0)
    db_pool_pre_ping: bool = True
    db_statement_cache: int = Field(default=100, ge=0)

    redis_url: str | None = Field(default=None, repr=False)
    cache_ttl: int = Field(default=60, ge=1)

    job_queue: Literal["celery", "inproc"] = "celery"
    celery_broker_url: str | None = Field(default=None, repr=False)
    celery_queue: str = "celery"
    beat_interval: float = Field(default=60, gt=0)

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] = "INFO"
    access_log: bool = True

    root_path: str = ""
    api_prefix: str = ""
    path_aliases: dict[str, str] = Field(default={}, description="paths of another application, and what answers there")
    allowed_hosts: str = "*"
    upload_dir: Path | None = None
    echo_env: str = ""
    browser: Path | None = Field(default=None, description="the browser that /render opens pages with")
    health_timeout: float = Field(default=2, gt=0)

    @property
    def broker_url(self) -> str | None:
        return self.celery_broker_url or self.redis_url

    def refuse_unsafe_secrets(self) -> None:
        """In production a key that others know is no key, so there the process doesn't start at all."""
        if self.app_env != "production":
            return
        for name in ("secret_key", "jwt_secret_key"):
            secret = getattr(self, name)
            if secret is None:
                continue
            value = secret.get_secret_value()
            if PLACEHOLDER.search(value):
                raise ConfigurationError(
                    f"{name.upper()} is a placeholder: set it to at least {SHORTEST_SECRET} random characters."
                )
            if len(value) < SHORTEST_SECRET:
                raise ConfigurationError(
                    f"{name.upper()} has {len(value)} characters: set it to at least {SHORTEST_SECRET} random ones."
                )


def version_of_tree(root: Path) -> str:
    version_file = root / "VERSION"
    return version_file.read_text(encoding="utf-8").strip() if version_file.is_file() else "unknown"


def names_in(comma_separated: str) -> list[str]:
    return [name.strip() for name in comma_separated.split(",") if name.strip()]


def load_settings() -> Settings:
    """Names the variables that are wrong, without their values: one of them may be a secret."""
    try:
        return Settings()
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, e['loc'])).upper()}: {e['msg']}" for e in error.errors())
        raise ConfigurationError(f"The environment is wrong: {problems}.") from None
