"""Books: money held before it moves, exact reversals, exchange at quotes, frozen accounts, closes.

Holds count against an account's limits from the moment they are made. Whoever moves money between
currencies names a quote; whoever reverses a journal books its exact negative; and once the books
are closed up to an instant, nothing takes effect before it.
"""

from importlib import import_module

import sqlalchemy as sa
from alembic import op

revision = "0041"
down_revision = "0040"

INSTANT = sa.DateTime(timezone=True)
# Minor units, ISO 4217: those of `contracts.money.EXPONENTS`, which a test compares.
CURRENCIES = {
    "CNY": 2, "HKD": 2, "USD": 2, "EUR": 2, "GBP": 2, "SGD": 2, "JPY": 0, "KRW": 0, "KWD": 3,
    "CHF": 2, "PLN": 2, "SEK": 2,
}  # fmt: skip
_DEFINER = "LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$\n"
_OF_THIS_TRANSACTION = "pg_current_xact_id()::text::bigint"

STAMP = f"""
CREATE OR REPLACE FUNCTION ledger_stamp_journal() RETURNS trigger {_DEFINER}
BEGIN
  new.xid := {_OF_THIS_TRANSACTION};
  new.created_at := clock_timestamp();
  IF new.effective_at < (SELECT max(until) FROM ledger_close) THEN
    RAISE EXCEPTION 'the books are closed at %', new.effective_at
      USING errcode = '23514', constraint = 'ledger_period_open';
  END IF;
  RETURN new;
END $$
"""

# The limits, the status and the currency stand beside the balance, so that one update reads them as
# they are once its lock is held. Lines written by `ledger_write_lines` leave the currency to it.
APPLY = f"""
CREATE OR REPLACE FUNCTION ledger_apply_posting() RETURNS trigger {_DEFINER}
DECLARE journal record; balance record;
BEGIN
  IF tg_relid <> 'public.ledger_posting'::regclass THEN
    RAISE EXCEPTION 'balances are moved by ledger_posting alone' USING errcode = '42501';
  END IF;
  SELECT j.xid, j.lines, EXISTS (
      SELECT FROM ledger_posting p WHERE p.journal_id = new.journal_id AND p.line = new.line
    ) AS taken INTO journal
    FROM ledger_journal j WHERE j.id = new.journal_id;
  IF NOT FOUND OR journal.xid <> {_OF_THIS_TRANSACTION} THEN
    RAISE EXCEPTION 'journal % is sealed', new.journal_id USING errcode = '23514';
  END IF;
  IF new.line > journal.lines OR journal.taken THEN
    RAISE EXCEPTION 'journal % has no room for line %', new.journal_id, new.line
      USING errcode = '23514';
  END IF;
  UPDATE ledger_balance SET posted_minor = posted_minor + new.amount_minor, version = version + 1
    WHERE account_id = new.account_id
    RETURNING posted_minor, version, held_debit_minor, held_credit_minor, currency, floor_minor,
              ceiling_minor, status INTO balance;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'account % has no balance', new.account_id USING errcode = '23503';
  END IF;
  new.balance_after_minor := balance.posted_minor;
  new.account_version := balance.version;
  new.currency := coalesce(new.currency, balance.currency);
  IF balance.status <> 'open' THEN
    RAISE EXCEPTION 'account % is %', new.account_id, balance.status
      USING errcode = '23514', constraint = 'ledger_account_open';
  END IF;
  IF balance.posted_minor - balance.held_credit_minor < balance.floor_minor THEN
    RAISE EXCEPTION 'account % below floor', new.account_id
      USING errcode = '23514', constraint = 'ledger_limit';
  END IF;
  IF balance.posted_minor + balance.held_debit_minor > balance.ceiling_minor THEN
    RAISE EXCEPTION 'account % above ceiling', new.account_id
      USING errcode = '23514', constraint = 'ledger_limit';
  END IF;
  RETURN new;
END $$
"""

OPEN_BALANCE = f"""
CREATE OR REPLACE FUNCTION ledger_open_balance() RETURNS trigger {_DEFINER}
BEGIN
  IF tg_relid <> 'public.ledger_account'::regclass THEN
    RAISE EXCEPTION 'balances are opened by ledger_account alone' USING errcode = '42501';
  END IF;
  INSERT INTO ledger_balance (account_id, posted_minor, version, currency, floor_minor,
                              ceiling_minor, status)
    VALUES (new.id, 0, 0, new.currency, new.floor_minor, new.ceiling_minor, new.status);
  RETURN NULL;
END $$
"""

# An exchange of currencies names its quote. A reversal needs none: it undoes what had one.
BALANCED = f"""
CREATE OR REPLACE FUNCTION ledger_assert_balanced() RETURNS trigger {_DEFINER}
DECLARE present int; total numeric; least text; most text; bad text;
BEGIN
  SELECT count(*), sum(amount_minor), min(currency), max(currency)
    INTO present, total, least, most FROM ledger_posting WHERE journal_id = new.id;
  IF present <> new.lines THEN
    RAISE EXCEPTION 'journal % has % lines of %', new.id, present, new.lines
      USING errcode = '23514';
  END IF;
  IF least = most THEN
    bad := CASE WHEN total <> 0 THEN least END;
  ELSE
    SELECT currency INTO bad FROM ledger_posting WHERE journal_id = new.id
      GROUP BY currency HAVING sum(amount_minor) <> 0 LIMIT 1;
  END IF;
  IF bad IS NOT NULL THEN
    RAISE EXCEPTION 'journal % does not balance in %', new.id, bad USING errcode = '23514';
  END IF;
  IF new.reversal_of IS NOT NULL THEN
    PERFORM ledger_assert_reversal(new.id, new.reversal_of);
  ELSIF least <> most
    AND NOT EXISTS (SELECT FROM ledger_exchange WHERE journal_id = new.id)
  THEN
    RAISE EXCEPTION 'journal % exchanges currencies without a quote', new.id
      USING errcode = '23514';
  END IF;
  RETURN NULL;
END $$
"""

# Each of the two is looked up by its key: `IN` would be planned as a scan while the table is small.
REVERSAL = f"""
CREATE FUNCTION ledger_assert_reversal(_journal bigint, _of bigint) RETURNS void {_DEFINER}
DECLARE accounts bigint[]; amounts bigint[]; undone_accounts bigint[]; undone bigint[];
BEGIN
  IF EXISTS (SELECT FROM ledger_journal WHERE id = _of AND reversal_of IS NOT NULL) THEN
    RAISE EXCEPTION 'journal % is a reversal and is not reversed', _of USING errcode = '23514';
  END IF;
  SELECT array_agg(account_id ORDER BY account_id, -amount_minor),
         array_agg(-amount_minor ORDER BY account_id, -amount_minor)
    INTO accounts, amounts FROM ledger_posting WHERE journal_id = _journal;
  SELECT array_agg(account_id ORDER BY account_id, amount_minor),
         array_agg(amount_minor ORDER BY account_id, amount_minor)
    INTO undone_accounts, undone FROM ledger_posting WHERE journal_id = _of;
  IF (accounts, amounts) IS DISTINCT FROM (undone_accounts, undone) THEN
    RAISE EXCEPTION 'journal % is not the exact negative of %', _journal, _of
      USING errcode = '23514';
  END IF;
END $$
"""

# What is sold times the rate, in minor units, rounded towards zero; exact, because it is numeric.
EXCHANGE = f"""
CREATE FUNCTION ledger_assert_exchange() RETURNS trigger {_DEFINER}
DECLARE quote record; journal record; gave numeric; got numeric; up numeric; down numeric;
BEGIN
  IF tg_relid <> 'public.ledger_exchange'::regclass THEN
    RAISE EXCEPTION 'exchanges are checked in ledger_exchange alone' USING errcode = '42501';
  END IF;
  SELECT xid, effective_at, reversal_of INTO journal FROM ledger_journal WHERE id = new.journal_id;
  SELECT * INTO quote FROM ledger_quote WHERE id = new.quote_id;
  IF journal.xid <> {_OF_THIS_TRANSACTION} OR journal.reversal_of IS NOT NULL THEN
    RAISE EXCEPTION 'journal % takes no exchange', new.journal_id USING errcode = '23514';
  END IF;
  IF journal.effective_at < quote.quoted_at OR journal.effective_at >= quote.valid_until THEN
    RAISE EXCEPTION 'quote % does not hold at %', quote.id, journal.effective_at
      USING errcode = '23514', constraint = 'ledger_quote_holds';
  END IF;
  SELECT sum(amount_minor) FILTER (WHERE p.currency = new.sold_currency
           AND code = 'fx:position:' || new.sold_currency),
         sum(amount_minor) FILTER (WHERE p.currency = new.bought_currency
           AND code = 'fx:position:' || new.bought_currency)
    INTO gave, got FROM ledger_posting p JOIN ledger_account a ON a.id = p.account_id
    WHERE p.journal_id = new.journal_id;
  IF sign(gave) * sign(got) IS DISTINCT FROM -1 OR abs(gave) <> new.sold_minor
    OR abs(got) <> new.bought_minor
    OR (SELECT count(DISTINCT currency) FROM ledger_posting
        WHERE journal_id = new.journal_id) <> 2
  THEN
    RAISE EXCEPTION 'journal % does not move the positions it exchanges', new.journal_id
      USING errcode = '23514';
  END IF;
  SELECT power(10::numeric, c.exponent), power(10::numeric, b.exponent) INTO up, down
    FROM ledger_currency b, ledger_currency c WHERE b.code = quote.base AND c.code = quote.counter;
  IF (new.sold_currency, new.bought_currency) = (quote.base, quote.counter) THEN
    gave := new.sold_minor * quote.rate * up; got := down;
  ELSIF (new.sold_currency, new.bought_currency) = (quote.counter, quote.base) THEN
    gave := new.sold_minor * down; got := quote.rate * up;
  ELSE
    RAISE EXCEPTION 'quote % is of other currencies', quote.id USING errcode = '23514';
  END IF;
  IF new.bought_minor * got > gave OR (new.bought_minor + 1) * got <= gave THEN
    RAISE EXCEPTION 'journal % departs from its quote', new.journal_id USING errcode = '23514';
  END IF;
  RETURN NULL;
END $$
"""

# AFTER INSERT: it runs only for rows that stay, also where ON CONFLICT drops others.
HOLD = f"""
CREATE FUNCTION ledger_count_hold() RETURNS trigger {_DEFINER}
DECLARE balance record;
BEGIN
  IF tg_relid <> 'public.ledger_hold'::regclass THEN
    RAISE EXCEPTION 'holds are counted by ledger_hold alone' USING errcode = '42501';
  END IF;
  UPDATE ledger_balance SET
      held_debit_minor = held_debit_minor + greatest(new.amount_minor, 0),
      held_credit_minor = held_credit_minor + greatest(-new.amount_minor, 0)
    WHERE account_id = new.account_id
    RETURNING posted_minor, held_debit_minor, held_credit_minor, floor_minor, ceiling_minor, status
    INTO balance;
  IF balance.status <> 'open' THEN
    RAISE EXCEPTION 'account % is %', new.account_id, balance.status
      USING errcode = '23514', constraint = 'ledger_account_open';
  END IF;
  IF (new.amount_minor < 0 AND balance.floor_minor IS NULL)
    OR (new.amount_minor > 0 AND balance.ceiling_minor IS NULL)
  THEN
    RAISE EXCEPTION 'account % has no limit to hold against', new.account_id
      USING errcode = '23514', constraint = 'ledger_account_limited';
  END IF;
  IF balance.posted_minor - balance.held_credit_minor < balance.floor_minor
    OR balance.posted_minor + balance.held_debit_minor > balance.ceiling_minor
  THEN
    RAISE EXCEPTION 'account % has less than is to be held', new.account_id
      USING errcode = '23514', constraint = 'ledger_limit';
  END IF;
  INSERT INTO ledger_hold_open (hold_id, account_id, amount_minor, expires_at)
    VALUES (new.id, new.account_id, new.amount_minor, new.expires_at);
  RETURN NULL;
END $$
"""

HOLD_END = f"""
CREATE FUNCTION ledger_end_hold() RETURNS trigger {_DEFINER}
DECLARE hold record;
BEGIN
  IF tg_relid <> 'public.ledger_hold_end'::regclass THEN
    RAISE EXCEPTION 'holds are ended by ledger_hold_end alone' USING errcode = '42501';
  END IF;
  SELECT * INTO hold FROM ledger_hold WHERE id = new.hold_id;
  IF (new.outcome = 'expired') <> (new.ended_at >= hold.expires_at)
    OR new.ended_at < hold.made_at
  THEN
    RAISE EXCEPTION 'hold % cannot be % at %', hold.id, new.outcome, new.ended_at
      USING errcode = '23514', constraint = 'ledger_hold_in_time';
  END IF;
  IF sign(new.captured_minor) = -sign(hold.amount_minor)
    OR abs(new.captured_minor) > abs(hold.amount_minor)
  THEN
    RAISE EXCEPTION 'hold % is of less than is captured', hold.id
      USING errcode = '23514', constraint = 'ledger_hold_covers';
  END IF;
  UPDATE ledger_balance SET
      held_debit_minor = held_debit_minor - greatest(hold.amount_minor, 0),
      held_credit_minor = held_credit_minor - greatest(-hold.amount_minor, 0)
    WHERE account_id = hold.account_id;
  DELETE FROM ledger_hold_open WHERE hold_id = hold.id;
  RETURN NULL;
END $$
"""

CAPTURED = f"""
CREATE FUNCTION ledger_assert_captured() RETURNS trigger {_DEFINER}
DECLARE moved bigint; made bigint;
BEGIN
  SELECT xid INTO made FROM ledger_journal WHERE id = new.journal_id;
  SELECT coalesce(sum(p.amount_minor), 0) INTO moved FROM ledger_posting p
    JOIN ledger_hold h ON h.id = new.hold_id AND h.account_id = p.account_id
    WHERE p.journal_id = new.journal_id;
  IF new.outcome = 'captured' AND (moved <> new.captured_minor
    OR made IS DISTINCT FROM {_OF_THIS_TRANSACTION})
  THEN
    RAISE EXCEPTION 'hold % captures %, its journal moves %',
      new.hold_id, new.captured_minor, moved USING errcode = '23514';
  END IF;
  RETURN NULL;
END $$
"""

# An account without limits records what others did: an outside fact cannot be refused.
MARK = f"""
CREATE FUNCTION ledger_mark_account() RETURNS trigger {_DEFINER}
DECLARE account record; balance record;
BEGIN
  IF tg_relid <> 'public.ledger_account_mark'::regclass THEN
    RAISE EXCEPTION 'accounts are marked by ledger_account_mark alone' USING errcode = '42501';
  END IF;
  SELECT * INTO balance FROM ledger_balance WHERE account_id = new.account_id FOR UPDATE;
  SELECT * INTO account FROM ledger_account WHERE id = new.account_id;
  IF account.floor_minor IS NULL AND account.ceiling_minor IS NULL THEN
    RAISE EXCEPTION 'account % records what others did and stays open', new.account_id
      USING errcode = '23514', constraint = 'ledger_account_limited';
  END IF;
  IF account.status = 'closed' OR (new.status = 'closed' AND
    (balance.posted_minor, balance.held_debit_minor, balance.held_credit_minor) <> (0, 0, 0))
  THEN
    RAISE EXCEPTION 'account % cannot be %', new.account_id, new.status
      USING errcode = '23514', constraint = 'ledger_account_markable';
  END IF;
  UPDATE ledger_account SET status = new.status WHERE id = new.account_id;
  UPDATE ledger_balance SET status = new.status WHERE account_id = new.account_id;
  RETURN NULL;
END $$
"""

BALANCES_AT = f"""
CREATE FUNCTION ledger_balances_at(_until timestamptz) RETURNS bytea STABLE {_DEFINER}
DECLARE digest bytea;
BEGIN
  SELECT sha256(convert_to(coalesce(string_agg(code || ' ' || total, E'\\n'
      ORDER BY code COLLATE "C"), ''), 'UTF8')) INTO digest
    FROM (SELECT a.code, sum(p.amount_minor)::text AS total FROM ledger_journal j
          JOIN ledger_posting p ON p.journal_id = j.id JOIN ledger_account a ON a.id = p.account_id
          WHERE j.effective_at < _until GROUP BY a.code) AS totals;
  RETURN digest;
END $$
"""

# The lock waits for every journal that is being written, and those to come wait for the close:
# none can take effect in a period whose balances were just summed up.
CLOSE = f"""
CREATE FUNCTION ledger_close_books() RETURNS trigger {_DEFINER}
BEGIN
  LOCK TABLE ledger_journal IN SHARE MODE;
  IF new.until <= (SELECT max(until) FROM ledger_close) THEN
    RAISE EXCEPTION 'the books are closed beyond %', new.until
      USING errcode = '23514', constraint = 'ledger_close_goes_on';
  END IF;
  new.journals := (SELECT count(*) FROM ledger_journal WHERE effective_at < new.until);
  new.balances_sha256 := ledger_balances_at(new.until);
  RETURN new;
END $$
"""

_JOURNAL = (
    "_idem_key text, _kind text, _actor text, _deal_id uuid, _effective_at timestamptz, "
    "_request_hash bytea, _accounts bigint[], _amounts bigint[]"
)
_JOURNAL_TYPES = "text, text, text, uuid, timestamptz, bytea, bigint[], bigint[]"
_MORE_TYPES = "bigint, text, timestamptz"

# Returns null when the key is taken by the same content.
OPEN_JOURNAL = f"""
CREATE FUNCTION ledger_open_journal({_JOURNAL}, _reversal_of bigint, _reason text,
  _occurred_at timestamptz) RETURNS bigint {_DEFINER}
DECLARE made bigint;
BEGIN
  INSERT INTO ledger_journal (idem_key, kind, actor, deal_id, effective_at, request_hash, lines,
                              reversal_of, reason, occurred_at)
    VALUES (_idem_key, _kind, _actor, _deal_id, _effective_at, _request_hash,
            cardinality(_accounts), _reversal_of, _reason, _occurred_at)
    ON CONFLICT (idem_key) DO NOTHING RETURNING id INTO made;
  IF made IS NULL AND NOT EXISTS (
    SELECT FROM ledger_journal WHERE idem_key = _idem_key AND request_hash = _request_hash
  ) THEN
    RAISE EXCEPTION 'journal key % reused with other content', _idem_key USING errcode = '23505';
  END IF;
  RETURN made;
END $$
"""

# Lines go in by account id: one lock order for everybody, hence no deadlock between two journals.
WRITE_LINES = f"""
CREATE FUNCTION ledger_write_lines(_made bigint, _accounts bigint[], _amounts bigint[])
RETURNS void {_DEFINER}
BEGIN
  INSERT INTO ledger_posting
      (journal_id, line, account_id, currency, amount_minor, balance_after_minor, account_version)
    SELECT _made, row_number() OVER (ORDER BY given.account, given.turn), given.account, NULL,
           given.amount, 0, 0
    FROM unnest(_accounts, _amounts) WITH ORDINALITY AS given (account, amount, turn)
    ORDER BY given.account, given.turn;
END $$
"""

BOOK = f"""
CREATE FUNCTION ledger_book({_JOURNAL}, _reversal_of bigint, _reason text,
  _occurred_at timestamptz) RETURNS bigint {_DEFINER}
DECLARE made bigint;
BEGIN
  made := ledger_open_journal(_idem_key, _kind, _actor, _deal_id, _effective_at, _request_hash,
                              _accounts, _amounts, _reversal_of, _reason, _occurred_at);
  IF made IS NULL THEN
    RETURN (SELECT id FROM ledger_journal WHERE idem_key = _idem_key);
  END IF;
  PERFORM ledger_write_lines(made, _accounts, _amounts);
  RETURN made;
END $$
"""

POST = f"""
CREATE OR REPLACE FUNCTION ledger_post({_JOURNAL}) RETURNS bigint {_DEFINER}
BEGIN
  RETURN ledger_book(_idem_key, _kind, _actor, _deal_id, _effective_at, _request_hash, _accounts,
                     _amounts, NULL, NULL, NULL);
END $$
"""

# Every balance is locked first, by account id: the hold's is let go before its line moves it.
CAPTURE = f"""
CREATE FUNCTION ledger_capture(_hold_id uuid, {_JOURNAL}) RETURNS bigint {_DEFINER}
DECLARE made bigint; captured bigint;
BEGIN
  PERFORM FROM ledger_balance WHERE account_id = ANY (_accounts) ORDER BY account_id FOR UPDATE;
  made := ledger_open_journal(_idem_key, _kind, _actor, _deal_id, _effective_at, _request_hash,
                              _accounts, _amounts, NULL, NULL, NULL);
  IF made IS NULL THEN
    SELECT journal_id INTO made FROM ledger_hold_end JOIN ledger_journal ON id = journal_id
      WHERE hold_id = _hold_id AND idem_key = _idem_key;
    IF made IS NULL THEN
      RAISE EXCEPTION 'journal key % captured no hold %', _idem_key, _hold_id
        USING errcode = '23505';
    END IF;
    RETURN made;
  END IF;
  SELECT sum(amount) INTO captured FROM unnest(_accounts, _amounts) AS given (account, amount)
    JOIN ledger_hold ON id = _hold_id AND account_id = given.account;
  INSERT INTO ledger_hold_end (hold_id, outcome, captured_minor, journal_id, actor, ended_at)
    VALUES (_hold_id, 'captured', coalesce(captured, 0), made, _actor, _effective_at);
  PERFORM ledger_write_lines(made, _accounts, _amounts);
  RETURN made;
END $$
"""

APPENDED = (
    "ledger_hold", "ledger_hold_end", "ledger_quote", "ledger_exchange", "ledger_account_mark",
    "ledger_close",
)  # fmt: skip
TRIGGERS = (
    "CREATE TRIGGER ledger_hold_counts AFTER INSERT ON ledger_hold "
    "FOR EACH ROW EXECUTE FUNCTION ledger_count_hold()",
    "CREATE TRIGGER ledger_hold_ends AFTER INSERT ON ledger_hold_end "
    "FOR EACH ROW EXECUTE FUNCTION ledger_end_hold()",
    "CREATE CONSTRAINT TRIGGER ledger_hold_captured AFTER INSERT ON ledger_hold_end "
    "DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ledger_assert_captured()",
    "CREATE CONSTRAINT TRIGGER ledger_exchange_fits AFTER INSERT ON ledger_exchange "
    "DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ledger_assert_exchange()",
    "CREATE TRIGGER ledger_account_marks AFTER INSERT ON ledger_account_mark "
    "FOR EACH ROW EXECUTE FUNCTION ledger_mark_account()",
    "CREATE TRIGGER ledger_closes BEFORE INSERT ON ledger_close "
    "FOR EACH ROW EXECUTE FUNCTION ledger_close_books()",
)  # fmt: skip
NEW_FUNCTIONS = {
    "ledger_capture": f"uuid, {_JOURNAL_TYPES}",
    "ledger_book": f"{_JOURNAL_TYPES}, {_MORE_TYPES}",
    "ledger_open_journal": f"{_JOURNAL_TYPES}, {_MORE_TYPES}",
    "ledger_write_lines": "bigint, bigint[], bigint[]",
    "ledger_balances_at": "timestamptz",
    "ledger_assert_reversal": "bigint, bigint",
}
TRIGGER_FUNCTIONS = (
    "ledger_count_hold", "ledger_end_hold", "ledger_assert_captured", "ledger_assert_exchange",
    "ledger_mark_account", "ledger_close_books",
)  # fmt: skip


def upgrade() -> None:
    for column in (
        sa.Column("held_debit_minor", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("held_credit_minor", sa.BigInteger(), nullable=False, server_default="0"),
    ):
        op.add_column("ledger_balance", column)
    for told in (
        sa.Column("currency", sa.String(3), nullable=True),
        sa.Column("floor_minor", sa.BigInteger(), nullable=True),
        sa.Column("ceiling_minor", sa.BigInteger(), nullable=True),
        sa.Column("status", sa.String(), nullable=True),
    ):
        op.add_column("ledger_balance", told)
    op.execute(
        "UPDATE ledger_balance SET currency = account.currency, floor_minor = account.floor_minor, "
        "ceiling_minor = account.ceiling_minor, status = account.status "
        "FROM ledger_account account WHERE account.id = account_id"
    )
    op.execute(
        "ALTER TABLE ledger_balance ADD CONSTRAINT ledger_balance_holds_are_not_negative "
        "CHECK (held_debit_minor >= 0 AND held_credit_minor >= 0) NOT VALID"
    )
    op.add_column("ledger_journal", sa.Column("reason", sa.String(), nullable=True))
    op.add_column("ledger_journal", sa.Column("occurred_at", INSTANT, nullable=True))
    _tables()
    currencies = ", ".join(f"('{code}', {exponent})" for code, exponent in CURRENCIES.items())
    op.execute(f"INSERT INTO ledger_currency (code, exponent) VALUES {currencies}")
    for statement in (
        OPEN_BALANCE, REVERSAL, STAMP, APPLY, BALANCED, EXCHANGE, HOLD, HOLD_END, CAPTURED, MARK,
        BALANCES_AT, CLOSE, OPEN_JOURNAL, WRITE_LINES, BOOK, POST, CAPTURE, *TRIGGERS,
    ):  # fmt: skip
        op.execute(statement)
    for table in APPENDED:
        op.execute(
            f"CREATE TRIGGER {table}_stays BEFORE UPDATE OR DELETE ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION refuse_change()"
        )
        op.execute(
            f"CREATE TRIGGER {table}_stays_whole BEFORE TRUNCATE ON {table} "
            "EXECUTE FUNCTION refuse_change()"
        )


def downgrade() -> None:
    before = import_module("migrations.versions.0009_ledger")
    for body in (
        before.STAMP,
        before.OPEN_BALANCE,
        before.APPLY,
        before.BALANCED,
        before.POST,
    ):
        op.execute(body.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION"))
    for table in (
        "ledger_close", "ledger_account_mark", "ledger_exchange", "ledger_quote",
        "ledger_hold_end", "ledger_hold_open", "ledger_hold", "ledger_currency",
    ):  # fmt: skip
        op.drop_table(table)
    for name, types in NEW_FUNCTIONS.items():
        op.execute(f"DROP FUNCTION {name}({types})")
    for name in TRIGGER_FUNCTIONS:
        op.execute(f"DROP FUNCTION {name}()")
    op.drop_column("ledger_journal", "occurred_at")
    op.drop_column("ledger_journal", "reason")
    op.drop_constraint("ledger_balance_holds_are_not_negative", "ledger_balance")
    for name in ("status", "ceiling_minor", "floor_minor", "currency"):
        op.drop_column("ledger_balance", name)
    op.drop_column("ledger_balance", "held_credit_minor")
    op.drop_column("ledger_balance", "held_debit_minor")


def _tables() -> None:
    op.create_table(
        "ledger_currency",
        sa.Column("code", sa.String(3), primary_key=True),
        sa.Column("exponent", sa.SmallInteger(), nullable=False),
        sa.CheckConstraint("exponent BETWEEN 0 AND 4", name="ledger_currency_exponent"),
    )
    op.create_table(
        "ledger_hold",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("deal_id", sa.Uuid(), nullable=True),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("made_at", INSTANT, nullable=False),
        sa.Column("expires_at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id", "currency"],
            ["ledger_account.id", "ledger_account.currency"],
            name="ledger_hold_in_the_accounts_currency",
        ),
        sa.CheckConstraint("amount_minor <> 0", name="ledger_hold_holds_something"),
        sa.CheckConstraint("expires_at > made_at", name="ledger_hold_expires_later"),
        sa.CheckConstraint("char_length(reason) BETWEEN 1 AND 500", name="ledger_hold_reason"),
    )
    op.create_table(
        "ledger_hold_open",
        sa.Column("hold_id", sa.Uuid(), sa.ForeignKey("ledger_hold.id"), primary_key=True),
        sa.Column("account_id", sa.BigInteger(), nullable=False, index=True),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", INSTANT, nullable=False, index=True),
    )
    op.create_table(
        "ledger_hold_end",
        sa.Column("hold_id", sa.Uuid(), sa.ForeignKey("ledger_hold.id"), primary_key=True),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.Column("captured_minor", sa.BigInteger(), nullable=False),
        sa.Column(
            "journal_id", sa.BigInteger(), sa.ForeignKey("ledger_journal.id"), nullable=True,
            unique=True,
        ),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("ended_at", INSTANT, nullable=False),
        sa.CheckConstraint(
            "outcome IN ('captured', 'released', 'expired')", name="ledger_hold_end_outcome"
        ),
        sa.CheckConstraint(
            "(outcome = 'captured') = (captured_minor <> 0) "
            "AND (outcome = 'captured') = (journal_id IS NOT NULL)",
            name="ledger_hold_end_captures_or_not",
        ),
    )  # fmt: skip
    op.create_table(
        "ledger_quote",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("base", sa.String(3), sa.ForeignKey("ledger_currency.code"), nullable=False),
        sa.Column("counter", sa.String(3), sa.ForeignKey("ledger_currency.code"), nullable=False),
        sa.Column("rate", sa.Numeric(20, 10), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("quoted_at", INSTANT, nullable=False),
        sa.Column("valid_until", INSTANT, nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.CheckConstraint("base <> counter", name="ledger_quote_of_two_currencies"),
        sa.CheckConstraint("rate > 0", name="ledger_quote_rate"),
        sa.CheckConstraint(
            "valid_until > quoted_at AND valid_until <= quoted_at + interval '24 hours'",
            name="ledger_quote_holds_a_day_at_most",
        ),
    )
    op.create_table(
        "ledger_exchange",
        sa.Column(
            "journal_id", sa.BigInteger(), sa.ForeignKey("ledger_journal.id"), primary_key=True
        ),
        sa.Column("quote_id", sa.Uuid(), sa.ForeignKey("ledger_quote.id"), nullable=False),
        sa.Column("sold_currency", sa.String(3), nullable=False),
        sa.Column("sold_minor", sa.BigInteger(), nullable=False),
        sa.Column("bought_currency", sa.String(3), nullable=False),
        sa.Column("bought_minor", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("sold_minor > 0 AND bought_minor > 0", name="ledger_exchange_amounts"),
    )
    op.create_table(
        "ledger_account_mark",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column(
            "account_id", sa.BigInteger(), sa.ForeignKey("ledger_account.id"), nullable=False,
            index=True,
        ),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("marked_at", INSTANT, nullable=False),
        sa.CheckConstraint(
            "status IN ('open', 'frozen', 'closed')", name="ledger_account_mark_status"
        ),
        sa.CheckConstraint(
            "char_length(reason) BETWEEN 1 AND 500", name="ledger_account_mark_reason"
        ),
    )  # fmt: skip
    op.create_table(
        "ledger_close",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("until", INSTANT, nullable=False, unique=True),
        sa.Column("journals", sa.BigInteger(), nullable=False),
        sa.Column("balances_sha256", sa.LargeBinary(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("closed_at", INSTANT, nullable=False),
        sa.CheckConstraint("until <= closed_at", name="ledger_close_is_of_the_past"),
        sa.CheckConstraint("char_length(reason) BETWEEN 1 AND 500", name="ledger_close_reason"),
    )
