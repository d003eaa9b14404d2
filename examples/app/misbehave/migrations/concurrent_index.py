"""index items without stopping anybody"""

from __future__ import annotations

from alembic import op

revision = "index_created_at"
down_revision = "0004"


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.create_index("items_created_at_idx", "items", ["created_at"], postgresql_concurrently=True)


def downgrade() -> None:
    with op.get_context().autocommit_block():
        op.drop_index("items_created_at_idx", postgresql_concurrently=True)
