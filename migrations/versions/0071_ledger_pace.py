"""Booking costs less: what is judged at a transaction's end waits in a table of its own.

PostgreSQL reads the condition of a trigger and a CHECK from their stored text anew in each
statement, and `ledger_journal` had gathered five conditions, `ledger_posting` two and two CHECKs.
A journal that is judged later (by hand, a reversal, of a kind that two people decide, or one whose
lines a verb has not itself proved to balance) now leaves a row in `ledger_pending`, where the
triggers of that judgement stand; judged, the row goes. What is left on the two tables asks one
question. What the CHECKs said is said by both ways of writing.
"""

from importlib import import_module

import sqlalchemy as sa
from alembic import op

revision = "0071"
down_revision = "0068"

books = import_module("migrations.versions.0041_books")
booking = import_module("migrations.versions.0051_ledger_booking")
orders = import_module("migrations.versions.0055_orders")
kept = import_module("migrations.versions.0065_orders_kept")

_INVOKER = "LANGUAGE plpgsql AS $$"
_DEFINER = "LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$"
_XID = "pg_current_xact_id()::text::bigint"

# Asked by triggers with the rights and the search path of whoever writes, so it uses no operator
# and no name that somebody could put another in front of.
BY_HAND = """
CREATE FUNCTION ledger_by_hand() RETURNS boolean LANGUAGE plpgsql STABLE AS $$
BEGIN
  RETURN pg_catalog.texteq(pg_catalog.current_setting('exchange.booking', true), 'on') IS NOT TRUE
    OR pg_catalog.has_table_privilege(
      'public.ledger_balance'::pg_catalog.regclass, 'UPDATE') IS NOT TRUE;
END $$
"""
DECIDED = f"""
CREATE FUNCTION ledger_is_decided(_kind text) RETURNS boolean LANGUAGE sql IMMUTABLE
RETURN _kind IN ('journal.manual', {kept.KINDS})
"""
WAIT = f"""
CREATE FUNCTION ledger_judge_later(_journal bigint) RETURNS void {_INVOKER}
BEGIN
  INSERT INTO ledger_pending (id, idem_key, kind, actor, reason, reversal_of, effective_at)
    SELECT id, idem_key, kind, actor, reason, reversal_of, effective_at
    FROM ledger_journal WHERE id = _journal
    ON CONFLICT (id) DO NOTHING;
END $$
"""
_TWO_LINES = """
  IF {lines} NOT BETWEEN 2 AND 1000 THEN
    RAISE EXCEPTION 'journal % with % lines breaks ledger_journal_has_two_lines', {key}, {lines}
      USING errcode = '23514', constraint = 'ledger_journal_has_two_lines';
  END IF;
"""
_MOVES = """
  IF {amount} = 0 THEN
    RAISE EXCEPTION 'line % of journal % breaks ledger_posting_moves_something', {line}, {journal}
      USING errcode = '23514', constraint = 'ledger_posting_moves_something';
  END IF;
"""
_CLOSED = """
    RAISE EXCEPTION 'the books are closed at %', {at}
      USING errcode = '23514', constraint = 'ledger_period_open';
"""
STAMP = f"""
CREATE OR REPLACE FUNCTION ledger_stamp_journal() RETURNS trigger {_DEFINER}
BEGIN
  IF tg_relid <> 'public.ledger_journal'::regclass THEN
    RAISE EXCEPTION 'journals are stamped in ledger_journal alone' USING errcode = '42501';
  END IF;
  new.xid := {_XID};
  new.created_at := clock_timestamp();
  IF EXISTS (SELECT FROM ledger_close WHERE until > new.effective_at) THEN
    {_CLOSED.format(at="new.effective_at")}
  END IF;
{_TWO_LINES.format(lines="new.lines", key="new.idem_key")}
  INSERT INTO ledger_pending (id, idem_key, kind, actor, reason, reversal_of, effective_at)
    VALUES (new.id, new.idem_key, new.kind, new.actor, new.reason, new.reversal_of,
            new.effective_at)
    ON CONFLICT (id) DO NOTHING;
  RETURN new;
END $$
"""
_APPLY_FROM = "  IF new.line > journal.lines OR journal.taken THEN"
APPLY = booking.APPLY.replace(
    _APPLY_FROM,
    _MOVES.format(amount="new.amount_minor", line="new.line", journal="new.journal_id")
    + "  IF new.line NOT BETWEEN 1 AND journal.lines OR journal.taken THEN",
)
# A journal that ON CONFLICT then drops has been stamped all the same: there is nothing to judge.
BALANCED = f"""
CREATE OR REPLACE FUNCTION ledger_assert_balanced() RETURNS trigger {_DEFINER}
BEGIN
  IF tg_relid <> 'public.ledger_pending'::regclass THEN
    RAISE EXCEPTION 'journals wait in ledger_pending alone' USING errcode = '42501';
  END IF;
  PERFORM ledger_assert_lines(j) FROM ledger_journal j WHERE j.id = new.id;
  DELETE FROM ledger_pending WHERE id = new.id;
  RETURN NULL;
END $$
"""
# Whether the period is open is asked in the statement that writes, so it costs no other.
OPEN_JOURNAL = f"""
CREATE OR REPLACE FUNCTION ledger_open_journal({books._JOURNAL}, _reversal_of bigint,
  _reason text, _occurred_at timestamptz) RETURNS bigint {_INVOKER}
DECLARE made bigint; closed bool;
BEGIN
{_TWO_LINES.format(lines="cardinality(_accounts)", key="_idem_key")}
  INSERT INTO ledger_journal (idem_key, kind, actor, deal_id, effective_at, request_hash, lines,
                              reversal_of, reason, occurred_at, created_at, xid)
    VALUES (_idem_key, _kind, _actor, _deal_id, _effective_at, _request_hash,
            cardinality(_accounts), _reversal_of, _reason, _occurred_at, clock_timestamp(), {_XID})
    ON CONFLICT (idem_key) DO NOTHING
    RETURNING id, EXISTS (SELECT FROM ledger_close WHERE until > _effective_at)
    INTO made, closed;
  IF made IS NULL THEN
    IF NOT EXISTS (
      SELECT FROM ledger_journal WHERE idem_key = _idem_key AND request_hash = _request_hash
    ) THEN
      RAISE EXCEPTION 'journal key % reused with other content', _idem_key USING errcode = '23505';
    END IF;
  ELSIF closed THEN
    {_CLOSED.format(at="_effective_at")}
  ELSIF _reversal_of IS NOT NULL OR ledger_is_decided(_kind) THEN
    PERFORM ledger_judge_later(made);
  END IF;
  RETURN made;
END $$
"""
# Most journals have two lines: VALUES costs less than taking arrays apart.
WRITE_LINES = f"""
CREATE FUNCTION ledger_write_lines(
  _made bigint, _accounts bigint[], _amounts bigint[]
) RETURNS bigint {_INVOKER}
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
{booking._MOVE.format(amount="_amounts[turn]", account="_accounts[turn]")}
{_MOVES.format(amount="_amounts[turn]", line="turn", journal="_made")}
    currencies[turn] := balance.currency;
    after[turn] := balance.posted_minor;
    versions[turn] := balance.version;
    total := total + _amounts[turn];
    proven := proven AND balance.currency = currencies[1];
  END LOOP;
  IF cardinality(_accounts) = 2 THEN
    INSERT INTO ledger_posting (journal_id, line, account_id, currency, amount_minor,
                                balance_after_minor, account_version)
      VALUES (_made, 1, _accounts[1], currencies[1], _amounts[1], after[1], versions[1]),
             (_made, 2, _accounts[2], currencies[2], _amounts[2], after[2], versions[2]);
  ELSE
    INSERT INTO ledger_posting (journal_id, line, account_id, currency, amount_minor,
                                balance_after_minor, account_version)
      SELECT _made, n, _accounts[n], currencies[n], _amounts[n], after[n], versions[n]
      FROM (SELECT generate_series(1, cardinality(_accounts)) AS n) AS lines;
  END IF;
  IF NOT proven OR total <> 0 THEN
    PERFORM ledger_judge_later(_made);
  END IF;
  RETURN _made;
END $$
"""
BOOK = f"""
CREATE OR REPLACE FUNCTION ledger_book({books._JOURNAL}, _reversal_of bigint, _reason text,
  _occurred_at timestamptz) RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp SET exchange.booking = 'on' AS $$
DECLARE made bigint;
BEGIN
  made := ledger_open_journal(_idem_key, _kind, _actor, _deal_id, _effective_at, _request_hash,
                              _accounts, _amounts, _reversal_of, _reason, _occurred_at);
  IF made IS NULL THEN
    RETURN (SELECT id FROM ledger_journal WHERE idem_key = _idem_key);
  END IF;
  RETURN ledger_write_lines(made, _accounts, _amounts);
END $$
"""
# A hold ends once, so this is never seen; it was a CHECK of the row that each posting updates.
_FREED = "    WHERE account_id = hold.account_id;\n"
HOLD_END = books.HOLD_END.replace(
    _FREED,
    _FREED[:-2]
    + """
    RETURNING least(held_debit_minor, held_credit_minor) INTO left_held;
  IF left_held < 0 THEN
    RAISE EXCEPTION 'hold % was not counted', hold.id
      USING errcode = '23514', constraint = 'ledger_balance_holds_are_not_negative';
  END IF;
""",
).replace("DECLARE hold record;", "DECLARE hold record; left_held bigint;")

# By the trigger's name: its condition where it stood and where it stands, and its function.
JUDGES = {
    "ledger_journal_balanced": (
        f"WHEN (new.reversal_of IS NOT NULL OR {booking.BY_HAND}) ", "", "ledger_assert_balanced",
    ),
    "ledger_manual_approved": (
        "WHEN (new.kind = 'journal.manual') ", "WHEN (new.kind = 'journal.manual') ",
        "ledger_manual_is_approved",
    ),
    "ledger_reversal_ordered": (
        "WHEN (new.reversal_of IS NOT NULL) ", "WHEN (new.reversal_of IS NOT NULL) ",
        "ledger_reversal_is_ordered",
    ),
    "ledger_kind_approved": (
        f"WHEN (new.kind IN ({kept.KINDS})) ",
        "WHEN (new.kind <> 'journal.manual' AND ledger_is_decided(new.kind)) ",
        "ledger_decision_is_approved",
    ),
}  # fmt: skip
ASKED = {
    "ledger_journal_stamp": ("ledger_journal", "", "ledger_stamp_journal"),
    "ledger_posting_apply": (
        "ledger_posting", f"WHEN ({booking.BY_HAND}) ", "ledger_apply_posting",
    ),
}  # fmt: skip
RULES = {
    "ledger_journal_has_two_lines": ("ledger_journal", "lines BETWEEN 2 AND 1000"),
    "ledger_posting_moves_something": ("ledger_posting", "amount_minor <> 0"),
    "ledger_posting_line": ("ledger_posting", "line >= 1"),
    "ledger_balance_holds_are_not_negative": (
        "ledger_balance", "held_debit_minor >= 0 AND held_credit_minor >= 0",
    ),
}  # fmt: skip
# No client calls these: they are parts of the verbs.
_OWN = "-- squawk-ignore ban-drop-function -- only the database itself calls it\n"
WRITE_LINES_TYPES = books.NEW_FUNCTIONS["ledger_write_lines"]


def upgrade() -> None:
    """Move the judgements to a table of their own, and ask the rest once."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.create_table(
        "ledger_pending",
        sa.Column("id", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("idem_key", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("reversal_of", sa.BigInteger(), nullable=True),
        sa.Column("effective_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.execute(f"{_OWN}DROP FUNCTION ledger_write_lines({WRITE_LINES_TYPES})")
    for body in (BY_HAND, DECIDED, WAIT, STAMP, APPLY, BALANCED, OPEN_JOURNAL, WRITE_LINES, BOOK):
        op.execute(body)
    op.execute(_again(HOLD_END))
    op.execute("DROP TRIGGER ledger_posting_balanced ON ledger_posting")
    op.execute(f"{_OWN}DROP FUNCTION ledger_assert_lines_balanced()")
    for name, (_, when, function) in JUDGES.items():
        op.execute(f"DROP TRIGGER {name} ON ledger_journal")
        op.execute(_judge(name, "ledger_pending", when, function))
    for name, (table, _, function) in ASKED.items():
        op.execute(f"DROP TRIGGER {name} ON {table}")
        op.execute(_ask(name, table, "WHEN (ledger_by_hand()) ", function))
    for name, (table, _) in RULES.items():
        op.execute(
            "-- squawk-ignore ban-drop-constraint -- both ways of writing look at what it says\n"
            f"ALTER TABLE {table} DROP CONSTRAINT {name}"
        )
    op.execute(
        "-- squawk-ignore ban-drop-constraint -- a reversal is compared with what it reverses\n"
        "ALTER TABLE ledger_journal DROP CONSTRAINT ledger_journal_reversal_of_fkey"
    )
    op.execute(
        "-- squawk-ignore ban-drop-constraint -- an index on the same column takes its name\n"
        "ALTER TABLE ledger_journal DROP CONSTRAINT ledger_journal_reversal_of_key"
    )
    op.execute(
        "-- squawk-ignore require-concurrent-index-deletion -- the next statement makes it anew\n"
        "DROP INDEX ix_ledger_journal_deal_id"
    )
    _index("ledger_journal_reversal_of_key", "reversal_of", unique=True)
    _index("ix_ledger_journal_deal_id", "deal_id")


def downgrade() -> None:
    """Judge where the rows are written again."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    for name in ("ledger_journal_reversal_of_key", "ix_ledger_journal_deal_id"):
        op.drop_index(name, "ledger_journal")
    op.create_index("ix_ledger_journal_deal_id", "ledger_journal", ["deal_id"])
    op.create_unique_constraint("ledger_journal_reversal_of_key", "ledger_journal", ["reversal_of"])
    op.execute(
        "ALTER TABLE ledger_journal ADD CONSTRAINT ledger_journal_reversal_of_fkey "
        "FOREIGN KEY (reversal_of) REFERENCES ledger_journal (id) NOT VALID"
    )
    for name, (table, rule) in RULES.items():
        op.execute(f"ALTER TABLE {table} ADD CONSTRAINT {name} CHECK ({rule}) NOT VALID")
    for name, (table, when, function) in ASKED.items():
        op.execute(f"DROP TRIGGER {name} ON {table}")
        op.execute(_ask(name, table, when, function))
    for name, (when, _, function) in JUDGES.items():
        op.execute(f"DROP TRIGGER {name} ON ledger_pending")
        op.execute(_judge(name, "ledger_journal", when, function))
    op.execute(f"DROP FUNCTION ledger_write_lines({WRITE_LINES_TYPES})")
    for body in (booking.LINES_BALANCED, books.STAMP, booking.APPLY, booking.BALANCED,
                 books.OPEN_JOURNAL, booking.WRITE_LINES, books.BOOK, books.HOLD_END):  # fmt: skip
        op.execute(_again(body))
    op.execute(f"ALTER FUNCTION {booking.OPEN_JOURNAL} SECURITY INVOKER RESET ALL")
    book = f"ledger_book({books.NEW_FUNCTIONS['ledger_book']})"
    op.execute(f"ALTER FUNCTION {book} SET exchange.booking = 'on'")
    op.execute(
        "CREATE CONSTRAINT TRIGGER ledger_posting_balanced AFTER INSERT ON ledger_posting "
        f"DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN ({booking.UNPROVEN}) "
        "EXECUTE FUNCTION ledger_assert_lines_balanced()"
    )
    for function in ("ledger_by_hand()", "ledger_is_decided(text)", "ledger_judge_later(bigint)"):
        op.execute(f"DROP FUNCTION {function}")
    op.drop_table("ledger_pending")


def _again(body: str) -> str:
    replaced: str = body.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION")
    return replaced


def _judge(name: str, table: str, when: str, function: str) -> str:
    return (
        f"CREATE CONSTRAINT TRIGGER {name} AFTER INSERT ON {table} "
        f"DEFERRABLE INITIALLY DEFERRED FOR EACH ROW {when}EXECUTE FUNCTION {function}()"
    )


def _ask(name: str, table: str, when: str, function: str) -> str:
    return (
        f"CREATE TRIGGER {name} BEFORE INSERT ON {table} "
        f"FOR EACH ROW {when}EXECUTE FUNCTION {function}()"
    )


def _index(name: str, column: str, *, unique: bool = False) -> None:
    op.create_index(
        name,
        "ledger_journal",
        [column],
        unique=unique,
        postgresql_where=sa.text(f"{column} IS NOT NULL"),
    )
