"""never end"""

from __future__ import annotations

from alembic import op

revision = "hang"
down_revision = "0004"


def upgrade() -> None:
    op.execute("SELECT pg_sleep(86400)")


def downgrade() -> None:
    op.execute("SELECT 1")
