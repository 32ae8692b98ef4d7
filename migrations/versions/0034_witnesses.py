"""What witnesses said of checkpoints, the policies that were in force, and when they were met."""

import sqlalchemy as sa
from alembic import op

revision = "0034"
down_revision = "0033"

INSTANT = sa.DateTime(timezone=True)
APPEND_ONLY = ("log_policy", "log_cosignature", "log_quorum")


def upgrade() -> None:
    op.create_table(
        "log_policy",
        sa.Column("number", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("demands", sa.Boolean(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("adopted_at", INSTANT, nullable=False),
        sa.CheckConstraint("number > 0", name="log_policy_number_positive"),
        sa.CheckConstraint("size >= 0", name="log_policy_size_not_negative"),
        sa.CheckConstraint("sha256 ~ '^[0-9a-f]{64}$'", name="log_policy_sha256_is_hex"),
    )
    op.create_table(
        "log_cosignature",
        sa.Column("size", sa.BigInteger(), sa.ForeignKey("log_checkpoint.size"), primary_key=True),
        sa.Column("vkey", sa.String(), primary_key=True),
        sa.Column("line", sa.String(), nullable=False),
        sa.Column("cosigned_at", INSTANT, nullable=False),
        sa.Column("kept_at", INSTANT, nullable=False),
    )
    op.create_index("ix_log_cosignature_vkey_size", "log_cosignature", ["vkey", "size"])
    op.create_table(
        "log_quorum",
        sa.Column("size", sa.BigInteger(), sa.ForeignKey("log_checkpoint.size"), primary_key=True),
        sa.Column("policy", sa.Integer(), sa.ForeignKey("log_policy.number"), primary_key=True),
        sa.Column("met_at", INSTANT, nullable=False),
    )
    for table in APPEND_ONLY:
        op.execute(
            f"CREATE TRIGGER {table}_stays BEFORE UPDATE OR DELETE ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION refuse_change()"
        )
        op.execute(
            f"CREATE TRIGGER {table}_stays_whole BEFORE TRUNCATE ON {table} "
            "EXECUTE FUNCTION refuse_change()"
        )


def downgrade() -> None:
    for table in APPEND_ONLY[::-1]:
        op.drop_table(table)
