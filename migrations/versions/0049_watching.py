"""What was asked of the provider without being told: how far its lists were read."""

import sqlalchemy as sa
from alembic import op

revision = "0049"
down_revision = "0048"


def upgrade() -> None:
    """Make the table, with its one line: nothing was read yet, and it is due."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.create_table(
        "provider_list",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("read_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name"),
        sa.CheckConstraint("name IN ('returns')", name="provider_list_name_is_known"),
    )
    op.execute("INSERT INTO provider_list (name, next_at) VALUES ('returns', '2026-01-01Z')")


def downgrade() -> None:
    """Drop it; the lists are then read from their beginning."""
    op.drop_table("provider_list")
