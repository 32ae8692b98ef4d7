"""Booking many journals at once: every balance that they move is locked first, in one order."""

from alembic import op

revision = "0057"
down_revision = "0055"

# A journal locks its accounts in the order of their ids. Several in one transaction would lock them
# in the order of the journals, and two such transactions could wait for each other in a circle.
BOOK_MANY = """
CREATE FUNCTION ledger_book_many(_effective_at timestamptz, _journals json) RETURNS bigint[]
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE one record; made bigint[];
BEGIN
  PERFORM FROM ledger_balance WHERE account_id IN (
      SELECT account.id::bigint FROM json_array_elements(_journals) AS journal (entry),
        json_array_elements_text(journal.entry -> 'accounts') AS account (id)
    ) ORDER BY account_id FOR NO KEY UPDATE;
  FOR one IN SELECT * FROM json_to_recordset(_journals) AS journal (idem_key text, kind text,
      actor text, deal_id uuid, request_hash bytea, accounts bigint[], amounts bigint[])
  LOOP
    made := made || ledger_book(one.idem_key, one.kind, one.actor, one.deal_id, _effective_at,
                                one.request_hash, one.accounts, one.amounts, NULL, NULL, NULL);
  END LOOP;
  RETURN made;
END $$
"""


def upgrade() -> None:
    """Add the verb."""
    op.execute(BOOK_MANY)


def downgrade() -> None:
    """Take it away."""
    op.execute("DROP FUNCTION ledger_book_many(timestamptz, json)")
