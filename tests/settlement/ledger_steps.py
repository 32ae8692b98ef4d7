"""Steps of the ledger's campaign: many of them in one call, each in a subtransaction of its own.

The steps go to the database's own verbs and tables, as the application's role, through a function
of the session (`pg_temp`). Each step's deferred checks are made at once, as its commit would.
"""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg

from tests.settlement.ledger_auditor import CURRENCIES, Account

JOURNAL = (
    "step->>'key', 'invoice.issued', _people[2]::text, NULL, "
    "_epoch + (step->>'at')::int * second, decode(step->>'hash', 'hex'), accounts, amounts"
)
# What two people decide: prepared by the first, approved by the second, carried out.
ORDERED = """
CREATE FUNCTION pg_temp.ordered(_id uuid, _kind text, _what jsonb, _people uuid[], _at timestamptz,
  _journal bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  said bytea := convert_to(jsonb_build_object('what', _what)::text, 'UTF8');
  hash text := encode(sha256(said), 'hex'); given uuid := gen_random_uuid();
BEGIN
  INSERT INTO ledger_order (id, kind, content, content_sha256, reason, state, prepared_by,
      prepared_at) VALUES (_id, _kind, said, hash, 'campaign', 'prepared', _people[1], _at);
  INSERT INTO person_proof VALUES (given, _people[2], _at, _at + interval '5 minutes');
  INSERT INTO approval (id, object_type, object_id, object_hash, maker_id, checker_id, outcome,
      proof_id, decided_at, expires_at) VALUES (given, 'ledger-order', _id, hash, _people[1],
      _people[2], 'approved', given, _at, _at + interval '1 hour');
  UPDATE approval SET used_at = _at WHERE id = given;
  UPDATE ledger_order SET state = 'approved', decided_by = _people[2], decided_at = _at,
      approval_id = given, journal_id = _journal WHERE id = _id;
END $$
"""
# The verbs are pieced together here alone; what is played comes as one parameter.
ACT = """
CREATE FUNCTION pg_temp.act(_steps jsonb, _epoch timestamptz, _people uuid[]) RETURNS text[]
LANGUAGE plpgsql AS $$
DECLARE
  step jsonb; said text[] := '{}'; made bigint; rule text; what jsonb; of_what text;
  accounts bigint[]; amounts bigint[]; at timestamptz; second interval := '1 second';
BEGIN
  FOR step IN SELECT * FROM jsonb_array_elements(_steps) LOOP
    BEGIN
      at := _epoch + (step->>'at')::int * second; made := NULL; of_what := NULL;
      SELECT array_agg((line->>0)::bigint ORDER BY n), array_agg((line->>1)::bigint ORDER BY n)
        INTO accounts, amounts
        FROM jsonb_array_elements(step->'lines') WITH ORDINALITY AS given (line, n);
      CASE step->>'op'
      WHEN 'post' THEN
        PERFORM ledger_book(JOURNAL, NULL, NULL, NULL);
      WHEN 'reverse' THEN
        SELECT array_agg(account_id ORDER BY line),
               array_agg((step->>'off')::int - amount_minor ORDER BY line)
          INTO accounts, amounts FROM ledger_posting
          WHERE journal_id = (SELECT id FROM ledger_journal WHERE idem_key = step->>'of');
        made := ledger_book(JOURNAL,
          (SELECT id FROM ledger_journal WHERE idem_key = step->>'of'), 'campaign', NULL);
        of_what := 'reversal';
        what := jsonb_build_object('journal', step->>'of');
      WHEN 'exchange' THEN
        made := ledger_book(JOURNAL, NULL, NULL, NULL);
        INSERT INTO ledger_exchange VALUES (made, (step->>'quote')::uuid,
          step->>'sold', (step->>'gave')::bigint, step->>'bought', (step->>'got')::bigint)
          ON CONFLICT DO NOTHING;
        of_what := 'exchange';
        SELECT jsonb_object_agg(CASE n WHEN 1 THEN 'give' ELSE 'take' END, jsonb_build_object(
            'account', code, 'amount_minor', amounts[n])) || jsonb_build_object(
            'quote', step->>'quote') INTO what
          FROM unnest(ARRAY[1, 4]) AS n JOIN ledger_account ON id = accounts[n];
      WHEN 'quote' THEN
        INSERT INTO ledger_quote VALUES ((step->>'quote')::uuid, step->>'base', step->>'counter',
          (step->>'rate')::numeric, 'campaign', at, _epoch + (step->>'until')::int * second,
          'campaign');
      WHEN 'make_hold' THEN
        INSERT INTO ledger_hold (id, account_id, currency, amount_minor, reason, actor, made_at,
                                 expires_at)
          SELECT (step->>'hold')::uuid, id, currency, (step->>'amount')::bigint, 'x', 'campaign',
                 at, _epoch + (step->>'expires')::int * second
          FROM ledger_account WHERE id = (step->>'id')::bigint;
      WHEN 'capture' THEN
        PERFORM ledger_capture((step->>'hold')::uuid, JOURNAL);
      WHEN 'end_hold' THEN
        INSERT INTO ledger_hold_end
          VALUES ((step->>'hold')::uuid, step->>'outcome', 0, NULL, 'campaign', at);
      WHEN 'mark' THEN
        INSERT INTO ledger_account_mark VALUES ((step->>'mark')::uuid, (step->>'id')::bigint,
          step->>'status', 'campaign', _people[2]::text, at);
        of_what := 'mark';
        SELECT jsonb_build_object('account', code, 'status', step->>'status') INTO what
          FROM ledger_account WHERE id = (step->>'id')::bigint;
      WHEN 'close' THEN
        INSERT INTO ledger_close VALUES ((step->>'close')::uuid,
          _epoch + (step->>'until')::int * second, 0, '', 'campaign', _people[2]::text, at);
        of_what := 'close';
        what := jsonb_build_object('until', _epoch + (step->>'until')::int * second);
      WHEN 'append' THEN
        INSERT INTO ledger_posting (journal_id, line, account_id, currency, amount_minor)
          SELECT id, 2, accounts[1], 'CNY', 5 FROM ledger_journal
          WHERE idem_key = step->>'key';
      WHEN 'forbidden' THEN
        EXECUTE step->>'sql';
      END CASE;
      IF of_what IS NOT NULL AND NOT step ? 'unordered'
        AND NOT EXISTS (SELECT FROM ledger_order WHERE journal_id = made)
      THEN
        PERFORM pg_temp.ordered(coalesce((step->>of_what)::uuid, gen_random_uuid()), of_what, what,
                                _people, at, made);
      END IF;
      SET CONSTRAINTS ALL IMMEDIATE;
      SET CONSTRAINTS ALL DEFERRED;
      said := said || ''::text;
    EXCEPTION WHEN OTHERS THEN
      said := said || SQLERRM;
    END;
  END LOOP;
  RETURN said;
END $$
""".replace("JOURNAL", JOURNAL)
KINDS = (
    ("psp:campaign:{seed}:{n}", "asset", None, None),
    ("payee:{seed}:{n}", "liability", None, 0),
    ("receivable:{seed}:{n}", "asset", 0, None),
)
OPEN = (
    "INSERT INTO ledger_account (code, kind, currency, floor_minor, ceiling_minor, status) "
    "VALUES (%s, %s, %s, %s, %s, 'open') ON CONFLICT (code) DO NOTHING"
)
READ = (
    "SELECT a.id, posted_minor, version, held_debit_minor, held_credit_minor, a.status "
    "FROM ledger_account a JOIN ledger_balance ON account_id = a.id WHERE code = ANY(%s) "
    "ORDER BY a.id"
)
FORBIDDEN = (
    "UPDATE ledger_balance SET posted_minor = posted_minor + 1",
    "UPDATE ledger_posting SET amount_minor = 1",
    "DELETE FROM ledger_journal",
    "TRUNCATE ledger_hold_end",
    "UPDATE ledger_account SET status = 'open'",
    "DELETE FROM ledger_hold_open",
    "UPDATE ledger_quote SET rate = 1",
    "DELETE FROM ledger_close",
)


# Two of the staff, who make and approve what takes two.
PEOPLE = [UUID(int=0xCA << 64 | number) for number in (1, 2)]
HOME = (
    "INSERT INTO party (id, kind, name_zh, name_en, uscc, state, created_at) VALUES "
    "(%s, 'rights_holder', '账簿', 'Books', '99000000CAMPAUDA11', 'verified', %s) "
    "ON CONFLICT (id) DO NOTHING"
)
PERSON = (
    "INSERT INTO person (id, party_id, email, name, password_hash, role, state, created_at) VALUES "
    "(%s, %s, %s, 'Books', 'none', 'approver', 'active', %s) ON CONFLICT (id) DO NOTHING"
)


class Driver:
    """A connection as the application's role, with the accounts of one run of the campaign."""

    def __init__(self, url: str, epoch: datetime) -> None:
        plain = url.replace("postgresql+psycopg://", "postgresql://")
        self.connection = psycopg.connect(plain, options="-c role=exchange_app -c timezone=UTC")
        self.connection.execute(ORDERED)
        self.connection.execute(ACT)
        self.connection.execute(HOME, (PEOPLE[0], epoch))
        for one in PEOPLE:
            self.connection.execute(PERSON, (one, PEOPLE[0], f"{one}@books.test", epoch))
        closed = self._one("SELECT max(until) FROM ledger_close")
        self.epoch = epoch if closed is None else max(epoch, closed)
        self.closed = -(10**9) if closed is None else 0
        self.connection.commit()
        self.ids: list[int] = []
        self.codes: list[str] = []

    def open(self, seed: str) -> list[Account]:
        """Open a run's accounts, the positions among them; return them as they are now."""
        rows: list[tuple[str, str, str, int | None, int | None]] = [
            (f"fx:position:{currency}", "asset", currency, None, None) for currency in CURRENCIES
        ]
        for currency in CURRENCIES:
            for code, kind, floor, ceiling in KINDS:
                for n in range(2):
                    stored = f"{code.format(seed=seed, n=n)}:{currency}"
                    rows.append((stored, kind, currency, floor, ceiling))
        for row in rows:
            self.connection.execute(OPEN, row)
        self.connection.commit()
        self.codes = [row[0] for row in rows]
        found = self.read()
        self.ids = [int(row[0]) for row in found]
        return [
            Account(*row, posted=now[1], version=now[2])
            for row, now in zip(rows, found, strict=True)
        ]

    def read(self) -> list[tuple[Any, ...]]:
        """Return the accounts as the books have them."""
        return self.connection.execute(READ, (self.codes,)).fetchall()

    def act(self, steps: Sequence[dict[str, Any]]) -> list[str]:
        """Play steps and commit; return what the books said to each, nothing where they took it."""
        told = json.dumps([self._named(step) for step in steps])
        said = self._one("SELECT pg_temp.act(%s::jsonb, %s, %s)", (told, self.epoch, PEOPLE))
        self.connection.commit()
        return list(said)

    def _named(self, step: dict[str, Any]) -> dict[str, Any]:
        named = dict(step)
        if "account" in step:
            named["id"] = self.ids[step["account"]]
        named["lines"] = [(self.ids[place], amount) for place, amount in step.get("lines", ())]
        return named

    def _one(self, query: str, values: Sequence[Any] = ()) -> Any:
        row = self.connection.execute(query, values).fetchone()
        return row[0] if row else None
