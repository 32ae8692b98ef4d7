"""Accounts whose money a bank holds are mirrored apart, and several wires make up one invoice.

Accounts followed before keep the code under which they were booked. A payment says which account
its money lies in, and suspended money which invoice it names.
"""

import sqlalchemy as sa
from alembic import op

revision = "0076"
down_revision = "0073"

CAUSES = {
    True: "cause IN ('unmatched', 'opening', 'overpaid')",
    False: "cause IN ('unmatched', 'opening')",
}
RULES = {
    True: "rule IN ('end-to-end', 'provider-id', 'batch-id', 'invoice-number', 'by-hand', "
    "'provider-payout', 'provider-arrival', 'invoice-parts')",
    False: "rule IN ('end-to-end', 'provider-id', 'batch-id', 'invoice-number', 'by-hand', "
    "'provider-payout', 'provider-arrival')",
}
BOOKS = {
    True: "side = 'bank' OR kind IN ('invoice', 'payment', 'account', 'sweep', 'suspense')",
    False: "side = 'bank' OR kind IN ('invoice', 'payment', 'account', 'sweep')",
}
# Table, name and rules of what is widened.
WIDENED = (
    ("suspense_item", "cause_is_known", CAUSES),
    ("recon_match", "rule_is_known", RULES),
    ("recon_side", "book_is_known", BOOKS),
)
ESCROW = "NOT in_escrow OR instruct_only"
OVERPAID = "cause <> 'overpaid' OR invoice_id IS NOT NULL"


def upgrade() -> None:
    """Say where money lies and what it names."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.add_column(
        "bank_account",
        sa.Column("in_escrow", sa.Boolean(), nullable=False, server_default=sa.text("false")),
    )
    _check("bank_account", "in_escrow_is_instructed", ESCROW)
    for table, column, of in (
        ("payment", "bank_account_id", "bank_account"),
        ("suspense_item", "invoice_id", "invoice"),
    ):
        op.add_column(table, sa.Column(column, sa.Uuid(), nullable=True))
        op.execute(
            f"ALTER TABLE {table} ADD CONSTRAINT {table}_{column}_fkey "
            f"FOREIGN KEY ({column}) REFERENCES {of} (id) NOT VALID"
        )
    op.create_index(
        "ix_suspense_item_invoice", "suspense_item", ["invoice_id"],
        postgresql_where=sa.text("state = 'open' AND invoice_id IS NOT NULL"),
    )  # fmt: skip
    _widen(now=True)
    _check("suspense_item", "overpaid_for_an_invoice", OVERPAID)


def downgrade() -> None:
    """Go back; rows of the wider kinds stay as they are."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.drop_constraint("suspense_item_overpaid_for_an_invoice", "suspense_item")
    _widen(now=False)
    op.drop_index("ix_suspense_item_invoice", "suspense_item")
    op.drop_column("suspense_item", "invoice_id")
    op.drop_column("payment", "bank_account_id")
    op.drop_constraint("bank_account_in_escrow_is_instructed", "bank_account")
    op.drop_column("bank_account", "in_escrow")


def _widen(*, now: bool) -> None:
    for table, name, rules in WIDENED:
        op.execute(
            "-- squawk-ignore ban-drop-constraint -- another of the same name follows at once\n"
            f"ALTER TABLE {table} DROP CONSTRAINT {table}_{name}"
        )
        _check(table, name, rules[now])


def _check(table: str, name: str, rule: str) -> None:
    op.execute(f"ALTER TABLE {table} ADD CONSTRAINT {table}_{name} CHECK ({rule}) NOT VALID")
