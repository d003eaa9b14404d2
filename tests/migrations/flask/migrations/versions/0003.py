"""contract: nobody has read the legacy code since v2"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.drop_column("items", "legacy_code")


def downgrade() -> None:
    op.add_column("items", sa.Column("legacy_code", sa.Text))
