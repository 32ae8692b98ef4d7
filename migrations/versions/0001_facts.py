"""Facts: append-only, by trigger and by privilege."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "fact",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("kind", sa.String(), nullable=False, index=True),
        sa.Column("subject", sa.Uuid(), nullable=False, index=True),
        sa.Column("parties", sa.ARRAY(sa.Uuid()), nullable=False),
        sa.Column("record", sa.LargeBinary(), nullable=False),
        sa.Column("blind", sa.LargeBinary(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("octet_length(blind) = 32", name="fact_blind_is_32_bytes"),
    )
    op.create_table(
        "fact_pending",
        sa.Column("turn", sa.BigInteger(), sa.Identity(always=True), primary_key=True),
        sa.Column("fact_id", sa.Uuid(), sa.ForeignKey("fact.id"), nullable=False, unique=True),
    )
    op.execute(
        "CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql "
        "SET search_path = public, pg_temp AS $$ "
        "BEGIN RAISE EXCEPTION '% is append-only', tg_table_name USING errcode = '23514'; END $$"
    )
    op.execute(
        "CREATE TRIGGER fact_stays BEFORE UPDATE OR DELETE ON fact "
        "FOR EACH ROW EXECUTE FUNCTION refuse_change()"
    )
    op.execute(
        "CREATE TRIGGER fact_stays_whole BEFORE TRUNCATE ON fact EXECUTE FUNCTION refuse_change()"
    )


def downgrade() -> None:
    op.drop_table("fact_pending")
    op.drop_table("fact")
    op.execute("DROP FUNCTION refuse_change()")
