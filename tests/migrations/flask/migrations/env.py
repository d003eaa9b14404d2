"""As Flask-Migrate's template has it, at its shortest."""

from __future__ import annotations

from alembic import context
from flask import current_app

extension = current_app.extensions["migrate"]
engine = extension.db.engine

if context.is_offline_mode():
    context.configure(dialect_name="postgresql", target_metadata=extension.db.metadata, literal_binds=True)
    with context.begin_transaction():
        context.run_migrations()
else:
    with engine.connect() as connection:
        context.configure(connection=connection, target_metadata=extension.db.metadata)
        with context.begin_transaction():
            context.run_migrations()
