"""The application without database and Redis: what every process must do whatever it is connected to."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from app.database import asyncpg_target
from app.main import create_app
from app.settings import ConfigurationError, Settings

if TYPE_CHECKING:
    from fastapi import FastAPI

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("APP_ENV", "APP_VERSION", "DATABASE_URL", "REDIS_URL", "CELERY_BROKER_URL", "ROOT_PATH"):
        monkeypatch.delenv(name, raising=False)


async def get(app: FastAPI, path: str, **options: Any) -> httpx.Response:
    transport = httpx.ASGITransport(app, client=("192.0.2.7", 1))
    async with httpx.AsyncClient(transport=transport, base_url="https://shop.example") as client:
        return await client.request(options.pop("method", "GET"), path, **options)


async def test_is_healthy_with_nothing_configured() -> None:
    answer = (await get(create_app(), "/health")).json()
    assert answer["status"] == "healthy"
    assert answer["parts"] == {"database": "not configured", "redis": "not configured"}


async def test_lost_parts_degrade_health_and_close_the_gate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")
    app = create_app()
    health = await get(app, "/health")
    assert (health.status_code, health.json()["status"]) == (200, "degraded")
    assert health.json()["parts"] == {"database": "away", "redis": "away"}
    assert (await get(app, "/ready")).status_code == 503
    assert (await get(app, "/live")).status_code == 200
    assert (await get(app, "/items")).status_code == 503


async def test_request_id_is_taken_over_or_made() -> None:
    app = create_app()
    assert (await get(app, "/live", headers={"X-Request-ID": "abc-1"})).headers["X-Request-ID"] == "abc-1"
    assert len((await get(app, "/live", headers={"X-Request-ID": "a b"})).headers["X-Request-ID"]) == 32


async def test_unhandled_error_has_an_id(capsys: pytest.CaptureFixture[str]) -> None:
    answer = await get(create_app(), "/error", headers={"X-Request-ID": "abc-2"})
    assert answer.status_code == 500
    assert answer.json()["request_id"] == "abc-2"
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    event = next(event for event in events if event["logger"] == "app.errors")
    assert (event["error_id"], event["request_id"]) == (answer.json()["error_id"], "abc-2")
    assert "on purpose" in event["exception"]


async def test_redirect_keeps_host_scheme_and_prefix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROOT_PATH", "/shop")
    answer = await get(create_app(), "/redirect")
    assert answer.headers["location"] == "https://shop.example/shop/whoami"


async def test_upload_is_hashed() -> None:
    body = b"x" * 100_000
    answer = (await get(create_app(), "/upload", method="POST", content=body)).json()
    assert answer == {"size": len(body), "sha256": hashlib.sha256(body).hexdigest(), "kept": False}


async def test_misbehaviour_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MISBEHAVE_UNHEALTHY_AFTER_REQUESTS", "1")
    app = create_app()
    await get(app, "/whoami")
    assert (await get(app, "/health")).status_code == 200
    await get(app, "/whoami")
    assert (await get(app, "/health")).status_code == 503


@pytest.mark.parametrize("key", ["changeme-changeme-changeme-changeme", "tooshort"])
async def test_production_refuses_a_bad_key(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APP_ENV", "production")
    monkeypatch.setenv("SECRET_KEY", key)
    with pytest.raises(ConfigurationError, match="SECRET_KEY"):
        Settings().refuse_unsafe_secrets()
    with pytest.raises(SystemExit, match="3"):
        create_app()


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg", "postgresql+asyncpg"])
async def test_any_postgresql_url_will_do(scheme: str) -> None:
    url, arguments = asyncpg_target(f"{scheme}://u:p%2525%40@db:5432/shop?sslmode=prefer&connect_timeout=3")
    assert (url.drivername, url.password, url.query) == ("postgresql+asyncpg", "p%25@", {})
    assert arguments == {"ssl": "prefer", "timeout": 3.0}


async def test_answers_on_the_paths_of_another_application(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH_ALIASES", '{"/api/docs": "/docs"}')
    app = create_app()
    assert "swagger" in (await get(app, "/api/docs")).text
    assert (await get(app, "/api/other")).status_code == 404
