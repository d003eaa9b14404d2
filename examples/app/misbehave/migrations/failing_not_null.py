"""make a table, then fail on the items that exist"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "fail_half_way"
down_revision = "0004"


def upgrade() -> None:
    op.create_table("half_way", sa.Column("id", sa.Integer, primary_key=True))
    op.add_column("items", sa.Column("owner", sa.Text, nullable=False))


def downgrade() -> None:
    op.drop_column("items", "owner")
    op.drop_table("half_way")
