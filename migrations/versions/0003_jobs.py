"""The job queue (Procrastinate 3.10) and the reactions that have taken effect."""

import sqlalchemy as sa
from alembic import op
from procrastinate.schema import SchemaManager

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.execute(sa.text(SchemaManager.get_schema().replace(":", "\\:")))
    op.create_table(
        "reaction_done",
        sa.Column("fact_id", sa.Uuid(), sa.ForeignKey("fact.id"), primary_key=True),
        sa.Column("reaction", sa.String(), primary_key=True),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=False),
    )


def downgrade() -> None:
    op.drop_table("reaction_done")
    for table in ("events", "periodic_defers", "jobs", "workers"):
        op.execute(f"DROP TABLE procrastinate_{table} CASCADE")
