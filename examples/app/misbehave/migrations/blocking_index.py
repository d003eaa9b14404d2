"""index items while nobody can write them"""

from __future__ import annotations

from alembic import op

revision = "block_writes"
down_revision = "0004"


def upgrade() -> None:
    op.create_index("items_created_at_idx", "items", ["created_at"])


def downgrade() -> None:
    op.drop_index("items_created_at_idx")
