"""The way to PostgreSQL: whichever driver the URL names, this application talks asyncpg."""

from __future__ import annotations

import re
import ssl
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from asyncpg import PostgresError
from sqlalchemy import URL, NullPool, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine

from app.settings import ConfigurationError, Settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

# Words of libpq that asyncpg either doesn't take as arguments or calls by another name.
_LIBPQ_TLS = ("sslmode", "ssl", "sslrootcert", "sslcert", "sslkey", "sslnegotiation", "channel_binding", "gssencmode")
_SERVER_SETTING = re.compile(r"(?:-c\s*|--)([\w.]+)=(\S+)")


class DatabaseAway(Exception):
    """The database can't be reached, or has no connection to spare; trying again later may help."""


def asyncpg_target(database_url: str) -> tuple[URL, dict[str, Any]]:
    """The URL for SQLAlchemy, and what has to be said to asyncpg beside it."""
    try:
        url = make_url(database_url)
    except (ArgumentError, ValueError):
        raise ConfigurationError("DATABASE_URL is not a URL: encode odd characters of the password.") from None
    if url.drivername.partition("+")[0] not in {"postgresql", "postgres"}:
        raise ConfigurationError(f"DATABASE_URL is for {url.drivername}: only PostgreSQL is supported.")

    query = {key: value if isinstance(value, str) else value[-1] for key, value in url.query.items() if key != "host"}
    arguments: dict[str, Any] = {}
    if (tls := _tls(query)) is not None:
        arguments["ssl"] = tls
    if "connect_timeout" in query:
        arguments["timeout"] = float(query["connect_timeout"])
    server_settings = dict(_SERVER_SETTING.findall(query.get("options", "")))
    if "application_name" in query:
        server_settings["application_name"] = query["application_name"]
    if server_settings:
        arguments["server_settings"] = server_settings
    translated = (*_LIBPQ_TLS, "connect_timeout", "application_name", "options")
    return url.set(drivername="postgresql+asyncpg").difference_update_query(translated), arguments


def _tls(query: dict[str, str]) -> ssl.SSLContext | str | None:
    mode = query.get("sslmode") or query.get("ssl")
    if mode in {"true", "1"}:
        mode = "require"
    if mode in {None, "disable", "allow", "prefer"}:
        return mode
    context = ssl.create_default_context()
    authority = query.get("sslrootcert")
    if authority and authority != "system":
        context = ssl.create_default_context(cafile=authority)
    if mode == "verify-ca" or (mode == "require" and authority):
        context.check_hostname = False
    elif mode == "require":
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif mode != "verify-full":
        raise ConfigurationError(f"DATABASE_URL asks for the unknown sslmode {mode}.")
    if "sslcert" in query:
        context.load_cert_chain(query["sslcert"], query.get("sslkey"))
    return context


def create_engine(settings: Settings, *, pooled: bool = True) -> AsyncEngine:
    if settings.database_url is None:
        raise ConfigurationError("DATABASE_URL is not set: this process needs a database.")
    url, arguments = asyncpg_target(settings.database_url)
    name = "-".join(filter(None, [settings.app_name, settings.app_slot]))
    arguments["server_settings"] = {"application_name": name} | arguments.get("server_settings", {})
    arguments.setdefault("timeout", 10)
    if settings.db_statement_cache == 0:
        # Behind a pooler in transaction mode, a statement prepared on one server connection isn't known to the next.
        arguments |= {"statement_cache_size": 0, "prepared_statement_cache_size": 0}
        arguments["prepared_statement_name_func"] = str
    if not pooled:
        return create_async_engine(url, poolclass=NullPool, connect_args=arguments)
    return create_async_engine(
        url,
        connect_args=arguments,
        pool_size=settings.db_pool_size,
        max_overflow=settings.db_max_overflow,
        pool_recycle=settings.db_pool_recycle,
        pool_timeout=settings.db_pool_timeout,
        pool_pre_ping=settings.db_pool_pre_ping,
    )


class Database:
    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._sessions = async_sessionmaker(engine, expire_on_commit=False)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncSession]:
        """Commits at the end, or rolls back; says DatabaseAway where the database is at fault."""
        try:
            async with self._sessions.begin() as session:
                yield session
        except (OperationalError, InterfaceError, PoolTimeoutError, OSError, PostgresError) as error:
            raise DatabaseAway(type(error).__name__) from error
        except DBAPIError as error:
            if error.connection_invalidated:
                raise DatabaseAway(type(error).__name__) from error
            raise

    async def ping(self) -> None:
        async with self.transaction() as session:
            await session.execute(text("SELECT 1"))

    async def close(self) -> None:
        await self._engine.dispose()
