"""drop the name of items, which every release reads"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "drop_name"
down_revision = "0004"


def upgrade() -> None:
    op.drop_column("items", "name")


def downgrade() -> None:
    op.add_column("items", sa.Column("name", sa.Text, nullable=False, server_default="lost"))
