"""Booking costs less again: who writes by hand is told by what they may not write.

Until here a trigger asked for every journal and line whether a verb wrote it: a setting and a
privilege, through a function. The application's role may now write by hand only the columns that
are a writer's to say. What a verb works out it says itself (`xid`, `account_version`), and where
that is absent a hand wrote, and the triggers stamp, move the balance and have it judged as before.

A journal of two lines, as most are, is booked by `ledger_book` itself: PostgreSQL prepares each
expression of a function anew in each transaction, so loops over arrays cost more than their work.
"""

from importlib import import_module

from alembic import op

revision = "0078"
down_revision = "0077"

books = import_module("migrations.versions.0041_books")
booking = import_module("migrations.versions.0051_ledger_booking")
pace = import_module("migrations.versions.0071_ledger_pace")

_DEFINER = "LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$"
# Called with the rights of the verb; called by itself, it reads and says no.
REFUSE = f"""
CREATE FUNCTION ledger_refuse_line(_journal bigint, _line int, _account bigint, _amount bigint)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE balance record;
BEGIN
  SELECT posted_minor, held_debit_minor, held_credit_minor, floor_minor, ceiling_minor, status
    INTO balance FROM ledger_balance WHERE account_id = _account;
{booking._JUDGE.format(account="_account")}
{pace._MOVES.format(amount="_amount", line="_line", journal="_journal")}
END $$
"""


def _move(line: int, side: str) -> str:
    """Move one balance, and judge what it is then; the reason of a no is looked up."""
    return f"""
  UPDATE ledger_balance SET posted_minor = posted_minor + {side}_amount, version = version + 1
    WHERE account_id = {side}_account
    RETURNING posted_minor, version, currency, status = 'open' AND {side}_amount <> 0
      AND (posted_minor - held_credit_minor < floor_minor) IS NOT TRUE
      AND (posted_minor + held_debit_minor > ceiling_minor) IS NOT TRUE AS stands
    INTO {side};
  IF {side}.stands IS NOT TRUE THEN
    PERFORM ledger_refuse_line(made, {line}, {side}_account, {side}_amount);
  END IF;
"""


_OPENED = pace.OPEN_JOURNAL[
    pace.OPEN_JOURNAL.index("  INSERT INTO ledger_journal") : pace.OPEN_JOURNAL.index(
        "  RETURN made"
    )
]
BOOK = f"""
CREATE OR REPLACE FUNCTION ledger_book({books._JOURNAL}, _reversal_of bigint, _reason text,
  _occurred_at timestamptz) RETURNS bigint {_DEFINER}
DECLARE made bigint; closed bool; low record; high record;
  low_account bigint := _accounts[1]; low_amount bigint := _amounts[1];
  high_account bigint := _accounts[2]; high_amount bigint := _amounts[2];
BEGIN
  IF (cardinality(_accounts) = 2 AND cardinality(_amounts) = 2
      AND low_account < high_account) IS NOT TRUE THEN
    made := ledger_open_journal(_idem_key, _kind, _actor, _deal_id, _effective_at, _request_hash,
                                _accounts, _amounts, _reversal_of, _reason, _occurred_at);
    IF made IS NULL THEN
      RETURN (SELECT id FROM ledger_journal WHERE idem_key = _idem_key);
    END IF;
    RETURN ledger_write_lines(made, _accounts, _amounts);
  END IF;
{_OPENED}
  IF made IS NULL THEN
    RETURN (SELECT id FROM ledger_journal WHERE idem_key = _idem_key);
  END IF;
{_move(1, "low")}
{_move(2, "high")}
  INSERT INTO ledger_posting (journal_id, line, account_id, currency, amount_minor,
                              balance_after_minor, account_version)
    VALUES (made, 1, low_account, low.currency, low_amount, low.posted_minor, low.version),
           (made, 2, high_account, high.currency, high_amount, high.posted_minor, high.version);
  IF low.currency <> high.currency OR low_amount::numeric <> -high_amount::numeric THEN
    PERFORM ledger_judge_later(made);
  END IF;
  RETURN made;
END $$
"""
VERBS = {
    "ledger_book": books.NEW_FUNCTIONS["ledger_book"],
    "ledger_capture": books.NEW_FUNCTIONS["ledger_capture"],
}
# By table: the trigger, what only a verb says, and the trigger's function.
BY_HAND = {
    "ledger_journal": ("ledger_journal_stamp", "xid", "ledger_stamp_journal"),
    "ledger_posting": ("ledger_posting_apply", "account_version", "ledger_apply_posting"),
}


def upgrade() -> None:
    """Ask for what is absent; book two lines at once."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute(
        "-- squawk-ignore ban-drop-default -- the trigger says it where a hand did not\n"
        "ALTER TABLE ledger_journal ALTER COLUMN xid DROP DEFAULT"
    )
    for table, (trigger, column, function) in BY_HAND.items():
        op.execute(f"DROP TRIGGER {trigger} ON {table}")
        op.execute(pace._ask(trigger, table, f"WHEN (new.{column} IS NULL) ", function))
    op.execute(REFUSE)
    op.execute(BOOK)
    for name, types in VERBS.items():
        op.execute(f"ALTER FUNCTION {name}({types}) RESET exchange.booking")
    op.execute(f"{pace._OWN}DROP FUNCTION ledger_by_hand()")


def downgrade() -> None:
    """Ask for the setting and the privilege again."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute(pace.BY_HAND)
    op.execute(pace.BOOK)
    for name, types in VERBS.items():
        op.execute(f"ALTER FUNCTION {name}({types}) SET exchange.booking = 'on'")
    op.execute("DROP FUNCTION ledger_refuse_line(bigint, int, bigint, bigint)")
    for table, (trigger, _, function) in BY_HAND.items():
        op.execute(f"DROP TRIGGER {trigger} ON {table}")
        op.execute(pace._ask(trigger, table, "WHEN (ledger_by_hand()) ", function))
    op.execute(
        "ALTER TABLE ledger_journal ALTER COLUMN xid SET DEFAULT pg_current_xact_id()::text::bigint"
    )
