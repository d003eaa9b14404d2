"""start a branch beside the head"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "second_head"
down_revision = "0003"


def upgrade() -> None:
    op.create_table("branch", sa.Column("id", sa.Integer, primary_key=True))


def downgrade() -> None:
    op.drop_table("branch")
