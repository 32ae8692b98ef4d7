"""What two people decide about the books is theirs in SQL too: marks, closes, exchanges, reversals.

Each is that of an approved order which says exactly this, and a journal made by hand moves what its
order says. The journals of payouts, refunds, red letters, releases from suspense and movements of
deposits are those of an approved one, once each. All of it is looked at when a transaction ends,
so that the verbs may write in their own order.
"""

from importlib import import_module

from alembic import op

revision = "0065"
down_revision = "0062"

_DEFINER = "LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$\n"
_WHAT = "convert_from(o.content, 'UTF8')::jsonb -> 'what'"
_BY_ACTOR = "o.state = 'approved' AND o.decided_by::text = new.actor AND o.reason = new.reason"

MARK = f"""
CREATE FUNCTION ledger_mark_is_ordered() RETURNS trigger {_DEFINER}
BEGIN
  IF NOT EXISTS (SELECT FROM ledger_order o JOIN ledger_account a ON a.id = new.account_id
    WHERE o.id = new.id AND o.kind = 'mark' AND {_BY_ACTOR}
      AND {_WHAT} ->> 'account' = a.code AND {_WHAT} ->> 'status' = new.status)
  THEN
    RAISE EXCEPTION 'mark % was ordered by nobody', new.id
      USING errcode = '23514', constraint = 'ledger_mark_is_ordered';
  END IF;
  RETURN NULL;
END $$
"""
CLOSE = f"""
CREATE FUNCTION ledger_close_is_ordered() RETURNS trigger {_DEFINER}
BEGIN
  IF NOT EXISTS (SELECT FROM ledger_order o WHERE o.id = new.id AND o.kind = 'close'
    AND {_BY_ACTOR} AND ({_WHAT} ->> 'until')::timestamptz = new.until)
  THEN
    RAISE EXCEPTION 'close % was ordered by nobody', new.id
      USING errcode = '23514', constraint = 'ledger_close_is_ordered';
  END IF;
  RETURN NULL;
END $$
"""
# Beside the positions, an exchange has two lines: what was given, and what the other account got.
EXCHANGE = f"""
CREATE FUNCTION ledger_exchange_is_ordered() RETURNS trigger {_DEFINER}
DECLARE what jsonb; given jsonb; got jsonb;
BEGIN
  SELECT {_WHAT} INTO what FROM ledger_order o JOIN ledger_journal j ON j.id = o.journal_id
    WHERE j.id = new.journal_id AND o.kind = 'exchange' AND o.state = 'approved'
      AND o.decided_by::text = j.actor;
  SELECT jsonb_agg(jsonb_build_object('account', a.code, 'amount_minor', p.amount_minor))
      FILTER (WHERE p.currency = new.sold_currency),
    jsonb_agg(jsonb_build_object('account', a.code, 'amount_minor', abs(p.amount_minor)))
      FILTER (WHERE p.currency = new.bought_currency)
    INTO given, got FROM ledger_posting p JOIN ledger_account a ON a.id = p.account_id
    WHERE p.journal_id = new.journal_id AND a.code NOT LIKE 'fx:position:%';
  IF (what ->> 'quote')::uuid IS DISTINCT FROM new.quote_id
    OR given IS DISTINCT FROM jsonb_build_array(what -> 'give')
    OR got IS DISTINCT FROM jsonb_build_array(jsonb_build_object(
      'account', what #> '{{take,account}}',
      'amount_minor', abs((what #>> '{{take,amount_minor}}')::bigint)))
  THEN
    RAISE EXCEPTION 'exchange % was ordered by nobody', new.journal_id
      USING errcode = '23514', constraint = 'ledger_exchange_is_ordered';
  END IF;
  RETURN NULL;
END $$
"""
REVERSAL = f"""
CREATE FUNCTION ledger_reversal_is_ordered() RETURNS trigger {_DEFINER}
BEGIN
  IF NOT EXISTS (SELECT FROM ledger_order o JOIN ledger_journal j ON j.id = new.reversal_of
    WHERE o.journal_id = new.id AND o.kind = 'reversal' AND {_BY_ACTOR}
      AND {_WHAT} ->> 'journal' = j.idem_key)
  THEN
    RAISE EXCEPTION 'reversal % was ordered by nobody', new.idem_key
      USING errcode = '23514', constraint = 'ledger_reversal_is_ordered';
  END IF;
  RETURN NULL;
END $$
"""
# Lines of one account may stand apart in the order; what counts is what each account moves.
MANUAL = f"""
CREATE OR REPLACE FUNCTION ledger_manual_is_approved() RETURNS trigger {_DEFINER}
DECLARE what jsonb;
BEGIN
  SELECT {_WHAT} INTO what FROM ledger_order o
    WHERE o.journal_id = new.id AND o.kind = 'journal' AND {_BY_ACTOR};
  IF NOT FOUND THEN
    RAISE EXCEPTION 'journal % was approved by nobody', new.idem_key
      USING errcode = '23514', constraint = 'ledger_manual_is_approved';
  END IF;
  IF coalesce((what ->> 'effective_at')::timestamptz <> new.effective_at, false) OR EXISTS (
    SELECT FROM (
      SELECT a.code, p.amount_minor FROM ledger_posting p
        JOIN ledger_account a ON a.id = p.account_id WHERE p.journal_id = new.id
      UNION ALL
      SELECT line ->> 'account', -(line ->> 'amount_minor')::bigint
        FROM jsonb_array_elements(what -> 'lines') AS line) AS moved (code, amount_minor)
    GROUP BY code HAVING sum(amount_minor) <> 0)
  THEN
    RAISE EXCEPTION 'journal % moves something else than its order says', new.idem_key
      USING errcode = '23514', constraint = 'ledger_manual_is_approved';
  END IF;
  RETURN NULL;
END $$
"""
# The key of such a journal names what it carries out, so there is one journal for each.
_MOVEMENT = """EXISTS (SELECT FROM deposit_movement m WHERE m.id = named
      AND m.state IN ('approved', 'done') AND m.decided_by::text = new.actor
      AND m.kind = '{kind}' AND new.idem_key = 'deposit:movement:' || named)"""
DECIDED = f"""
CREATE FUNCTION ledger_decision_is_approved() RETURNS trigger {_DEFINER}
DECLARE named uuid := substring(new.idem_key
  FROM '[0-9a-f]{{8}}(?:-[0-9a-f]{{4}}){{3}}-[0-9a-f]{{12}}');
BEGIN
  IF NOT (CASE new.kind
    WHEN 'payout.approved' THEN EXISTS (SELECT FROM payout p WHERE p.id = named
      AND p.state IN ('approved', 'paid') AND p.decided_by::text = new.actor
      AND new.idem_key = 'payout:' || named || '\\:approved')
    WHEN 'refund.approved' THEN EXISTS (SELECT FROM refund r WHERE r.id = named
      AND r.state IN ('approved', 'made', 'failed') AND r.decided_by::text = new.actor
      AND new.idem_key = 'refund:' || named || '\\:approved')
    WHEN 'red-letter.issued' THEN EXISTS (SELECT FROM red_letter r WHERE r.id = named
      AND r.state = 'issued' AND r.decided_by::text = new.actor
      AND new.idem_key = 'red-letter:' || named || '\\:issued')
    WHEN 'deposit.forfeited' THEN {_MOVEMENT.format(kind="forfeit")}
    WHEN 'deposit.distributed' THEN {_MOVEMENT.format(kind="distribute")}
    WHEN 'suspense.placed' THEN EXISTS (SELECT FROM recon_match m
      WHERE m.id = named AND m.state = 'approved' AND m.proposed_by::text = new.actor
        AND new.idem_key ~ '^release:[^:]+:[1-9][0-9]*$'
        AND (convert_from(m.content, 'UTF8')::jsonb #>> ARRAY['parts',
          (split_part(new.idem_key, ':', 3)::int - 1)::text, 'amount_minor'])::bigint =
          (SELECT sum(p.amount_minor) FROM ledger_posting p
            JOIN ledger_account a ON a.id = p.account_id
            WHERE p.journal_id = new.id AND a.code LIKE 'suspense:bank:%'))
    END)
  THEN
    RAISE EXCEPTION 'journal % (%) was approved by nobody', new.idem_key, new.kind
      USING errcode = '23514', constraint = 'ledger_decision_is_approved';
  END IF;
  RETURN NULL;
END $$
"""
KINDS = (
    "'payout.approved', 'refund.approved', 'red-letter.issued', 'deposit.forfeited', "
    "'deposit.distributed', 'suspense.placed'"
)
# By the trigger's name: its table, which rows it looks at, and its function.
TRIGGERS = {
    "ledger_mark_ordered": ("ledger_account_mark", "", "ledger_mark_is_ordered"),
    "ledger_ordered_close": ("ledger_close", "", "ledger_close_is_ordered"),
    "ledger_exchange_ordered": ("ledger_exchange", "", "ledger_exchange_is_ordered"),
    "ledger_reversal_ordered": (
        "ledger_journal", "WHEN (new.reversal_of IS NOT NULL) ", "ledger_reversal_is_ordered",
    ),
    "ledger_kind_approved": (
        "ledger_journal", f"WHEN (new.kind IN ({KINDS})) ", "ledger_decision_is_approved",
    ),
}  # fmt: skip


def upgrade() -> None:
    """Hold to their orders what was held by the doors alone."""
    for function in (MARK, CLOSE, EXCHANGE, REVERSAL, MANUAL, DECIDED):
        op.execute(function)
    for name, (table, when, function) in TRIGGERS.items():
        op.execute(
            f"CREATE CONSTRAINT TRIGGER {name} AFTER INSERT ON {table} "
            f"DEFERRABLE INITIALLY DEFERRED FOR EACH ROW {when}EXECUTE FUNCTION {function}()"
        )


def downgrade() -> None:
    """Leave it to the doors again."""
    for name, (table, _, function) in TRIGGERS.items():
        op.execute(f"DROP TRIGGER {name} ON {table}")
        op.execute(f"DROP FUNCTION {function}()")
    before: str = import_module("migrations.versions.0055_orders").MANUAL
    op.execute(before.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION"))
