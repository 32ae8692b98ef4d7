"""Booking in one go: the database's own verbs move the balances and write their lines at once.

A line that anybody writes by hand is still looked at by itself. The verbs need not be: they lock
the balances in one order, judge each, and write what they moved. A posting's two foreign keys go,
because a row that refers to nothing cannot be written: both ways of writing read the journal and
the balance, and the balance's own key says that its account has that currency.
"""

from importlib import import_module

from alembic import op

revision = "0051"
down_revision = "0049"

books = import_module("migrations.versions.0041_books")

_INVOKER = "LANGUAGE plpgsql AS $$"
_DEFINER = "LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$"
# A verb has the setting for as long as it runs. Anybody can set it; to write balances besides is
# what the application's role is not allowed.
BY_HAND = (
    "coalesce(current_setting('exchange.booking', true), '') NOT IN ('on', 'unproven') "
    "OR NOT has_table_privilege('ledger_balance'::regclass, 'UPDATE')"
)
# Lines that a verb did not itself prove to balance in one currency are judged at commit.
UNPROVEN = "new.line = 1 AND current_setting('exchange.booking', true) = 'unproven'"
_OF_THIS_TRANSACTION = "pg_current_xact_id()::text::bigint"

# One judgement for both ways: `balance` is the row as it stands after the line, under its lock.
_JUDGE = """
    IF NOT FOUND THEN
      RAISE EXCEPTION 'account % has no balance', {account} USING errcode = '23503';
    END IF;
    IF balance.status <> 'open' THEN
      RAISE EXCEPTION 'account % is %', {account}, balance.status
        USING errcode = '23514', constraint = 'ledger_account_open';
    END IF;
    IF balance.posted_minor - balance.held_credit_minor < balance.floor_minor THEN
      RAISE EXCEPTION 'account % below floor', {account}
        USING errcode = '23514', constraint = 'ledger_limit';
    END IF;
    IF balance.posted_minor + balance.held_debit_minor > balance.ceiling_minor THEN
      RAISE EXCEPTION 'account % above ceiling', {account}
        USING errcode = '23514', constraint = 'ledger_limit';
    END IF;
"""
_MOVE = """
    UPDATE ledger_balance SET posted_minor = posted_minor + {amount}, version = version + 1
      WHERE account_id = {account}
      RETURNING posted_minor, version, held_debit_minor, held_credit_minor, currency, floor_minor,
                ceiling_minor, status INTO balance;
""" + _JUDGE  # fmt: skip

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
{_MOVE.format(amount="new.amount_minor", account="new.account_id")}
  new.balance_after_minor := balance.posted_minor;
  new.account_version := balance.version;
  new.currency := coalesce(new.currency, balance.currency);
  IF new.currency <> balance.currency THEN
    RAISE EXCEPTION 'line in % breaks ledger_posting_in_the_accounts_currency', new.currency
      USING errcode = '23503', constraint = 'ledger_posting_in_the_accounts_currency';
  END IF;
  RETURN new;
END $$
"""

# The two parts of a verb run with the rights of who calls them: called by themselves, outside of a
# verb, they write no balance. Lines go in by account id, one lock order for everybody.
WRITE_LINES = f"""
CREATE OR REPLACE FUNCTION ledger_write_lines(
  _made bigint, _accounts bigint[], _amounts bigint[]
) RETURNS void {_INVOKER}
DECLARE balance record; turn int; currencies text[]; after bigint[]; versions bigint[];
  total numeric := 0; proven bool := true;
BEGIN
  IF cardinality(_accounts) <> cardinality(_amounts) THEN
    RAISE EXCEPTION 'journal % has not one amount for each account', _made USING errcode = '23514';
  END IF;
  FOR turn IN 2..cardinality(_accounts) LOOP
    IF _accounts[turn] < _accounts[turn - 1] THEN
      SELECT array_agg(given.account ORDER BY given.account, given.turn),
             array_agg(given.amount ORDER BY given.account, given.turn)
        INTO _accounts, _amounts
        FROM unnest(_accounts, _amounts) WITH ORDINALITY AS given (account, amount, turn);
      EXIT;
    END IF;
  END LOOP;
  FOR turn IN 1..cardinality(_accounts) LOOP
{_MOVE.format(amount="_amounts[turn]", account="_accounts[turn]")}
    currencies[turn] := balance.currency;
    after[turn] := balance.posted_minor;
    versions[turn] := balance.version;
    total := total + _amounts[turn];
    proven := proven AND balance.currency = currencies[1];
  END LOOP;
  IF NOT proven OR total <> 0 THEN
    PERFORM set_config('exchange.booking', 'unproven', true);
  END IF;
  INSERT INTO ledger_posting
      (journal_id, line, account_id, currency, amount_minor, balance_after_minor, account_version)
    SELECT _made, given.line, given.account, given.currency, given.amount, given.after,
           given.version
    FROM unnest(_accounts, currencies, _amounts, after, versions) WITH ORDINALITY
         AS given (account, currency, amount, after, version, line);
END $$
"""


# What `ledger_assert_balanced` says of a journal written by hand is said of a verb's lines too.
JUDGED = f"""
CREATE FUNCTION ledger_assert_lines(journal ledger_journal) RETURNS void {_DEFINER}
DECLARE present int; currencies int; bad text;
BEGIN
  SELECT count(*), count(DISTINCT currency) INTO present, currencies
    FROM ledger_posting WHERE journal_id = journal.id;
  IF present <> journal.lines THEN
    RAISE EXCEPTION 'journal % has % lines of %', journal.id, present, journal.lines
      USING errcode = '23514';
  END IF;
  SELECT currency INTO bad FROM ledger_posting WHERE journal_id = journal.id
    GROUP BY currency HAVING sum(amount_minor) <> 0 LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'journal % does not balance in %', journal.id, bad USING errcode = '23514';
  END IF;
  IF journal.reversal_of IS NOT NULL THEN
    PERFORM ledger_assert_reversal(journal.id, journal.reversal_of);
  ELSIF currencies > 1
    AND NOT EXISTS (SELECT FROM ledger_exchange WHERE journal_id = journal.id)
  THEN
    RAISE EXCEPTION 'journal % exchanges currencies without a quote', journal.id
      USING errcode = '23514';
  END IF;
END $$
"""
BALANCED = f"""
CREATE OR REPLACE FUNCTION ledger_assert_balanced() RETURNS trigger {_DEFINER}
BEGIN
  PERFORM ledger_assert_lines(new);
  RETURN NULL;
END $$
"""
LINES_BALANCED = f"""
CREATE FUNCTION ledger_assert_lines_balanced() RETURNS trigger {_DEFINER}
BEGIN
  PERFORM ledger_assert_lines(j) FROM ledger_journal j WHERE j.id = new.journal_id;
  RETURN NULL;
END $$
"""

TYPES = {name: books.NEW_FUNCTIONS[name] for name in ("ledger_book", "ledger_capture")}
OPEN_JOURNAL = f"ledger_open_journal({books.NEW_FUNCTIONS['ledger_open_journal']})"
KEYS = ("ledger_posting_in_the_accounts_currency", "ledger_posting_journal_id_fkey")


def upgrade() -> None:
    """Let the verbs write their lines at once, and the trigger look at all others."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    for body in (APPLY, WRITE_LINES, JUDGED, BALANCED, LINES_BALANCED):
        op.execute(body)
    op.execute(f"ALTER FUNCTION {OPEN_JOURNAL} SECURITY INVOKER RESET ALL")
    for name, types in TYPES.items():
        op.execute(f"ALTER FUNCTION {name}({types}) SET exchange.booking = 'on'")
    _triggers(f"WHEN ({BY_HAND}) ", f"WHEN (new.reversal_of IS NOT NULL OR {BY_HAND}) ")
    op.execute(
        "CREATE CONSTRAINT TRIGGER ledger_posting_balanced AFTER INSERT ON ledger_posting "
        f"DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN ({UNPROVEN}) "
        "EXECUTE FUNCTION ledger_assert_lines_balanced()"
    )
    op.execute(
        "ALTER TABLE ledger_balance ADD CONSTRAINT ledger_balance_in_the_accounts_currency "
        "FOREIGN KEY (account_id, currency) REFERENCES ledger_account (id, currency) NOT VALID"
    )
    for key in KEYS:
        op.execute(
            "-- squawk-ignore ban-drop-constraint -- both ways of writing look at what it says\n"
            f"ALTER TABLE ledger_posting DROP CONSTRAINT {key}"
        )


def downgrade() -> None:
    """Look at every line by itself again."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute(
        f"ALTER TABLE ledger_posting ADD CONSTRAINT {KEYS[0]} FOREIGN KEY (account_id, currency) "
        "REFERENCES ledger_account (id, currency) NOT VALID"
    )
    op.execute(
        f"ALTER TABLE ledger_posting ADD CONSTRAINT {KEYS[1]} FOREIGN KEY (journal_id) "
        "REFERENCES ledger_journal (id) NOT VALID"
    )
    op.drop_constraint("ledger_balance_in_the_accounts_currency", "ledger_balance")
    op.execute("DROP TRIGGER ledger_posting_balanced ON ledger_posting")
    _triggers("", "")
    for name, types in TYPES.items():
        op.execute(f"ALTER FUNCTION {name}({types}) RESET exchange.booking")
    for body in (books.APPLY, books.OPEN_JOURNAL, books.WRITE_LINES, books.BALANCED):
        op.execute(body.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION"))
    op.execute("DROP FUNCTION ledger_assert_lines_balanced()")
    op.execute("DROP FUNCTION ledger_assert_lines(ledger_journal)")


def _triggers(lines: str, journals: str) -> None:
    op.execute("DROP TRIGGER ledger_posting_apply ON ledger_posting")
    op.execute(
        "CREATE TRIGGER ledger_posting_apply BEFORE INSERT ON ledger_posting "
        f"FOR EACH ROW {lines}EXECUTE FUNCTION ledger_apply_posting()"
    )
    op.execute("DROP TRIGGER ledger_journal_balanced ON ledger_journal")
    op.execute(
        "CREATE CONSTRAINT TRIGGER ledger_journal_balanced AFTER INSERT ON ledger_journal "
        f"DEFERRABLE INITIALLY DEFERRED FOR EACH ROW {journals}"
        "EXECUTE FUNCTION ledger_assert_balanced()"
    )
