"""Money in suspense at the provider has an owner: who took it up."""

import sqlalchemy as sa
from alembic import op

revision = "0083"
down_revision = "0082"


def upgrade() -> None:
    """Make the table; the money itself is what the ledger says."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.create_table(
        "psp_owner",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("reference", sa.String(), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("owner_id", sa.Uuid(), sa.ForeignKey("person.id"), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("currency ~ '^[A-Z]{3}$'", name="psp_owner_currency_is_a_code"),
    )


def downgrade() -> None:
    """Forget who took what up."""
    op.drop_table("psp_owner")
