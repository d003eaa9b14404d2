"""How alembic reaches the database: as the application does, and with no other setting than DATABASE_URL."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from alembic import context

from app.boot import refuse
from app.database import create_engine
from app.logs import configure_logging
from app.models import Base
from app.settings import ConfigurationError, load_settings

if TYPE_CHECKING:
    from sqlalchemy import Connection


def print_sql() -> None:
    context.configure(
        dialect_name="postgresql",
        target_metadata=Base.metadata,
        literal_binds=True,
        transaction_per_migration=True,
        dialect_opts={"paramstyle": "named"},
    )
    with context.begin_transaction():
        context.run_migrations()


def migrate(connection: Connection) -> None:
    # One transaction for each revision: one that fails doesn't take back those before it, and one that has to run
    # outside of a transaction can.
    context.configure(connection=connection, target_metadata=Base.metadata, transaction_per_migration=True)
    with context.begin_transaction():
        context.run_migrations()


async def migrate_online() -> None:
    engine = create_engine(load_settings(), pooled=False)
    try:
        async with engine.connect() as connection:
            await connection.run_sync(migrate)
    finally:
        await engine.dispose()


if context.is_offline_mode():
    print_sql()
else:
    # Standard output belongs to what was asked of alembic, such as the current revision.
    configure_logging(stream="ext://sys.stderr")
    try:
        asyncio.run(migrate_online())
    except ConfigurationError as error:
        refuse(error)
