"""Double-entry ledger: its invariants are triggers and constraints, not habits.

A balance moves only through a posting; a journal takes lines only in the transaction that wrote
it and only as many as it announced; journals balance per currency when they commit; nothing ever
changes.
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

STAMP = """
CREATE FUNCTION ledger_stamp_journal() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  new.xid := pg_current_xact_id()::text::bigint;
  new.created_at := clock_timestamp();
  RETURN new;
END $$
"""

OPEN_BALANCE = """
CREATE FUNCTION ledger_open_balance() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  IF tg_relid <> 'public.ledger_account'::regclass THEN
    RAISE EXCEPTION 'balances are opened by ledger_account alone' USING errcode = '42501';
  END IF;
  INSERT INTO ledger_balance (account_id, posted_minor, version) VALUES (new.id, 0, 0);
  RETURN NULL;
END $$
"""

# The check on tg_relid keeps a role from hanging this function on a table of its own. The check for
# an existing line is needed because a row trigger also runs for rows that ON CONFLICT then drops.
APPLY = """
CREATE FUNCTION ledger_apply_posting() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE journal record; account record;
BEGIN
  IF tg_relid <> 'public.ledger_posting'::regclass THEN
    RAISE EXCEPTION 'balances are moved by ledger_posting alone' USING errcode = '42501';
  END IF;
  SELECT xid, lines INTO journal FROM ledger_journal WHERE id = new.journal_id;
  IF NOT FOUND OR journal.xid <> pg_current_xact_id()::text::bigint THEN
    RAISE EXCEPTION 'journal % is sealed', new.journal_id USING errcode = '23514';
  END IF;
  IF new.line > journal.lines OR EXISTS (
    SELECT 1 FROM ledger_posting p WHERE p.journal_id = new.journal_id AND p.line = new.line
  ) THEN
    RAISE EXCEPTION 'journal % has no room for line %', new.journal_id, new.line
      USING errcode = '23514';
  END IF;
  UPDATE ledger_balance SET posted_minor = posted_minor + new.amount_minor, version = version + 1
    WHERE account_id = new.account_id
    RETURNING posted_minor, version INTO new.balance_after_minor, new.account_version;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'account % has no balance', new.account_id USING errcode = '23503';
  END IF;
  SELECT floor_minor, ceiling_minor, status INTO account FROM ledger_account
    WHERE id = new.account_id;
  IF account.status <> 'open' THEN
    RAISE EXCEPTION 'account % is %', new.account_id, account.status USING errcode = '23514';
  END IF;
  IF new.balance_after_minor < account.floor_minor THEN
    RAISE EXCEPTION 'account % below floor', new.account_id USING errcode = '23514';
  END IF;
  IF new.balance_after_minor > account.ceiling_minor THEN
    RAISE EXCEPTION 'account % above ceiling', new.account_id USING errcode = '23514';
  END IF;
  RETURN new;
END $$
"""

# Runs once per journal, at commit. A journal without lines is caught because the trigger sits on
# the journal; lines added after an early check (SET CONSTRAINTS IMMEDIATE) find no room.
BALANCED = """
CREATE FUNCTION ledger_assert_balanced() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE present int; bad text;
BEGIN
  SELECT count(*) INTO present FROM ledger_posting WHERE journal_id = new.id;
  IF present <> new.lines THEN
    RAISE EXCEPTION 'journal % has % lines of %', new.id, present, new.lines
      USING errcode = '23514';
  END IF;
  SELECT currency INTO bad FROM ledger_posting WHERE journal_id = new.id
    GROUP BY currency HAVING sum(amount_minor) <> 0 LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'journal % does not balance in %', new.id, bad USING errcode = '23514';
  END IF;
  RETURN NULL;
END $$
"""

# Lines go in by account id: one lock order for everybody, hence no deadlock between two journals.
POST = """
CREATE FUNCTION ledger_post(
  _idem_key text, _kind text, _actor text, _deal_id uuid, _effective_at timestamptz,
  _request_hash bytea, _accounts bigint[], _amounts bigint[]
) RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE made bigint;
BEGIN
  INSERT INTO ledger_journal (idem_key, kind, actor, deal_id, effective_at, request_hash, lines)
    VALUES (_idem_key, _kind, _actor, _deal_id, _effective_at, _request_hash,
            cardinality(_accounts))
    ON CONFLICT (idem_key) DO NOTHING RETURNING id INTO made;
  IF made IS NULL THEN
    SELECT id INTO made FROM ledger_journal
      WHERE idem_key = _idem_key AND request_hash = _request_hash;
    IF made IS NULL THEN
      RAISE EXCEPTION 'journal key % reused with other content', _idem_key USING errcode = '23505';
    END IF;
    RETURN made;
  END IF;
  INSERT INTO ledger_posting
      (journal_id, line, account_id, currency, amount_minor, balance_after_minor, account_version)
    SELECT made, row_number() OVER (ORDER BY given.account, given.turn), given.account,
           account.currency, given.amount, 0, 0
    FROM unnest(_accounts, _amounts) WITH ORDINALITY AS given (account, amount, turn)
    JOIN ledger_account account ON account.id = given.account
    ORDER BY given.account, given.turn;
  RETURN made;
END $$
"""

TRIGGERS = (
    "CREATE TRIGGER ledger_account_opens AFTER INSERT ON ledger_account "
    "FOR EACH ROW EXECUTE FUNCTION ledger_open_balance()",
    "CREATE TRIGGER ledger_journal_stamp BEFORE INSERT ON ledger_journal "
    "FOR EACH ROW EXECUTE FUNCTION ledger_stamp_journal()",
    "CREATE TRIGGER ledger_posting_apply BEFORE INSERT ON ledger_posting "
    "FOR EACH ROW EXECUTE FUNCTION ledger_apply_posting()",
    "CREATE CONSTRAINT TRIGGER ledger_journal_balanced AFTER INSERT ON ledger_journal "
    "DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ledger_assert_balanced()",
    "CREATE TRIGGER ledger_journal_stays BEFORE UPDATE OR DELETE ON ledger_journal "
    "FOR EACH ROW EXECUTE FUNCTION refuse_change()",
    "CREATE TRIGGER ledger_posting_stays BEFORE UPDATE OR DELETE ON ledger_posting "
    "FOR EACH ROW EXECUTE FUNCTION refuse_change()",
    "CREATE TRIGGER ledger_journal_stays_whole BEFORE TRUNCATE ON ledger_journal "
    "EXECUTE FUNCTION refuse_change()",
    "CREATE TRIGGER ledger_posting_stays_whole BEFORE TRUNCATE ON ledger_posting "
    "EXECUTE FUNCTION refuse_change()",
)  # fmt: skip


def upgrade() -> None:
    _tables()
    for statement in (STAMP, OPEN_BALANCE, APPLY, BALANCED, POST, *TRIGGERS):
        op.execute(statement)


def downgrade() -> None:
    op.execute(
        "DROP FUNCTION ledger_post(text, text, text, uuid, timestamptz, bytea, bigint[], bigint[])"
    )
    for table in ("ledger_posting", "ledger_journal", "ledger_balance", "ledger_account"):
        op.drop_table(table)
    for name in (
        "assert_balanced", "apply_posting", "open_balance", "stamp_journal",
    ):  # fmt: skip
        op.execute(f"DROP FUNCTION ledger_{name}()")


def _tables() -> None:
    op.create_table(
        "ledger_account",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), primary_key=True),
        sa.Column("code", sa.String(), nullable=False, unique=True),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("floor_minor", sa.BigInteger(), nullable=True),
        sa.Column("ceiling_minor", sa.BigInteger(), nullable=True),
        sa.Column("status", sa.String(), nullable=False),
        sa.UniqueConstraint("id", "currency", name="ledger_account_has_one_currency"),
        sa.CheckConstraint(
            "kind IN ('asset', 'liability', 'income', 'expense', 'equity')",
            name="ledger_account_kind",
        ),
        sa.CheckConstraint("status IN ('open', 'frozen', 'closed')", name="ledger_account_status"),
        sa.CheckConstraint("currency ~ '^[A-Z]{3}$'", name="ledger_account_currency"),
    )
    op.create_table(
        "ledger_balance",
        sa.Column(
            "account_id", sa.BigInteger(), sa.ForeignKey("ledger_account.id"), primary_key=True
        ),
        sa.Column("posted_minor", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        postgresql_with={"fillfactor": 40},
    )
    op.create_table(
        "ledger_journal",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), primary_key=True),
        sa.Column("idem_key", sa.String(), nullable=False, unique=True),
        sa.Column("request_hash", sa.LargeBinary(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("deal_id", sa.Uuid(), nullable=True, index=True),
        sa.Column(
            "reversal_of",
            sa.BigInteger(),
            sa.ForeignKey("ledger_journal.id"),
            nullable=True,
            unique=True,
        ),
        sa.Column("lines", sa.SmallInteger(), nullable=False),
        sa.Column("effective_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            nullable=False,
            server_default=sa.text("clock_timestamp()"),
        ),
        sa.Column(
            "xid",
            sa.BigInteger(),
            nullable=False,
            server_default=sa.text("pg_current_xact_id()::text::bigint"),
        ),
        sa.CheckConstraint("lines BETWEEN 2 AND 1000", name="ledger_journal_has_two_lines"),
    )
    op.create_table(
        "ledger_posting",
        sa.Column(
            "journal_id", sa.BigInteger(), sa.ForeignKey("ledger_journal.id"), primary_key=True
        ),
        sa.Column("line", sa.SmallInteger(), primary_key=True),
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("balance_after_minor", sa.BigInteger(), nullable=False),
        sa.Column("account_version", sa.BigInteger(), nullable=False),
        sa.UniqueConstraint("account_id", "account_version", name="ledger_posting_in_sequence"),
        sa.ForeignKeyConstraint(
            ["account_id", "currency"],
            ["ledger_account.id", "ledger_account.currency"],
            name="ledger_posting_in_the_accounts_currency",
        ),
        sa.CheckConstraint("amount_minor <> 0", name="ledger_posting_moves_something"),
        sa.CheckConstraint("line >= 1", name="ledger_posting_line"),
    )
