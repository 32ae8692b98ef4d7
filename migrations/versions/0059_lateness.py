"""Payment that is late: interest day by day, demands for payment, and settlements in default."""

import sqlalchemy as sa
from alembic import op

revision = "0059"
down_revision = "0057"

KINDS = {
    True: "kind IN ('breach', 'payment', 'mutual', 'convenience')",
    False: "kind IN ('breach', 'mutual', 'convenience')",
}
CURED = {
    True: "(kind IN ('breach', 'payment', 'convenience') AND received_at IS NOT NULL) "
    "= (cure_by IS NOT NULL)",
    False: "(kind IN ('breach', 'convenience') AND received_at IS NOT NULL) "
    "= (cure_by IS NOT NULL)",
}
DAY = {
    "late_day_is_of_something": "principal_minor > 0",
    "late_day_is_not_negative": "amount_minor >= 0",
}


def upgrade() -> None:
    """Create the days of lateness, and say where a settlement is in default."""
    op.add_column(
        "settlement", sa.Column("defaulted_at", sa.DateTime(timezone=True), nullable=True)
    )
    op.add_column("invoice", sa.Column("accrued_on", sa.Date(), nullable=True))
    op.add_column("invoice", sa.Column("late_claim_id", sa.Uuid(), nullable=True))
    op.execute(
        "ALTER TABLE invoice ADD CONSTRAINT invoice_late_claim_id_fkey "
        "FOREIGN KEY (late_claim_id) REFERENCES settlement (deal_id) NOT VALID"
    )
    op.create_index("ix_invoice_late_claim_id", "invoice", ["late_claim_id"], unique=True)
    op.create_index(
        "ix_invoice_falls_due", "invoice", ["due_at"], postgresql_where=sa.text("state = 'issued'")
    )
    op.create_table(
        "late_day",
        sa.Column("invoice_id", sa.Uuid(), sa.ForeignKey("invoice.id"), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("principal_minor", sa.BigInteger(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("invoice_id", "day"),
        *[sa.CheckConstraint(rule, name=name) for name, rule in DAY.items()],
    )
    op.execute(
        "CREATE TRIGGER late_day_stays BEFORE UPDATE OR DELETE ON late_day "
        "FOR EACH ROW EXECUTE FUNCTION refuse_change()"
    )
    op.execute(
        "CREATE TRIGGER late_day_stays_whole BEFORE TRUNCATE ON late_day "
        "EXECUTE FUNCTION refuse_change()"
    )
    _replace("deal_notice_kind_is_known", KINDS[True])
    _replace("deal_notice_cured_by_follows_receipt", CURED[True])


def downgrade() -> None:
    """Drop them; demands for payment cannot be told apart any more."""
    _replace("deal_notice_cured_by_follows_receipt", CURED[False])
    _replace("deal_notice_kind_is_known", KINDS[False])
    op.drop_table("late_day")
    op.drop_index("ix_invoice_falls_due", "invoice")
    op.drop_index("ix_invoice_late_claim_id", "invoice")
    op.drop_column("invoice", "late_claim_id")
    op.drop_column("invoice", "accrued_on")
    op.drop_column("settlement", "defaulted_at")


def _replace(name: str, rule: str) -> None:
    op.execute(
        "-- squawk-ignore ban-drop-constraint -- the next statement puts a wider one in its place\n"
        f"ALTER TABLE deal_notice DROP CONSTRAINT {name}"
    )
    op.execute(f"ALTER TABLE deal_notice ADD CONSTRAINT {name} CHECK ({rule}) NOT VALID")
