"""Steps of the ledger's campaign: many of them in one call, each in a subtransaction of its own.

The steps go to the database's own verbs and tables, as the application's role, through a function
of the session (`pg_temp`). Each step's deferred checks are made at once, as its commit would.
"""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import psycopg

from tests.settlement.ledger_auditor import CURRENCIES, Account

JOURNAL = (
    "step->>'key', 'campaign', 'campaign', NULL, _epoch + (step->>'at')::int * second, "
    "decode(step->>'hash', 'hex'), accounts, amounts"
)
# The verbs are pieced together here alone; what is played comes as one parameter.
ACT = """
CREATE FUNCTION pg_temp.act(_steps jsonb, _epoch timestamptz) RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE
  step jsonb; said text[] := '{}'; made bigint; rule text;
  accounts bigint[]; amounts bigint[]; at timestamptz; second interval := '1 second';
BEGIN
  FOR step IN SELECT * FROM jsonb_array_elements(_steps) LOOP
    BEGIN
      at := _epoch + (step->>'at')::int * second;
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
        PERFORM ledger_book(JOURNAL,
          (SELECT id FROM ledger_journal WHERE idem_key = step->>'of'), 'campaign', NULL);
      WHEN 'exchange' THEN
        made := ledger_book(JOURNAL, NULL, NULL, NULL);
        INSERT INTO ledger_exchange VALUES (made, (step->>'quote')::uuid,
          step->>'sold', (step->>'gave')::bigint, step->>'bought', (step->>'got')::bigint)
          ON CONFLICT DO NOTHING;
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
          step->>'status', 'x', 'campaign', at);
      WHEN 'close' THEN
        INSERT INTO ledger_close VALUES ((step->>'close')::uuid,
          _epoch + (step->>'until')::int * second, 0, '', 'x', 'campaign', at);
      WHEN 'append' THEN
        INSERT INTO ledger_posting
          SELECT id, 2, accounts[1], 'CNY', 5, 0, 0 FROM ledger_journal
          WHERE idem_key = step->>'key';
      WHEN 'forbidden' THEN
        EXECUTE step->>'sql';
      END CASE;
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


class Driver:
    """A connection as the application's role, with the accounts of one run of the campaign."""

    def __init__(self, url: str, epoch: datetime) -> None:
        plain = url.replace("postgresql+psycopg://", "postgresql://")
        self.connection = psycopg.connect(plain, options="-c role=exchange_app -c timezone=UTC")
        self.connection.execute(ACT)
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
        said = self._one("SELECT pg_temp.act(%s::jsonb, %s)", (told, self.epoch))
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
