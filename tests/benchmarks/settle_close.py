"""Closing 10,000 settlements: what `tests.benchmarks.settle` measures last.

One settlement of a single payee is brought to its approved payout by the product's verbs. Its rows
are then copied, with ids of their own and the same accounts; the copies' journals are booked by the
ledger's own verb. Closing is the product's again, and so are all triggers.
"""

import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast
from uuid import UUID

import psycopg

from contracts import ids
from exchange import clock
from exchange.db import Database
from settlement.ledger import queries as books
from settlement.outbound.rules import Answer, Made
from settlement.stripe import service as stripe
from settlement.stripe.gateway import Gateway
from tests.benchmarks.bids import plain_url
from tests.benchmarks.ledger import processor_s

SETTLEMENTS = int(os.environ.get("BENCH_SETTLEMENTS", "10000"))
NAMES = """
CREATE TEMP TABLE copy AS SELECT n, gen_random_uuid() AS deal, gen_random_uuid() AS invoice,
  gen_random_uuid() AS payout, gen_random_uuid() AS intent, gen_random_uuid() AS proof
FROM generate_series(1, {settlements}) n;
CREATE TEMP TABLE first AS SELECT s.deal_id AS deal, i.id AS invoice, p.id AS payout,
  t.intent_id AS intent, a.proof_id AS proof
FROM settlement s JOIN invoice i USING (deal_id) JOIN payout p USING (deal_id)
  JOIN payout_transfer t ON t.payout_id = p.id JOIN approval a ON a.object_id = p.id
WHERE s.deal_id = '{deal}';
CREATE FUNCTION pg_temp.renamed(raw bytea, copy copy, first first) RETURNS bytea LANGUAGE sql AS $$
  SELECT convert_to(replace(replace(replace(convert_from(raw, 'UTF8'), first.deal::text,
    copy.deal::text), first.payout::text, copy.payout::text), first.intent::text,
    copy.intent::text), 'UTF8')
$$;
"""
CONTENT = "pg_temp.renamed((SELECT content FROM payout WHERE id = first.payout), copy, first)"
PAYLOAD = "pg_temp.renamed((SELECT payload FROM outbound WHERE id = first.intent), copy, first)"
# The rows of the first one, with these columns changed.
COPIES = {
    "deal": ("id = first.deal", {"id": "copy.deal", "contract_no": "'COPY-' || copy.n",
             "listing_id": "copy.invoice", "auction_id": "copy.payout"}),
    "settlement": ("deal_id = first.deal", {"deal_id": "copy.deal"}),
    "settlement_line": ("deal_id = first.deal", {"deal_id": "copy.deal"}),
    "invoice": ("id = first.invoice", {"id": "copy.invoice", "deal_id": "copy.deal",
                "number": "'COPY-' || copy.n"}),
    "payment": ("invoice_id = first.invoice", {"id": "copy.invoice", "invoice_id": "copy.invoice",
                "provider_id": "'copy:' || copy.n", "charge_id": "'copy:' || copy.n"}),
    "payout": ("id = first.payout", {"id": "copy.payout", "deal_id": "copy.deal",
               "content": CONTENT, "content_sha256": f"encode(sha256({CONTENT}), 'hex')"}),
    "payout_transfer": ("payout_id = first.payout", {"payout_id": "copy.payout",
                        "intent_id": "copy.intent"}),
    "person_proof": ("id = first.proof", {"id": "copy.proof"}),
    "approval": ("object_id = first.payout", {"id": "copy.intent", "object_id": "copy.payout",
                 "object_hash": f"encode(sha256({CONTENT}), 'hex')", "proof_id": "copy.proof"}),
    "outbound": ("id = first.intent", {"id": "copy.intent", "object_id": "copy.payout",
                 "object_key": "'copy:' || copy.n", "idem_key": "'copy:' || copy.n",
                 "payload": PAYLOAD, "payload_sha256": f"encode(sha256({PAYLOAD}), 'hex')"}),
}  # fmt: skip
BOOK = """
SELECT ledger_book(CASE j.kind WHEN 'payout.approved' THEN 'payout:' || copy.payout || ':approved'
  WHEN 'payment.received' THEN 'copy:' || copy.n || ':received'
  ELSE 'copy:' || copy.n || ':' || j.id END, j.kind, j.actor, copy.deal, j.effective_at,
  j.request_hash, j.accounts, j.amounts, NULL, NULL, NULL)
FROM copy, (SELECT j.id, j.kind, j.actor, j.effective_at, j.request_hash,
    array_agg(p.account_id ORDER BY p.line) AS accounts,
    array_agg(p.amount_minor ORDER BY p.line) AS amounts
  FROM first, ledger_journal j JOIN ledger_posting p ON p.journal_id = j.id
  WHERE j.deal_id = first.deal GROUP BY j.id ORDER BY j.id) AS j
WHERE copy.n BETWEEN %s AND %s
"""
# In one transaction the rows of the same accounts would keep every version they had.
AT_ONCE = 100
# What closing writes, and what it changes of each settlement: by table, the key and the columns.
WRITTEN = {
    "ledger_journal": "kind = 'transfer.made' AND id > %(journal)s",
    "ledger_posting": "journal_id IN (SELECT id FROM ledger_journal "
    "WHERE kind = 'transfer.made' AND id > %(journal)s)",
    "fact": "kind IN ('transfer.made', 'settlement.booked') AND recorded_at >= %(since)s",
}
CHANGED = {
    "settlement": ("deal_id", "state = 'paid_out'"),
    "payout": ("id", "state = 'paid', paid_at = now()"),
    "payout_transfer": ("payout_id", "state = 'made', provider_id = intent_id::text"),
    "outbound": ("object_id", "state = 'done', provider_id = id::text, done_at = now()"),
}


class AtOnce:
    """A provider that makes everything at once: what is left is our own time."""

    async def create(self, *_: Any, **__: Any) -> Answer:
        return Made(f"tr_{ids.new(clock.now()).hex}")

    async def find(self, *_: Any, **__: Any) -> None:
        return None


def lay_down(url: str, deal_id: UUID) -> int:
    """Copy the settlement of a deal; return the last journal before its closing."""
    with psycopg.connect(plain_url(url)) as connection:
        # Names of this file and an id: nothing that anybody gave.
        connection.execute(NAMES.format(settlements=SETTLEMENTS, deal=deal_id))
        connection.execute("SET LOCAL session_replication_role = 'replica'")
        for table, (where, changed) in COPIES.items():
            pairs = ", ".join(f"'{name}', {value}" for name, value in changed.items())
            connection.execute(
                f"INSERT INTO {table} SELECT "
                f"(jsonb_populate_record(own, jsonb_build_object({pairs}))).* "
                f"FROM first, copy, {table} own WHERE own.{where}"
            )
        connection.commit()
        for begin in range(1, SETTLEMENTS + 1, AT_ONCE):
            connection.execute(BOOK, (begin, begin + AT_ONCE - 1))
            connection.commit()
        [journal] = connection.execute("SELECT max(id) FROM ledger_journal").fetchone() or [0]
        connection.commit()
        connection.autocommit = True
        connection.execute("ANALYZE")
    return int(journal)


async def close_all(url: str, deal_id: UUID, home: Path) -> dict[str, Any]:
    """Lay settlements down, close them all, write the same rows by plain SQL."""
    journal, since = lay_down(url, deal_id), clock.now()
    db = Database(url)
    begun, busy = time.perf_counter(), time.process_time() + processor_s(home)
    provider = cast(Gateway, AtOnce())  # sending asks no more of it
    while await stripe.send_due(db, provider, now=clock.now()):
        pass
    took = time.perf_counter() - begun
    busy = time.process_time() + processor_s(home) - busy
    async with db.transaction() as session:
        faults = await books.check(session)
    await db.close()
    asked = {"journal": journal, "since": since}
    with psycopg.connect(plain_url(url)) as connection:
        [left] = connection.execute(
            "SELECT count(*) FROM settlement WHERE state <> 'paid_out'"
        ).fetchone() or [-1]
        rows = {
            table: connection.execute(f"SELECT * FROM {table} WHERE {where}", asked).fetchall()
            for table, where in WRITTEN.items()
        }
    if faults or left or len(rows["ledger_journal"]) != SETTLEMENTS + 1:
        sys.exit(f"{left} settlements are open; {faults[:3]}")
    return {
        "close_10000_s": round(took * 10_000 / SETTLEMENTS, 1),
        "close_10000_cpu_s": round(busy * 10_000 / SETTLEMENTS, 1),
        "closed": SETTLEMENTS,
        "peer_close_s": round(write_plainly(url, rows) * 10_000 / SETTLEMENTS, 1),
    }


def write_plainly(url: str, rows: Mapping[str, list[tuple[Any, ...]]]) -> float:
    """Return how long the same inserts and updates take, one executemany each, no triggers."""
    with psycopg.connect(plain_url(url)) as connection, connection.cursor() as cursor:
        keys = {}
        for table, (key, _) in CHANGED.items():
            cursor.execute(f"CREATE TABLE plain_{table} (LIKE {table} INCLUDING INDEXES)")
            cursor.execute(f"INSERT INTO plain_{table} SELECT * FROM {table}")
            keys[table] = cursor.execute(f"SELECT {key} FROM {table}").fetchall()
        for table in WRITTEN:
            cursor.execute(f"CREATE TABLE plain_{table} (LIKE {table} INCLUDING INDEXES)")
        connection.commit()
        begun = time.perf_counter()
        for table, values in rows.items():
            marks = ", ".join(["%s"] * len(values[0]))
            cursor.executemany(f"INSERT INTO plain_{table} VALUES ({marks})", values)
        for table, (key, change) in CHANGED.items():
            update = f"UPDATE plain_{table} SET {change} WHERE {key} = %s"
            cursor.executemany(update, keys[table])
        connection.commit()
        return time.perf_counter() - begun
