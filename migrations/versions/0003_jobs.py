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
    op.execute(
        "DO $$ DECLARE it regprocedure; BEGIN FOR it IN SELECT oid::regprocedure FROM pg_proc "
        "WHERE pronamespace = 'public'::regnamespace AND starts_with(proname, 'procrastinate_') "
        "LOOP EXECUTE format('DROP FUNCTION %s CASCADE', it); END LOOP; END $$"
    )
    for type_ in ("job_to_defer_v1", "job_status", "job_event_type"):
        op.execute(f"DROP TYPE procrastinate_{type_} CASCADE")
