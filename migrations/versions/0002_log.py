"""The transparency log: it only grows, by trigger and by privilege."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

APPEND_ONLY = ("log_entry", "log_node", "log_checkpoint")


def upgrade() -> None:
    op.create_table(
        "log_state",
        sa.Column("id", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("id = 1", name="log_state_is_one_row"),
        sa.CheckConstraint("size >= 0", name="log_state_size_not_negative"),
    )
    op.create_table(
        "log_entry",
        sa.Column("seq", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("fact_id", sa.Uuid(), sa.ForeignKey("fact.id"), nullable=False, unique=True),
        sa.Column("subject", sa.Uuid(), nullable=False),
        sa.Column("leaf", sa.LargeBinary(), nullable=False),
        sa.Column("leaf_hash", sa.LargeBinary(), nullable=False, unique=True),
        sa.CheckConstraint("seq >= 0", name="log_entry_seq_not_negative"),
        sa.CheckConstraint("octet_length(leaf_hash) = 32", name="log_entry_hash_is_32_bytes"),
    )
    op.create_index("ix_log_entry_subject_seq", "log_entry", ["subject", "seq"])
    op.create_table(
        "log_node",
        sa.Column("level", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("index", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("level BETWEEN 0 AND 62", name="log_node_level_in_range"),
        sa.CheckConstraint("index >= 0", name="log_node_index_not_negative"),
        sa.CheckConstraint("octet_length(hash) = 32", name="log_node_hash_is_32_bytes"),
    )
    op.create_table(
        "log_checkpoint",
        sa.Column("size", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.Column("note", sa.String(), nullable=False),
        sa.Column("signed_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("size > 0", name="log_checkpoint_size_positive"),
        sa.CheckConstraint("octet_length(root) = 32", name="log_checkpoint_root_is_32_bytes"),
    )
    op.execute("INSERT INTO log_state (id, size) VALUES (1, 0)")
    for table in APPEND_ONLY:
        op.execute(
            f"CREATE TRIGGER {table}_stays BEFORE UPDATE OR DELETE ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION refuse_change()"
        )
    op.execute(
        "CREATE TRIGGER log_state_only_grows BEFORE UPDATE ON log_state FOR EACH ROW "
        "WHEN (NEW.size < OLD.size) EXECUTE FUNCTION refuse_change()"
    )
    op.execute(
        "CREATE TRIGGER log_state_stays BEFORE DELETE ON log_state "
        "FOR EACH ROW EXECUTE FUNCTION refuse_change()"
    )
    for table in (*APPEND_ONLY, "log_state"):
        op.execute(
            f"CREATE TRIGGER {table}_stays_whole BEFORE TRUNCATE ON {table} "
            "EXECUTE FUNCTION refuse_change()"
        )


def downgrade() -> None:
    for table in (*APPEND_ONLY[::-1], "log_state"):
        op.drop_table(table)
