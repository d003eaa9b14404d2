"""quantity and arrivals of an item"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("items", sa.Column("quantity", sa.Integer, nullable=False, server_default="1"))
    op.add_column("items", sa.Column("arrivals", sa.Integer, nullable=False, server_default="1"))


def downgrade() -> None:
    op.drop_column("items", "arrivals")
    op.drop_column("items", "quantity")
