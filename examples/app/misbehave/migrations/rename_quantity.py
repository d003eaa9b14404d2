"""rename the quantity of items under the feet of the running release"""

from __future__ import annotations

from alembic import op

revision = "rename_quantity"
down_revision = "0004"


def upgrade() -> None:
    op.alter_column("items", "quantity", new_column_name="amount")


def downgrade() -> None:
    op.alter_column("items", "amount", new_column_name="quantity")
