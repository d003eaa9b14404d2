"""contract: drop the legacy code of items"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "drop_legacy_code"
down_revision = "0004"


def upgrade() -> None:
    op.drop_column("items", "legacy_code")


def downgrade() -> None:
    op.add_column("items", sa.Column("legacy_code", sa.Text))
