"""Package auctions: how far the solving of each has come."""

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"

INSTANT = sa.DateTime(timezone=True)
CHECKS = {
    "stage": "stage IN ('started', 'winners', 'vcg', 'core', 'died', 'solved')",
    "counts": "attempts >= 1 AND stage_at >= 0",
    "ended": "(stage = 'solved') = (ended_at IS NOT NULL)",
}


def upgrade() -> None:
    op.create_table(
        "bundle_run",
        sa.Column("auction_id", sa.Uuid(), sa.ForeignKey("auction.id"), primary_key=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("stage", sa.String(), nullable=False),
        sa.Column("stage_at", sa.Integer(), nullable=False),
        sa.Column("begun_at", INSTANT, nullable=False),
        sa.Column("changed_at", INSTANT, nullable=False),
        sa.Column("ended_at", INSTANT, nullable=True),
        *(sa.CheckConstraint(rule, name=f"bundle_run_{name}") for name, rule in CHECKS.items()),
    )


def downgrade() -> None:
    op.drop_table("bundle_run")
