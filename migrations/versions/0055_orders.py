"""Orders to the ledger: journals made by hand and decisions about the books, by two people.

A journal of the kind `journal.manual` is that of an approved order, or the transaction is lost.
"""

from importlib import import_module

import sqlalchemy as sa
from alembic import op

revision = "0055"
down_revision = "0050"

INSTANT = sa.DateTime(timezone=True)
CHECKS = {
    "kind_is_known": "kind IN ('journal', 'reversal', 'exchange', 'mark', 'close')",
    "state_is_known": "state IN ('prepared', 'approved', 'refused')",
    "needs_two_people": "prepared_by <> decided_by",
    "decided_by_whom_and_when": "(state = 'prepared') = (decided_by IS NULL) "
    "AND (decided_by IS NULL) = (decided_at IS NULL)",
    "refused_why": "(state = 'refused') = (refused_reason IS NOT NULL)",
    "booked_once_approved": "(state = 'approved') = (approval_id IS NOT NULL) AND "
    "(journal_id IS NOT NULL) = "
    "(state = 'approved' AND kind IN ('journal', 'reversal', 'exchange'))",
    "has_a_reason": "char_length(reason) BETWEEN 1 AND 500",
    "sha256_is_hex": "content_sha256 ~ '^[0-9a-f]{64}$'",
}
MANUAL = """
CREATE FUNCTION ledger_manual_is_approved() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  IF NOT EXISTS (SELECT FROM ledger_order o WHERE o.journal_id = new.id
    AND o.kind = 'journal' AND o.state = 'approved' AND o.decided_by::text = new.actor)
  THEN
    RAISE EXCEPTION 'journal % was approved by nobody', new.idem_key
      USING errcode = '23514', constraint = 'ledger_manual_is_approved';
  END IF;
  RETURN NULL;
END $$
"""


def upgrade() -> None:
    """Create the rows of orders, and hold journals made by hand to them."""
    op.create_table(
        "ledger_order",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("content_sha256", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("prepared_by", sa.Uuid(), sa.ForeignKey("person.id"), nullable=False),
        sa.Column("prepared_at", INSTANT, nullable=False),
        sa.Column("decided_by", sa.Uuid(), sa.ForeignKey("person.id"), nullable=True),
        sa.Column("decided_at", INSTANT, nullable=True),
        sa.Column("refused_reason", sa.String(), nullable=True),
        sa.Column(
            "approval_id", sa.Uuid(), sa.ForeignKey("approval.id"), nullable=True, unique=True
        ),
        sa.Column(
            "journal_id",
            sa.BigInteger(),
            sa.ForeignKey("ledger_journal.id"),
            nullable=True,
            unique=True,
        ),
        *[sa.CheckConstraint(rule, name=f"ledger_order_{name}") for name, rule in CHECKS.items()],
    )
    op.create_index(
        "ix_ledger_order_to_decide",
        "ledger_order",
        ["prepared_at"],
        postgresql_where=sa.text("state = 'prepared'"),
    )
    guard = import_module("migrations.versions.0046_proofs").guard
    arguments = "'ledger-order', 'prepared', 'content', 'content_sha256', 'prepared_by'"
    op.execute(guard("ledger_order", arguments))
    op.execute(MANUAL)
    op.execute(
        "CREATE CONSTRAINT TRIGGER ledger_manual_approved AFTER INSERT ON ledger_journal "
        "DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (new.kind = 'journal.manual') "
        "EXECUTE FUNCTION ledger_manual_is_approved()"
    )


def downgrade() -> None:
    """Forget the orders; the journals that they left stay."""
    op.execute("DROP TRIGGER ledger_manual_approved ON ledger_journal")
    op.execute("DROP FUNCTION ledger_manual_is_approved()")
    op.drop_table("ledger_order")
