"""Every journal is explained by a row: its kind is one of those known, its key names what it books.

What two people decide was held to their decision before; now the rest is held to what it follows
from: a payment, a line of a bank, a deposit, a payout of the provider. Where that row is written
before its journal is booked, one look at an index is all; everything else is looked at when the
transaction ends, and a kind that nothing explains is refused then.
"""

from importlib import import_module

from alembic import op

revision = "0079"
down_revision = "0078"

pace = import_module("migrations.versions.0071_ledger_pace")
columns = import_module("migrations.versions.0078_ledger_columns")

_PLAIN = "LANGUAGE plpgsql STABLE SET search_path = public, pg_temp AS $$"
_DEFINER = "LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$"
# No money comes or goes by an invoice: what is left to the check of the whole ledger.
ISSUED = "invoice.issued"
# By the kind: how the key ends, and what has to be there under its beginning.
_PAYMENT = "EXISTS (SELECT FROM payment p WHERE p.provider_id = {} AND p.state = 'succeeded')"
_CARD = "EXISTS (SELECT FROM card_hold h WHERE h.provider_id = {} AND h.state = 'drawn')"
_TRANSFER = "EXISTS (SELECT FROM payout_transfer t WHERE t.provider_id = {} AND t.state = 'made')"
AT_ONCE = f"""
CREATE FUNCTION ledger_is_explained(_kind text, _key text) RETURNS boolean {_PLAIN}
BEGIN
  IF _kind = '{ISSUED}' THEN
    RETURN true;
  ELSIF _kind = 'transfer.made' AND _key LIKE '%\\:made' THEN
    RETURN {_TRANSFER.format("left(_key, -5)")};
  ELSIF _kind IN ('payment.received', 'payment.suspended') AND _key LIKE '%\\:received' THEN
    RETURN {_PAYMENT.format("left(_key, -9)")};
  ELSIF _kind = 'payment.fee' AND _key LIKE '%\\:fee' THEN
    RETURN {_PAYMENT.format("left(_key, -4)")} OR {_CARD.format("left(_key, -4)")};
  END IF;
  RETURN false;
END $$
"""
# A line of a bank, or a part of a release that two people decided, by the words of a key; a line
# may be of many payments, so it is found from the payment.
SHOWN = f"""
CREATE FUNCTION ledger_part_shown(_line text, _kind text) RETURNS uuid {_PLAIN}
DECLARE part jsonb;
BEGIN
  IF _line ~ '^release\\:[0-9a-f-]{{36}}\\:[1-9][0-9]{{0,3}}$' THEN
    SELECT convert_from(m.content, 'UTF8')::jsonb #> ARRAY[
        'parts', (split_part(_line, '\\:', 3)::int - 1)::text]
      INTO part FROM recon_match m
      WHERE m.id = split_part(_line, '\\:', 2)::uuid AND m.state = 'approved';
    RETURN CASE WHEN part ->> 'kind' = _kind THEN (part ->> 'name')::uuid END;
  END IF;
  RETURN (SELECT book.name::uuid FROM recon_side line
    JOIN recon_side book ON book.match_id = line.match_id
    WHERE _line ~ '^bank\\:[^\\:]*$' AND line.side = 'bank' AND line.kind = 'entry'
      AND line.name = split_part(_line, '\\:', 2) AND book.side = 'book' AND book.kind = _kind);
END $$
"""
PAID = f"""
CREATE FUNCTION ledger_payment_shown(_line text) RETURNS payment_item {_PLAIN}
DECLARE item payment_item;
BEGIN
  IF _line LIKE 'bank\\:%' THEN
    SELECT i.* INTO item FROM payment_item i
      JOIN recon_side book ON book.kind = 'payment' AND book.name = i.id::text
      JOIN recon_side line ON line.match_id = book.match_id AND line.kind = 'entry'
      WHERE i.end_to_end_id = split_part(_line, '\\:', 3) AND book.side = 'book'
        AND line.side = 'bank' AND line.name = split_part(_line, '\\:', 2)
        AND i.state IN ('paid', 'returned');
  ELSIF _line LIKE 'release\\:%' THEN
    SELECT i.* INTO item FROM payment_item i
      WHERE i.id = ledger_part_shown(_line, 'payment') AND i.state IN ('paid', 'returned');
  END IF;
  RETURN item;
END $$
"""
_BANK = """
    WHEN 'transfer.made' THEN ok := paid.payout_id IS NOT NULL AND paid.amount_minor = moved
      AND effect = 'made';
    WHEN 'transfer.returned' THEN ok := paid.payout_id IS NOT NULL AND paid.amount_minor = moved
      AND effect = 'returned' AND paid.state = 'returned';
    WHEN 'remittance.paid' THEN ok := paid.remittance_id IS NOT NULL AND paid.amount_minor = moved
      AND effect = 'paid';
    WHEN 'remittance.returned' THEN ok := paid.remittance_id IS NOT NULL
      AND effect = 'returned' AND paid.state = 'returned' AND paid.amount_minor = moved;
    WHEN 'bank.opening' THEN ok := whose = 'bank-statement\\:' || named
      AND effect = 'opening' AND EXISTS (SELECT FROM bank_statement s
        WHERE s.id = named AND s.turn = 1 AND abs(s.opening_minor) = moved);
    WHEN 'bank.suspended' THEN ok := whose = 'bank-statement\\:' || named AND effect = 'suspended'
      AND moved = (SELECT sum(abs(i.amount_minor)) FROM suspense_item i
        JOIN bank_entry e ON e.id = i.entry_id WHERE e.statement_id = named);
"""
_PROVIDER = """
    WHEN 'transfer.reversed' THEN ok := effect = 'reversed' AND EXISTS (SELECT FROM recovery r
      WHERE r.provider_id = whose AND r.state = 'reversed'
        AND r.amount_minor - r.withheld_minor = moved);
    WHEN 'dispute.moved' THEN ok := EXISTS (SELECT FROM dispute d WHERE d.provider_id = whose);
    WHEN 'dispute.lost' THEN ok := effect = 'lost' AND EXISTS (SELECT FROM dispute d
      WHERE d.provider_id = whose AND d.charged_at IS NOT NULL);
    WHEN 'sweep.made' THEN ok := effect = 'made' AND EXISTS (SELECT FROM sweep s
      WHERE s.provider_id = whose AND s.amount_minor = moved);
    WHEN 'sweep.failed' THEN ok := effect = 'failed' AND EXISTS (SELECT FROM sweep s
      WHERE s.provider_id = whose AND s.state = 'failed' AND s.amount_minor = moved);
    WHEN 'sweep.landed' THEN ok := effect = 'landed' AND EXISTS (SELECT FROM sweep s
      WHERE s.id = ledger_part_shown(whose, 'sweep') AND s.landed_at IS NOT NULL
        AND s.amount_minor = moved);
"""
# What was not ordered here has no row of its own: it is of a payment, and waits in suspense.
_REFUNDS = """
    WHEN 'refund.made' THEN ok := effect = new.kind AND EXISTS (SELECT FROM refund r
      WHERE r.provider_id = whose AND r.state IN ('made', 'failed') AND r.amount_minor = moved);
    WHEN 'refund.failed' THEN ok := effect = new.kind AND EXISTS (SELECT FROM refund r
      WHERE r.provider_id = whose AND r.state = 'failed' AND r.amount_minor = moved);
    WHEN 'refund.owed' THEN ok := whose = 'refund\\:' || named AND effect = 'owed' AND EXISTS (
      SELECT FROM refund r WHERE r.id = named AND r.state = 'failed' AND r.amount_minor = moved);
    WHEN 'refund.suspended' THEN ok := effect IN ('foreign', 'foreign-failed') AND EXISTS (
      SELECT FROM payment p WHERE p.state = 'succeeded'
        AND p.provider_id = substring(new.reason FROM '^not ordered here, of (.*)$'));
    WHEN 'payment.received' THEN ok := whose = 'invoice\\:' || named AND effect = 'paid-by-deposit'
      AND EXISTS (SELECT FROM invoice i
        WHERE i.id = named AND i.state = 'paid' AND i.deposit_minor > 0);
    WHEN 'remittance.approved' THEN ok := whose = 'remittance\\:' || named AND effect = 'approved'
      AND EXISTS (SELECT FROM remittance r WHERE r.id = named AND r.state IN ('approved', 'paid')
        AND r.decided_by::text = new.actor AND r.amount_minor = moved);
    WHEN 'fx.exchanged' THEN ok := EXISTS (
      SELECT FROM ledger_exchange x WHERE x.journal_id = new.id);
"""
_DEPOSITS = """
    WHEN 'deposit.received' THEN ok := (effect = 'received' AND EXISTS (SELECT FROM card_hold h
        WHERE h.provider_id = whose AND h.state = 'drawn' AND h.captured_minor = moved))
      OR (new.idem_key = 'deposit\\:receipt\\:' || named AND EXISTS (SELECT FROM deposit_receipt r
        WHERE r.id = named AND r.recorded_by::text = new.actor AND r.amount_minor = moved));
    WHEN 'deposit.applied' THEN ok := whose = 'deposit\\:invoice\\:' || named AND effect = 'applied'
      AND EXISTS (SELECT FROM invoice i WHERE i.id = named AND i.deposit_minor = moved);
    WHEN 'deposit.released' THEN ok := new.idem_key = 'deposit\\:movement\\:' || named AND EXISTS (
      SELECT FROM deposit_movement m WHERE m.id = named AND m.kind = 'return'
        AND m.state IN ('approved', 'done') AND m.decided_by::text = new.actor
        AND m.amount_minor = moved);
    WHEN 'deposit.returned' THEN ok := effect = 'returned' AND (
      (paid.deposit_movement_id IS NOT NULL AND paid.amount_minor = moved)
      OR EXISTS (SELECT FROM deposit_movement m WHERE m.id = named AND m.kind = 'return'
        AND m.state = 'done' AND m.amount_minor = moved
        AND whose = 'deposit\\:movement\\:' || named)
      OR EXISTS (SELECT FROM deposit_movement m WHERE m.reference = whose AND m.kind = 'return'
        AND m.state = 'done' AND m.amount_minor = moved));
    WHEN 'deposit.return-failed' THEN ok := effect = 'came-back' AND paid.state = 'returned'
      AND paid.deposit_movement_id IS NOT NULL AND paid.amount_minor = moved;
"""
EXPLAINED = f"""
CREATE FUNCTION ledger_kind_is_explained() RETURNS trigger {_DEFINER}
DECLARE
  named uuid := substring(new.idem_key
    FROM '[0-9a-f]{{8}}(?:-[0-9a-f]{{4}}){{3}}-[0-9a-f]{{12}}');
  effect text := substring(new.idem_key FROM '[^\\:]*$');
  whose text := regexp_replace(new.idem_key, '\\:[^\\:]*$', '');
  moved bigint := (SELECT sum(p.amount_minor) FROM ledger_posting p
    WHERE p.journal_id = new.id AND p.amount_minor > 0);
  paid payment_item := ledger_payment_shown(whose);
  ok boolean;
BEGIN
  CASE new.kind {_BANK} {_PROVIDER} {_REFUNDS} {_DEPOSITS}
    ELSE ok := false;
  END CASE;
  IF ok IS NOT TRUE AND NOT ledger_is_explained(new.kind, new.idem_key) THEN
    RAISE EXCEPTION 'journal % (%) is explained by nothing', new.idem_key, new.kind
      USING errcode = '23514', constraint = 'ledger_kind_is_explained';
  END IF;
  RETURN NULL;
END $$
"""
_DECIDED = "_reversal_of IS NOT NULL OR ledger_is_decided(_kind)"
_UNEXPLAINED = (
    "_reversal_of IS NOT NULL\n"
    f"    OR (_kind <> '{ISSUED}' AND NOT ledger_is_explained(_kind, _idem_key))"
)
OPEN_JOURNAL = pace.OPEN_JOURNAL.replace(_DECIDED, _UNEXPLAINED)
BOOK = columns.BOOK.replace(_DECIDED, _UNEXPLAINED)


def upgrade() -> None:
    """Ask of every journal what explains it."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    for body in (AT_ONCE, SHOWN, PAID, EXPLAINED, OPEN_JOURNAL, BOOK):
        op.execute(body)
    op.execute(
        "CREATE CONSTRAINT TRIGGER ledger_kind_explained AFTER INSERT ON ledger_pending "
        "DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (new.kind <> 'journal.manual' "
        "AND NOT ledger_is_decided(new.kind) AND new.reversal_of IS NULL) "
        "EXECUTE FUNCTION ledger_kind_is_explained()"
    )


def downgrade() -> None:
    """Leave what nobody decides to the check of the whole ledger."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("DROP TRIGGER ledger_kind_explained ON ledger_pending")
    for body in (pace.OPEN_JOURNAL, columns.BOOK):
        op.execute(body)
    for function in (
        "ledger_kind_is_explained()", "ledger_payment_shown(text)",
        "ledger_part_shown(text, text)", "ledger_is_explained(text, text)",
    ):  # fmt: skip
        op.execute(f"DROP FUNCTION {function}")
