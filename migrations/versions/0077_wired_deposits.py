"""Deposits that a statement shows: where their money lies, and returns in payment files."""

import sqlalchemy as sa
from alembic import op

revision = "0077"
down_revision = "0072"

RULES = {
    True: "rule IN ('end-to-end', 'provider-id', 'batch-id', 'invoice-number', 'by-hand', "
    "'provider-payout', 'provider-arrival', 'invoice-parts', 'deposit-reference')",
    False: "rule IN ('end-to-end', 'provider-id', 'batch-id', 'invoice-number', 'by-hand', "
    "'provider-payout', 'provider-arrival', 'invoice-parts')",
}
BOOKS = {
    True: "side = 'bank' OR kind IN "
    "('invoice', 'payment', 'account', 'sweep', 'suspense', 'deposit')",
    False: "side = 'bank' OR kind IN ('invoice', 'payment', 'account', 'sweep', 'suspense')",
}
PAYS = {
    True: "num_nonnulls(payout_id, remittance_id, refund_id, deposit_movement_id) = 1 "
    "AND num_nonnulls(party_id, payee_account_id) = "
    "CASE WHEN num_nonnulls(remittance_id, refund_id) = 0 THEN 2 ELSE 0 END",
    False: "num_nonnulls(payout_id, party_id, payee_account_id) = "
    "CASE WHEN num_nonnulls(remittance_id, refund_id) = 0 THEN 3 ELSE 0 END "
    "AND num_nonnulls(remittance_id, refund_id) <= 1",
}
# Table, name and rules of what is widened.
WIDENED = (
    ("recon_match", "rule_is_known", RULES),
    ("recon_side", "book_is_known", BOOKS),
    ("payment_item", "pays_one_thing", PAYS),
)
# A file pays back what two people approved, to an account of the bidder, and nothing else.
RETURNS = """
CREATE FUNCTION payment_item_returns() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
  IF new.deposit_movement_id IS NOT NULL AND NOT EXISTS (
    SELECT FROM deposit_movement m
      JOIN deposit d ON d.auction_id = m.auction_id AND d.party_id = m.party_id
      JOIN payee_bank_account a ON a.id = new.payee_account_id AND a.party_id = m.party_id
      WHERE m.id = new.deposit_movement_id AND m.kind = 'return'
        AND m.state IN ('approved', 'done') AND m.party_id = new.party_id
        AND m.amount_minor = new.amount_minor AND d.currency = new.currency)
  THEN
    RAISE EXCEPTION 'payment % returns no deposit that was approved', new.id
      USING errcode = '23514', constraint = 'payment_item_returns_what_was_approved';
  END IF;
  RETURN new;
END $$
"""


def upgrade() -> None:
    """Say where the money lies, and let a payment be a return."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    for table, column, of in (
        ("deposit_receipt", "bank_account_id", "bank_account"),
        ("payment_item", "deposit_movement_id", "deposit_movement"),
    ):
        op.add_column(table, sa.Column(column, sa.Uuid(), nullable=True))
        op.execute(
            f"ALTER TABLE {table} ADD CONSTRAINT {table}_{column}_fkey "
            f"FOREIGN KEY ({column}) REFERENCES {of} (id) NOT VALID"
        )
    op.create_index(
        "ix_payment_item_return_in_one_file", "payment_item", ["deposit_movement_id"], unique=True,
        postgresql_where=sa.text("state NOT IN ('returned', 'failed')"),
    )  # fmt: skip
    _widen(now=True)
    op.execute(RETURNS)
    op.execute(
        "CREATE TRIGGER payment_item_returns BEFORE INSERT ON payment_item "
        "FOR EACH ROW EXECUTE FUNCTION payment_item_returns()"
    )


def downgrade() -> None:
    """Go back; rows of the wider kinds stay as they are."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("DROP TRIGGER payment_item_returns ON payment_item")
    op.execute("DROP FUNCTION payment_item_returns()")
    _widen(now=False)
    op.drop_index("ix_payment_item_return_in_one_file", "payment_item")
    op.drop_column("payment_item", "deposit_movement_id")
    op.drop_column("deposit_receipt", "bank_account_id")


def _widen(*, now: bool) -> None:
    for table, name, rules in WIDENED:
        op.execute(
            "-- squawk-ignore ban-drop-constraint -- another of the same name follows at once\n"
            f"ALTER TABLE {table} DROP CONSTRAINT {table}_{name}"
        )
        op.execute(
            f"ALTER TABLE {table} ADD CONSTRAINT {table}_{name} CHECK ({rules[now]}) NOT VALID"
        )
