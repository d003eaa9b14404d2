"""add a note to items"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "add_note"
down_revision = "0004"


def upgrade() -> None:
    op.add_column("items", sa.Column("note", sa.Text))


def downgrade() -> None:
    op.drop_column("items", "note")
