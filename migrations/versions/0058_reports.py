"""What banks report about payment files (pain.002): each once, and each rejection once."""

import sqlalchemy as sa
from alembic import op

revision = "0058"
down_revision = "0056"

ITEM = {
    "bank_report_item_outcome_is_known": "outcome IN ('accepted', 'pending', 'rejected')",
    "bank_report_item_rejects_alone": "NOT was_applied OR outcome = 'rejected'",
}
TABLES = ("bank_report_item", "bank_report")


def upgrade() -> None:
    """Make both tables; what a bank reported is only ever added to."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.create_table(
        "bank_report",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("file_id", sa.Uuid(), sa.ForeignKey("bank_file.id"), nullable=False),
        sa.Column("batch_id", sa.Uuid(), sa.ForeignKey("payment_batch.id"), nullable=False),
        sa.Column("report_id", sa.String(), nullable=False),
        *[
            sa.Column(name, sa.Integer(), nullable=False)
            for name in ("accepted", "pending", "rejected")
        ],
        sa.Column("imported_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("batch_id", "report_id", name="bank_report_is_read_once"),
        sa.CheckConstraint(
            "accepted >= 0 AND pending >= 0 AND rejected >= 0", name="bank_report_counts"
        ),
    )
    op.create_index("ix_bank_report_file_id", "bank_report", ["file_id"])
    op.create_table(
        "bank_report_item",
        sa.Column("report_id", sa.Uuid(), sa.ForeignKey("bank_report.id"), nullable=False),
        sa.Column("item_id", sa.Uuid(), sa.ForeignKey("payment_item.id"), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.Column("was_applied", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("report_id", "item_id"),
        *[sa.CheckConstraint(rule, name=name) for name, rule in ITEM.items()],
    )
    op.create_index(
        "ix_bank_report_item_applied_once",
        "bank_report_item",
        ["item_id"],
        unique=True,
        postgresql_where=sa.text("was_applied"),
    )
    for table in TABLES:
        op.execute(
            f"CREATE TRIGGER {table}_stays BEFORE UPDATE OR DELETE ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION refuse_change()"
        )
        op.execute(
            f"CREATE TRIGGER {table}_stays_whole BEFORE TRUNCATE ON {table} "
            "EXECUTE FUNCTION refuse_change()"
        )


def downgrade() -> None:
    """Drop them again; the files that brought them stay."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    for table in TABLES:
        op.drop_table(table)
