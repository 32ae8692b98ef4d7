"""Red letters: what takes an invoice back, decided by two people, numbered without a gap.

The invoice carries what was taken back of it, so that two red letters at once wait for its row and
together never pass what it says. Each is held to its approval as refunds are.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0052"
down_revision = "0053"

INSTANT = sa.DateTime(timezone=True)
# Named by table: what the constraint becomes, and what it was.
WIDENED = {
    ("invoice", "invoice_state_is_known"): (
        "state IN ('issued', 'paid', 'reversed')",
        "state IN ('issued', 'paid')",
    ),
    ("recovery", "recovery_cause_is_known"): (
        "cause IN ('refund', 'dispute', 'red-letter')",
        "cause IN ('refund', 'dispute')",
    ),
}
INVOICE = {
    "invoice_reversed_is_part_of_it": (
        "reversed_minor BETWEEN 0 AND amount_minor - deposit_minor "
        "AND reversed_tax_minor BETWEEN 0 AND tax_minor"
    ),
    "invoice_reversed_is_all_of_it": "state <> 'reversed' OR reversed_minor = amount_minor",
}
CHECKS = {
    "red_letter_state_is_known": "state IN ('prepared', 'issued', 'refused')",
    "red_letter_is_numbered": "(state = 'issued') = (number IS NOT NULL)",
    "red_letter_needs_two_people": "prepared_by <> decided_by",
    "red_letter_decided_by_whom_and_when": (
        "(state = 'prepared') = (decided_by IS NULL) "
        "AND (decided_by IS NULL) = (decided_at IS NULL)"
    ),
    "red_letter_refused_why": "(state = 'refused') = (refused_reason IS NOT NULL)",
    "red_letter_amounts_are_positive": "amount_minor > 0 AND tax_minor BETWEEN 0 AND amount_minor",
    "red_letter_currency_is_a_code": "currency ~ '^[A-Z]{3}$'",
    "red_letter_reason_is_known": (
        "reason_code IN ('error', 'return', 'service-ended', 'allowance')"
    ),
    "red_letter_reason_has_length": "char_length(reason) BETWEEN 1 AND 200",
    "red_letter_sha256_is_hex": "content_sha256 ~ '^[0-9a-f]{64}$'",
}
# At the end of a transaction an invoice has been taken back by exactly its issued red letters.
ADDS_UP = """
CREATE FUNCTION red_letters_add_up() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE blue invoice; taken bigint; tax bigint;
BEGIN
  SELECT * INTO blue FROM invoice WHERE id =
    CASE tg_table_name WHEN 'invoice' THEN (to_jsonb(new) ->> 'id')::uuid
      ELSE (to_jsonb(new) ->> 'invoice_id')::uuid END;
  SELECT coalesce(sum(amount_minor), 0), coalesce(sum(tax_minor), 0) INTO taken, tax
    FROM red_letter WHERE invoice_id = blue.id AND state = 'issued';
  IF (blue.reversed_minor, blue.reversed_tax_minor) <> (taken, tax) THEN
    RAISE EXCEPTION 'invoice % is not taken back by its red letters', blue.id
      USING errcode = '23514', constraint = 'red_letters_add_up';
  END IF;
  RETURN NULL;
END $$
"""
GUARD = (
    "CREATE TRIGGER red_letter_is_decided BEFORE INSERT OR UPDATE OR DELETE ON red_letter "
    "FOR EACH ROW EXECUTE FUNCTION decided_by_another('red-letter', 'prepared', 'content', "
    "'content_sha256', 'prepared_by')"
)


def upgrade() -> None:
    """Let invoices be taken back, and create the rows that do so."""
    for name in ("reversed_minor", "reversed_tax_minor"):
        op.add_column("invoice", _minor(name, server_default=sa.text("0")))
    for name, rule in INVOICE.items():
        op.execute(f"ALTER TABLE invoice ADD CONSTRAINT {name} CHECK ({rule}) NOT VALID")
    for (table, name), (rule, _) in WIDENED.items():
        _replace(table, name, rule)
    _red_letter()
    op.execute(GUARD)
    op.execute(ADDS_UP)
    for table, event in (
        ("red_letter", "INSERT OR UPDATE OF state, amount_minor, tax_minor"),
        ("invoice", "UPDATE OF reversed_minor, reversed_tax_minor"),
    ):
        op.execute(
            f"CREATE CONSTRAINT TRIGGER {table}_adds_up AFTER {event} ON {table} "
            "DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION red_letters_add_up()"
        )


def downgrade() -> None:
    """Drop them again; what was booked stays in the ledger."""
    op.execute("DROP TRIGGER invoice_adds_up ON invoice")
    op.drop_table("red_letter")
    op.execute("DROP FUNCTION red_letters_add_up()")
    for (table, name), (_, rule) in WIDENED.items():
        _replace(table, name, rule)
    for name in INVOICE:
        op.drop_constraint(name, "invoice")
    for name in ("reversed_minor", "reversed_tax_minor"):
        op.drop_column("invoice", name)


def _replace(table: str, name: str, rule: str) -> None:
    op.execute(
        "-- squawk-ignore ban-drop-constraint -- the next statement adds it again\n"
        f"ALTER TABLE {table} DROP CONSTRAINT {name}"
    )
    op.execute(f"ALTER TABLE {table} ADD CONSTRAINT {name} CHECK ({rule}) NOT VALID")


def _red_letter() -> None:
    op.create_table(
        "red_letter",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("number", sa.String(), nullable=True),
        sa.Column("invoice_id", sa.Uuid(), sa.ForeignKey("invoice.id"), nullable=False),
        sa.Column("refund_id", sa.Uuid(), sa.ForeignKey("refund.id"), nullable=True),
        _minor("amount_minor"),
        _minor("tax_minor"),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("reason_code", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("content_sha256", sa.String(), nullable=False),
        sa.Column("prepared_by", sa.Uuid(), sa.ForeignKey("person.id"), nullable=False),
        sa.Column("prepared_at", INSTANT, nullable=False),
        sa.Column("decided_by", sa.Uuid(), sa.ForeignKey("person.id"), nullable=True),
        sa.Column("decided_at", INSTANT, nullable=True),
        sa.Column("refused_reason", sa.String(), nullable=True),
        sa.UniqueConstraint("number"),
        *[sa.CheckConstraint(rule, name=name) for name, rule in CHECKS.items()],
    )
    op.create_index("ix_red_letter_invoice_id", "red_letter", ["invoice_id"])
    for name, column, state in (
        ("ix_red_letter_one_open", "invoice_id", "state = 'prepared'"),
        ("ix_red_letter_one_of_a_refund", "refund_id", "state <> 'refused'"),
    ):
        op.create_index(name, "red_letter", [column], unique=True, postgresql_where=sa.text(state))


def _minor(name: str, **more: Any) -> sa.Column[Any]:
    return sa.Column(name, sa.BigInteger(), nullable=False, **more)
