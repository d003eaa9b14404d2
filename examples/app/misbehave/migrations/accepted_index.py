"""index items while nobody can write them, for a reason

squawk-ignore require-concurrent-index-creation: it is done in the night
"""

from __future__ import annotations

from alembic import op

revision = "index_at_night"
down_revision = "0004"


def upgrade() -> None:
    op.create_index("items_created_at_idx", "items", ["created_at"])


def downgrade() -> None:
    op.drop_index("items_created_at_idx")
