"""What came in and what people decided make the books again, in a database that heard nothing."""

import random
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest
from sqlalchemy import text

from contracts import ids
from exchange.db import Database
from settlement.ledger import queries as books
from settlement.stripe.gateway import Gateway
from tests.conftest import NOW, migrate
from tests.contracts import campaign
from tests.databases import on_server
from tests.settlement import bank_lives, card_lives, letter_lives, lives, royalty_lives
from tests.settlement.card_lives import CardStripe
from tests.settlement.fake_stripe import FakeStripe
from tests.settlement.lives import FOREIGN, Life, Replayed
from tests.settlement.returns_factory import settle, staff
from tests.settlement.test_stripe_service import deliver

FIRST = campaign.ROUND * campaign.STRIDE
SEEDS = range(FIRST, FIRST + campaign.size(1, 20))
LEAVE = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :of"
READ = (
    "SELECT provider, event_id, type, payment_intent, payout, raw, received_at FROM inbound_event"
)
WRITE = (
    "INSERT INTO inbound_event (id, provider, event_id, type, payment_intent, payout, raw, "
    "received_at, tries, next_at) VALUES (gen_random_uuid(), :provider, :event_id, :type, "
    ":payment_intent, :payout, :raw, :received_at, 0, :now)"
)
# What became of everything, without the names and orders that each life gives anew: a claim is
# named by its deal, and what a bank's line brought by nothing.
NAMED = (
    "WITH settled AS (SELECT deal_id AS id, coalesce(of_deal || ' ' || kind || ' ' || gross_minor, "
    "deal_id::text) AS name FROM settlement) "
)
JOURNALS = (
    "SELECT kind, name, lines::text, count(*) FROM (SELECT j.kind, j.deal_id, "
    "array_agg(a.code || ' ' || p.amount_minor ORDER BY a.code, p.amount_minor) AS lines "
    "FROM ledger_journal j JOIN ledger_posting p ON p.journal_id = j.id "
    "JOIN ledger_account a ON a.id = p.account_id GROUP BY j.id) AS each "
    "LEFT JOIN settled ON settled.id = deal_id GROUP BY 1, 2, 3"
)
STATES = (
    JOURNALS,
    "SELECT id::text, state, CASE WHEN provider_id NOT LIKE 'bank:%' THEN provider_id END "
    "FROM refund",
    "SELECT provider_id, state, drawn_minor, charged_at IS NOT NULL FROM dispute",
    "SELECT CASE WHEN method = 'card' THEN provider_id END, method, p.state, p.amount_minor, name "
    "FROM payment p JOIN invoice i ON i.id = p.invoice_id JOIN settled ON settled.id = i.deal_id",
    "SELECT name, state FROM settlement JOIN settled ON settled.id = deal_id",
    "SELECT name, state, paid_by IS NOT NULL, deposit_minor, reversed_minor "
    "FROM invoice JOIN settled ON settled.id = deal_id",
    "SELECT id::text, state FROM payout",
    "SELECT payout_id::text, party_id::text, state, CASE WHEN provider_id NOT LIKE 'bank:%' "
    "THEN provider_id END FROM payout_transfer",
    "SELECT deal_id::text, line, cause, state, sum(amount_minor)::bigint FROM recovery "
    "GROUP BY 1, 2, 3, 4",
    "SELECT auction_id::text, state, held_minor, applied_minor, pledged_minor FROM deposit",
    "SELECT id::text, kind, state, amount_minor FROM deposit_movement",
    "SELECT id::text, mode, state, provider_id FROM card_hold",
    "SELECT id::text, state, demanded_minor, paid_reference FROM guarantee",
    "SELECT id::text, state, message_id, sha256 IS NOT NULL FROM payment_batch",
    "SELECT batch_id::text, party_id::text, state, amount_minor FROM payment_item",
    "SELECT account_id::text, cause, state, amount_minor FROM suspense_item",
    "SELECT rule, state, count(*) FROM recon_match GROUP BY 1, 2",
    "SELECT id::text, state, provider_id, landed_at IS NOT NULL, fault FROM sweep",
    "SELECT id::text, tax, state, amount_minor, paid_at IS NOT NULL, receipt_no FROM remittance",
    "SELECT remittance_id::text, w.party_id::text, w.tax, i.amount_minor, i.state "
    "FROM remittance_item i JOIN withheld_tax w ON w.id = i.withheld_id",
    "SELECT deal_id::text, party_id::text, tax, amount_minor FROM withheld_tax",
    "SELECT w.party_id::text, w.tax, r.cause, r.amount_minor, r.state "
    "FROM withheld_return r JOIN withheld_tax w ON w.id = r.withheld_id",
    "SELECT report_id::text, number, earned_minor, recouped_minor, unrecouped_minor, "
    "payable_minor, due_minor, carried_minor, name FROM royalty_statement "
    "LEFT JOIN settled ON settled.id = claim_id",
)


HAPPENED = {
    "payment.received", "payment.fee", "payment.suspended", "refund.approved", "refund.made",
    "refund.failed", "refund.suspended", "payout.approved", "transfer.made", "transfer.reversed",
    "dispute.moved", "dispute.lost", "deposit.applied", "deposit.received", "deposit.forfeited",
    "suspense.placed", "sweep.made", "sweep.landed", "sweep.failed", "remittance.approved",
    "remittance.paid", "deposit.distributed", "deposit.released", "deposit.returned",
}  # fmt: skip


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Database]:
    database = Database(url)
    try:
        yield database
    finally:
        await database.close()


@pytest.fixture
def place(database_url: str) -> Callable[..., str]:
    """Makes databases of this test's own, each a copy of another one or new.

    They go with the server: dropping them would wait for a checkpoint of all that is on it.
    """

    def at(name: str, *, of: str | None = None) -> str:
        on_server(database_url, f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        if of is None:
            on_server(database_url, f"CREATE DATABASE {name}")
        else:
            on_server(database_url, LEAVE, of=of)
            on_server(database_url, f"CREATE DATABASE {name} TEMPLATE {of}")
        return database_url.replace("/postgres?", f"/{name}?")

    return at


def merged(played: Sequence[Life], rng: random.Random) -> list[tuple[Life, int]]:
    """Every step of every trade: each trade in its order, the trades in any."""
    left = {number: list(range(len(life.steps))) for number, life in enumerate(played)}
    order = []
    while left:
        number = rng.choice(sorted(left))
        order.append((played[number], left[number].pop(0)))
        if not left[number]:
            del left[number]
    return order


async def became(db: Database) -> list[list[Any]]:
    """What stands in the books and in the rows that follow them."""
    async with db.sessions() as session:
        assert await books.check(session) == []
        found = [await books.trial_balance(session)]
        for query in STATES:
            rows = [list(row) for row in await session.execute(text(NAMED + query))]
            found.append(sorted(rows, key=repr))
    return cast(list[list[Any]], found)


def differing(one: Sequence[list[Any]], other: Sequence[list[Any]]) -> list[Any]:
    """The rows that only one of two lives has."""
    pairs = list(zip(one, other, strict=True))
    return [row for left, right in pairs for row in left if row not in right] + [
        row for left, right in pairs for row in right if row not in left
    ]


async def live(db: Database, gateway: FakeStripe, played: Sequence[Life]) -> dict[str, Any]:
    """Let everything happen, and be heard of; return the inbox by the events' ids."""
    for life, number in merged(played, random.Random(0)):
        raws = await lives.live(db, gateway, life, number)
        for raw in raws:
            await deliver(db, raw)
        await settle(db, gateway)
        await lives.note(db, gateway, life, raws)
    async with db.sessions() as session:
        rows = [row._mapping for row in await session.execute(text(READ))]
    return {row["event_id"]: dict(row) for row in rows}


async def hear(db: Database, event_ids: Sequence[str], inbox: Mapping[str, Any]) -> None:
    """Put events into the inbox as they were received."""
    async with db.transaction() as session:
        for event_id in event_ids:
            await session.execute(text(WRITE), {**inbox[event_id], "now": NOW})


async def replay(
    db: Database, gateway: Replayed, played: Sequence[Life], inbox: Mapping[str, Any], seed: int
) -> None:
    """Take the decisions again, and hear the inbox again: late, early, in another order."""
    rng = random.Random(seed)
    for life, number in merged(played, rng):
        step, heard = life.steps[number], life.heard[number]
        if step.decide is not None:
            await settle(db, cast(Gateway, gateway))
            await step.decide(db)
        gateway.shown |= life.shown[number]
        await hear(db, [one for one in rng.sample(heard, len(heard)) if one in inbox], inbox)
        if rng.random() < 0.5:
            await settle(db, cast(Gateway, gateway))
    await settle(db, cast(Gateway, gateway))


async def test_invariant_29_a_replay_of_all_that_came_in_gives_the_same_balances(
    place: Callable[..., str],
) -> None:
    """With refunds to cards and by wire, reversals, disputes lost and won, deposits by wire, on a
    card and by letter, instalments, royalties, money astray, the bank's files, what was suspended
    and released, payment files, withheld taxes and their remittances, sweeps.

    The replay makes no object at the provider: each instruction is one that was given before. It
    first lacks a dispute's events, and its books are others until they are heard.
    """
    migrate(before := place("replay_before"))
    async with opened(before) as db:
        people = await staff(db)
        async with db.transaction() as session:
            on_card = Life("on card", await card_lives.on_card(session, people))
            played = [
                *await lives.lives(session, people),
                on_card,
                *await bank_lives.lives(session, people),
                *await letter_lives.lives(session, people),
                *await royalty_lives.lives(session, people),
            ]
    gateway = CardStripe(NOW, mark=ids.new(NOW).hex)
    async with opened(place("replay_lived", of="replay_before")) as db:
        inbox = await live(db, gateway, played)
        lived = await became(db)
    assert {row[0] for row in lived[1]} >= HAPPENED
    (disputed,) = [life for life in played if life.name == "lost"]
    held_back = [one for heard in disputed.heard[-3:] for one in heard]
    for seed in SEEDS:
        provider = Replayed([one for one in gateway.made if not one[1].startswith(FOREIGN)])
        async with opened(place("replay_again", of="replay_before")) as db:
            rest = {one: row for one, row in inbox.items() if one not in held_back}
            await replay(db, provider, played, rest, seed)
            assert differing(await became(db), lived)
            await hear(db, held_back, inbox)
            await settle(db, cast(Gateway, provider))
            again = await became(db)
            assert differing(again, lived) == [], f"seed {seed}"
            assert again == lived, f"seed {seed}"
        assert provider.made == [], f"seed {seed}"
