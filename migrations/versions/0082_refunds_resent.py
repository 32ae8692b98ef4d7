"""Refunds that failed are sent again: whole, one at a time, only while their payer is owed them.

Besides the one that waits, is on its way or arrived, others may have failed too; the ledger has
said of each that it is owed again. What failed stays so, and no refund changes what it is of.
"""

import sqlalchemy as sa
from alembic import op

revision = "0082"
down_revision = "0081"

RULE = "failed_at IS NULL OR state = 'failed'"
OWED = "EXISTS (SELECT FROM ledger_journal j WHERE j.idem_key = 'refund:' || {} || '\\:owed')"
FITS = f"""
CREATE FUNCTION refund_resend_fits() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
  IF tg_op = 'UPDATE' AND ((old.state = 'failed' AND new.state <> 'failed')
    OR (new.payment_id, new.deal_id, new.payer_id, new.amount_minor, new.currency, new.goes_to,
      new.account_id, new.to_account, new.document, new.resends)
    IS DISTINCT FROM (old.payment_id, old.deal_id, old.payer_id, old.amount_minor, old.currency,
      old.goes_to, old.account_id, old.to_account, old.document, old.resends))
  THEN
    RAISE EXCEPTION 'refund % stays what it is of, and failed once it failed', new.id
      USING errcode = '23514', constraint = 'refund_stays';
  END IF;
  IF new.resends IS NOT NULL AND new.state IN ('prepared', 'approved') AND (
    NOT EXISTS (SELECT FROM refund f WHERE f.id = new.resends AND f.state = 'failed'
      AND f.resends IS NULL AND {OWED.format("f.id")}
      AND (f.payment_id, f.deal_id, f.payer_id, f.amount_minor, f.currency)
        = (new.payment_id, new.deal_id, new.payer_id, new.amount_minor, new.currency))
    OR EXISTS (SELECT FROM refund f WHERE f.resends = new.resends AND f.id <> new.id
      AND f.state = 'failed' AND NOT {OWED.format("f.id")})
    OR convert_from(new.content, 'UTF8')::jsonb ->> 'resends' IS DISTINCT FROM new.resends::text)
  THEN
    RAISE EXCEPTION 'refund % sends nothing again that is owed', new.id
      USING errcode = '23514', constraint = 'refund_resend_fits';
  END IF;
  RETURN new;
END $$
"""


def upgrade() -> None:
    """Let a refund name the failed one that it sends again, and hold it to that one."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.add_column("refund", sa.Column("failed_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("refund", sa.Column("resends", sa.Uuid(), nullable=True))
    op.execute(
        "ALTER TABLE refund ADD CONSTRAINT refund_resends_fkey "
        "FOREIGN KEY (resends) REFERENCES refund (id) NOT VALID"
    )
    op.execute(f"ALTER TABLE refund ADD CONSTRAINT refund_failed_when CHECK ({RULE}) NOT VALID")
    op.create_index(
        "ix_refund_one_resend", "refund", ["resends"], unique=True,
        postgresql_where=sa.text("state IN ('prepared', 'approved', 'made')"),
    )  # fmt: skip
    op.execute(FITS)
    op.execute(
        "CREATE TRIGGER refund_resend_fits BEFORE INSERT OR UPDATE ON refund "
        "FOR EACH ROW EXECUTE FUNCTION refund_resend_fits()"
    )


def downgrade() -> None:
    """Take it back; what was sent again stays a refund like any other."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("DROP TRIGGER refund_resend_fits ON refund")
    op.execute("DROP FUNCTION refund_resend_fits()")
    op.drop_index("ix_refund_one_resend", "refund")
    op.drop_constraint("refund_failed_when", "refund")
    op.drop_column("refund", "resends")
    op.drop_column("refund", "failed_at")
