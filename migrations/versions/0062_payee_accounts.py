"""Payees' bank accounts: verified by an approval of exactly that account, given in person.

The account keeps the bytes that are approved, and its columns say what they say. A changed account
is paid 72 hours after its approval, whoever writes the row.
"""

from importlib import import_module

import sqlalchemy as sa
from alembic import op

revision = "0062"
down_revision = "0063"

# RFC 8785 of what the account is: `to_json` escapes as it does, the names stand in their order.
CONTENT = """convert_to('{"account":' || to_json(id::text) || ',"bank":' || to_json(bank_name)
  || ',"code":' || to_json(concat_ws(':', scheme, member_id, number))
  || ',"currency":' || to_json(currency::text) || ',"holder":' || to_json(holder)
  || ',"party":' || to_json(party_id::text) || '}', 'UTF8')"""
KEPT = """
CREATE OR REPLACE FUNCTION payee_bank_account_stays() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
  IF tg_op = 'INSERT' THEN
    IF convert_from(new.content, 'UTF8')::jsonb IS DISTINCT FROM jsonb_build_object(
      'account', new.id, 'party', new.party_id, 'holder', new.holder, 'currency', new.currency,
      'bank', new.bank_name, 'code', concat_ws(':', new.scheme, new.member_id, new.number))
    THEN
      RAISE EXCEPTION 'bank account % is not what its content says', new.id
        USING errcode = '23514', constraint = 'payee_bank_account_says_what_it_is';
    END IF;
    RETURN new;
  END IF;
  IF (new.party_id, new.scheme, new.number, new.member_id, new.holder, new.bank_name,
      new.currency, new.sha256, new.declared_by, new.declared_at)
    IS DISTINCT FROM (old.party_id, old.scheme, old.number, old.member_id, old.holder,
      old.bank_name, old.currency, old.sha256, old.declared_by, old.declared_at)
    OR (old.state <> 'declared' AND (new.decided_at, new.evidence, new.usable_from)
      IS DISTINCT FROM (old.decided_at, old.evidence, old.usable_from))
  THEN
    RAISE EXCEPTION 'a bank account never changes' USING ERRCODE = 'check_violation';
  END IF;
  IF new.state <> old.state AND (old.state, new.state) NOT IN
    (('declared', 'verified'), ('declared', 'refused'), ('verified', 'superseded'))
  THEN
    RAISE EXCEPTION 'a bank account does not become % from %', new.state, old.state
      USING errcode = '23514', constraint = 'payee_bank_account_goes_on';
  END IF;
  IF old.state = 'declared' AND new.state = 'verified' AND (NOT EXISTS (SELECT FROM approval a
      WHERE a.object_type = 'payee-account' AND a.object_id = new.id
        AND a.outcome = 'approved' AND a.decided_at = new.decided_at)
    OR (new.usable_from < new.decided_at + interval '72 hours' AND EXISTS (
      SELECT FROM payee_bank_account b WHERE b.party_id = new.party_id
        AND b.currency = new.currency AND b.state IN ('verified', 'superseded'))))
  THEN
    RAISE EXCEPTION 'a changed bank account cools off for 72 hours from its approval'
      USING errcode = '23514', constraint = 'payee_bank_account_cools_off';
  END IF;
  RETURN new;
END $$
"""


def upgrade() -> None:
    """Keep the bytes that are approved, and hold the accounts to their approvals."""
    # No new row keeps the default: the trigger refuses what does not say what the account is.
    empty = sa.Column("content", sa.LargeBinary(), nullable=False, server_default="")
    op.add_column("payee_bank_account", empty)
    op.execute(f"UPDATE payee_bank_account SET content = {CONTENT}")
    op.execute(KEPT)
    op.execute("DROP TRIGGER payee_bank_account_kept ON payee_bank_account")
    op.execute(
        "CREATE TRIGGER payee_bank_account_kept BEFORE INSERT OR UPDATE ON payee_bank_account "
        "FOR EACH ROW EXECUTE FUNCTION payee_bank_account_stays()"
    )
    guard = import_module("migrations.versions.0046_proofs").guard
    arguments = "'payee-account', 'declared', 'content', 'sha256', 'declared_by'"
    op.execute(guard("payee_bank_account", arguments))


def downgrade() -> None:
    """Let accounts be verified by their own columns again."""
    op.execute("DROP TRIGGER payee_bank_account_is_decided ON payee_bank_account")
    op.execute("DROP TRIGGER payee_bank_account_kept ON payee_bank_account")
    before: str = import_module("migrations.versions.0042_bank").KEPT
    op.execute(before.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION"))
    op.execute(
        "CREATE TRIGGER payee_bank_account_kept BEFORE UPDATE ON payee_bank_account "
        "FOR EACH ROW EXECUTE FUNCTION payee_bank_account_stays()"
    )
    op.drop_column("payee_bank_account", "content")
