"""index on the names of items"""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.create_index(
            "items_name_idx",
            "items",
            ["name"],
            postgresql_concurrently=True,
            postgresql_ops={"name": "text_pattern_ops"},
        )


def downgrade() -> None:
    with op.get_context().autocommit_block():
        op.drop_index("items_name_idx", postgresql_concurrently=True)
