"""What a settlement costs of our own time, and how fast 10,000 close: `make bench B=settle`; JSON.

`p95_ms`: a deal that was awarded and signed, with ten payees, until all are paid: planned and
invoiced; a card payment asked for and instructed; the provider's signed event stored, applied, the
payment looked at; the payout prepared by one person and approved by another; ten transfers
instructed, made and booked. Every verb runs as the exchange's own (API and worker call the same),
each in its own transactions, on PostgreSQL with fsync on. Own time is the wall time of these steps
less the wall time of the calls to the provider, which is the stand-in in a process of its own:
`provider_p50_ms` is that. Left out: what people do, the HTTP door, log and feed, which follow
later. `cpu_p50_ms` is the processor time of a deal, of this process with its HTTP client and of the
server's, which a busy machine does not stretch as it does the clock. `peer_p95_ms`:
the rows that such a deal leaves, written again by plain SQL in one transaction (psycopg, one
executemany for each table) into tables with the same columns and indexes.

`close_10000_s`: 10,000 approved payouts of one payee each, until every transfer is instructed,
made, booked and every settlement is paid out and told; by the worker's own step, with a provider
that answers at once. They are laid down beforehand as copies of one settlement made by the verbs,
each with its own deal, invoice, payout, approval, instruction and journals. `close_10000_cpu_s` is
the processor time of it. `peer_close_s`: the rows that closing wrote, by plain SQL in one
transaction.
"""

import asyncio
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, cast
from uuid import UUID

import psycopg
import stripe as sdk

from contracts import ids
from contracts.money import Money
from contracts.titles.tables import Share
from exchange import clock, embedded
from exchange.db import Database
from exchange.migrating import migrate
from settlement.invoices import service as invoices
from settlement.outbound.rules import Answer
from settlement.payouts import service as payouts
from settlement.plans import queries as plan_queries
from settlement.plans import service as plans
from settlement.plans.rules import PAID_OUT, Terms
from settlement.stripe import service as stripe
from settlement.stripe.gateway import Gateway, open_gateway
from tests.benchmarks import settle_close
from tests.benchmarks.bids import plain_url, run
from tests.benchmarks.ledger import processor_s
from tests.contracts.parties_factory import party
from tests.contracts.works_factory import work
from tests.exchange.identity_factory import person
from tests.settlement import standin
from tests.settlement.approvals_factory import decided
from tests.settlement.settlement_factory import executed_deal

DEALS = int(os.environ.get("BENCH_DEALS", "60"))
PAYEES, WARM_UP = 10, 5
PRICE = Money(1_200_000, "CNY")
# What belongs to one deal, and how to find it; `:deal` stands for its id.
ROWS = {
    "settlement": "deal_id = {deal}",
    "settlement_line": "deal_id = {deal}",
    "invoice": "deal_id = {deal}",
    "payment": "invoice_id = (SELECT id FROM invoice WHERE deal_id = {deal})",
    "payout": "deal_id = {deal}",
    "payout_transfer": "payout_id = (SELECT id FROM payout WHERE deal_id = {deal})",
    "approval": "object_id = (SELECT id FROM payout WHERE deal_id = {deal})",
    "outbound": "object_id IN (SELECT id FROM payout WHERE deal_id = {deal} UNION "
    "SELECT p.id FROM payment p JOIN invoice i ON i.id = p.invoice_id WHERE i.deal_id = {deal})",
    "ledger_journal": "deal_id = {deal}",
    "ledger_posting": "journal_id IN (SELECT id FROM ledger_journal WHERE deal_id = {deal})",
    "fact": "subject IN (SELECT {deal} UNION SELECT id FROM payout WHERE deal_id = {deal} "
    "UNION SELECT id FROM invoice WHERE deal_id = {deal})",
}


class TimedGateway:
    """The provider's gateway, with the time that its calls take."""

    def __init__(self, inner: Gateway) -> None:
        self._inner = inner
        self._calling, self._since = 0, 0.0
        self.took_s = 0.0

    @asynccontextmanager
    async def _timed(self) -> AsyncIterator[None]:
        """Count the time in which at least one call is out."""
        if self._calling == 0:
            self._since = time.perf_counter()
        self._calling += 1
        try:
            yield
        finally:
            self._calling -= 1
            if self._calling == 0:
                self.took_s += time.perf_counter() - self._since

    async def create(self, op: str, params: Mapping[str, Any], *, idem_key: str) -> Answer:
        async with self._timed():
            return await self._inner.create(op, params, idem_key=idem_key)

    async def find(self, op: str, params: Mapping[str, Any], *, intent_id: str) -> str | None:
        async with self._timed():
            return await self._inner.find(op, params, intent_id=intent_id)

    async def see_payment(self, provider_id: str) -> Any:
        async with self._timed():
            return await self._inner.see_payment(provider_id)

    async def see_account(self, provider_id: str) -> Any:
        async with self._timed():
            return await self._inner.see_account(provider_id)


class Desk:
    """The people and the work that every deal shares, and the provider."""

    def __init__(self, db: Database, gateway: TimedGateway, buyer: sdk.StripeClient) -> None:
        self.db, self.buyer = db, buyer
        self.timed, self.gateway = gateway, cast(Gateway, gateway)  # no more is asked of it
        self.work_id = self.licensor_id = self.licensee_id = self.maker = self.checker = UUID(int=0)

    async def open(self) -> None:
        """Make ten owners with accounts at the provider, a work of theirs, a buyer and staff."""
        now = clock.now()
        async with self.db.transaction() as session:
            owners = [await party(session, now=now) for _ in range(PAYEES)]
            film = await work(session, party_id=owners[0].id, now=now)
            buyer = await party(session, kind="broadcaster", now=now)
            home = await party(session, now=now)
            self.work_id, self.licensor_id, self.licensee_id = film.id, owners[0].id, buyer.id
            self.maker = (await person(session, party_id=home.id, role="approver", now=now)).id
            self.checker = (await person(session, party_id=home.id, role="approver", now=now)).id
            for owner in owners:
                share = Share(
                    work_id=film.id,
                    party_id=owner.id,
                    share_bp=10_000 // PAYEES,
                    consented_at=now,
                )
                session.add(share)
                await payouts.open_account(session, owner.id, country="HK", now=now)
        await self.send()

    async def send(self) -> None:
        """Carry out what is due: one step of the worker, which takes up to 50."""
        await stripe.send_due(self.db, self.gateway, now=clock.now())

    async def deal(self, work_id: UUID | None = None) -> Terms:
        """Sign a deal; what comes before the money is not measured here."""
        now = clock.now()
        async with self.db.transaction() as session:
            made = await executed_deal(
                session,
                work_id=work_id or self.work_id,
                licensor_id=self.licensor_id,
                licensee_id=self.licensee_id,
                price=PRICE,
                now=now,
            )
        parties = (self.licensor_id, self.licensee_id)
        return Terms(made.id, made.work_id, *parties, PRICE, made.terms_sha256)

    async def invoiced(self, terms: Terms) -> UUID:
        """Plan and invoice, ask for a card payment, instruct it; return the payment's id."""
        now = clock.now()
        async with self.db.transaction() as session:
            settlement = await plans.plan(session, terms, now=now)
            invoice = await invoices.issue(session, settlement, now=now)
        async with self.db.transaction() as session:
            payment, _ = await invoices.request_payment(
                session,
                invoice.id,
                ids.new(now),
                payer_id=self.licensee_id,
                method="card",
                now=now,
            )
        await self.send()
        return payment.id

    async def confirmed(self, payment_id: UUID) -> bytes:
        """Let the buyer pay at the provider; return the event that it sends."""
        with psycopg.connect(plain_url(self.db.url)) as connection:
            [found] = connection.execute(
                "SELECT provider_id FROM payment WHERE id = %s", (payment_id,)
            ).fetchone() or [None]
        await self.buyer.v1.payment_intents.confirm_async(
            str(found), {"payment_method": "pm_card_visa"}
        )
        event = {
            "id": f"evt_{payment_id.hex}",
            "object": "event",
            "type": "payment_intent.succeeded",
            "data": {"object": {"id": found, "object": "payment_intent"}},
        }
        return json.dumps(event).encode()

    async def approved(self, terms: Terms, event: bytes, stamp: datetime) -> None:
        """Take the event, prepare and approve the payout."""
        secret = standin.WEBHOOK_SECRET
        signature = sdk.WebhookSignature.generate_signature_header(
            event.decode(), secret, int(stamp.timestamp())
        )
        async with self.db.transaction() as session:
            await stripe.receive(session, event, signature, secret=secret, now=clock.now())
        await stripe.apply_due(self.db, self.gateway, now=clock.now())
        now = clock.now()
        async with self.db.transaction() as session:
            payout, _ = await payouts.prepare(
                session, ids.new(now), deal_id=terms.deal_id, person_id=self.maker, now=now
            )
        async with self.db.transaction() as session:
            decision = await decided(session, self.checker, payout.content_sha256, now=now)
            await payouts.approve(session, payout.id, decision=decision, now=now)

    async def to_close(self) -> UUID:
        """Bring a deal of one payee to its approved payout; return the deal."""
        now = clock.now()
        async with self.db.transaction() as session:
            film = await work(session, party_id=self.licensor_id, now=now)
        terms = await self.deal(film.id)
        event = await self.confirmed(await self.invoiced(terms))
        await self.approved(terms, event, clock.now())
        return terms.deal_id


async def one_deal(desk: Desk) -> tuple[UUID, float, float]:
    """Return a deal, and the own and the provider's time from its award to its last transfer."""
    terms = await desk.deal()
    desk.timed.took_s = 0.0
    begun = time.perf_counter()
    payment_id = await desk.invoiced(terms)
    own = time.perf_counter() - begun
    event = await desk.confirmed(payment_id)  # the buyer's and the provider's time
    begun = time.perf_counter()
    await desk.approved(terms, event, clock.now())
    await desk.send()
    own += time.perf_counter() - begun - desk.timed.took_s
    async with desk.db.transaction() as session:
        settlement = await plan_queries.get_settlement(session, terms.deal_id)
        if settlement.state != PAID_OUT:
            sys.exit(f"the deal is {settlement.state}, not paid out")
    return terms.deal_id, own, desk.timed.took_s


def rows_of(url: str, deal_id: UUID) -> dict[str, list[tuple[Any, ...]]]:
    """Return every row that a deal's settlement left, by table."""
    found = {}
    with psycopg.connect(plain_url(url)) as connection:
        for table, where in ROWS.items():
            asked = f"SELECT * FROM {table} WHERE " + where.format(deal="%(deal)s::uuid")
            found[table] = connection.execute(asked, {"deal": deal_id}).fetchall()
    return found


def prepare_peer(url: str) -> None:
    """Make tables with the same columns and indexes, without triggers and foreign keys."""
    for table in ROWS:
        run(url, f"CREATE TABLE peer_{table} (LIKE {table} INCLUDING INDEXES)")


def write_again(url: str, rows: Mapping[str, list[tuple[Any, ...]]]) -> float:
    """Return how long plain SQL takes to write the rows in one transaction."""
    with psycopg.connect(plain_url(url)) as connection, connection.cursor() as cursor:
        begun = time.perf_counter()
        for table, values in rows.items():
            if values:
                marks = ", ".join(["%s"] * len(values[0]))
                cursor.executemany(f"INSERT INTO peer_{table} VALUES ({marks})", values)
        connection.commit()
        return time.perf_counter() - begun


def p95(values: list[float]) -> float:
    return statistics.quantiles(values, n=20, method="inclusive")[-1]


async def measured(url: str, base: str, home: Path) -> dict[str, Any]:
    """Pay out deals one after the other, each followed by its peer; then close many."""
    db = Database(url)
    inner = open_gateway(api_key=standin.API_KEY, api_base=base)
    desk = Desk(db, TimedGateway(inner), standin.client(base))
    await desk.open()
    own, provider, peer, cpu, count = [], [], [], [], 0
    for number in range(DEALS + WARM_UP):
        before = time.process_time() + processor_s(home)
        deal_id, took, asked = await one_deal(desk)
        busy = time.process_time() + processor_s(home) - before
        rows = rows_of(url, deal_id)
        plain = write_again(url, rows)
        if number >= WARM_UP:
            own.append(took * 1000)
            provider.append(asked * 1000)
            peer.append(plain * 1000)
            cpu.append(busy * 1000)
            count = sum(map(len, rows.values()))
    closed = await settle_close.close_all(url, await desk.to_close(), home)
    await inner.close()
    await db.close()
    return {
        "p95_ms": round(p95(own), 1),
        "p50_ms": round(statistics.median(own), 1),
        "cpu_p50_ms": round(statistics.median(cpu), 1),
        "provider_p50_ms": round(statistics.median(provider), 1),
        "peer_p95_ms": round(p95(peer), 1),
        "peer_p50_ms": round(statistics.median(peer), 1),
        "rows_of_a_deal": count,
        "deals": DEALS,
        "payees": PAYEES,
        **closed,
    }


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="exchange-bench-") as folder:
        home = Path(folder)
        url = embedded.start(home)
        try:
            migrate(url)
            prepare_peer(url)
            with standin.running_standin(home) as base:
                result = asyncio.run(measured(url, base, home))
        finally:
            embedded.stop(home)
    result["load"] = [round(one, 2) for one in os.getloadavg()]
    result["limit"] = {"p95_ms": 150, "close_10000_s": 60}
    sys.stdout.write(json.dumps({"bench": "settle", **result}) + "\n")


if __name__ == "__main__":
    main()
