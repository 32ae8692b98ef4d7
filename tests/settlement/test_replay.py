"""What came in is enough to make the books again: a replay into a database that heard nothing."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import create_engine, text

from contracts.money import Money
from exchange.db import Database
from settlement.ledger import queries as books
from tests.conftest import NOW, migrate
from tests.settlement.returns_factory import balances, disputed, settle
from tests.settlement.test_stripe_service import PRICE, deliver, event, fake, ready

HEARD = (
    "payment_intent.succeeded", "charge.succeeded", "charge.dispute.created",
    "charge.dispute.funds_withdrawn", "charge.dispute.closed", "charge.dispute.closed",
)  # fmt: skip
READ = "SELECT provider, event_id, type, payment_intent, raw, received_at FROM inbound_event"
WRITE = (
    "INSERT INTO inbound_event (id, provider, event_id, type, payment_intent, raw, received_at, "
    "tries, next_at) VALUES (gen_random_uuid(), :provider, :event_id, :type, :payment_intent, "
    ":raw, :received_at, 0, :now)"
)
LEAVE = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'lived'"


def on_server(url: str, command: str) -> None:
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(command))
    engine.dispose()


def copy(url: str) -> None:
    """Make the second database as the first one is now."""
    on_server(url, LEAVE)
    on_server(url, "CREATE DATABASE replayed TEMPLATE lived")


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Database]:
    database = Database(url)
    try:
        yield database
    finally:
        await database.close()


async def test_invariant_29_a_replay_of_all_that_came_in_gives_the_same_balances(
    database_url: str,
) -> None:
    urls = [database_url.replace("/postgres?", f"/{name}?") for name in ("lived", "replayed")]
    for name in ("lived", "replayed"):
        on_server(database_url, f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
    on_server(database_url, "CREATE DATABASE lived")
    migrate(urls[0])
    gateway = fake()
    async with opened(urls[0]) as db:
        trade, _, provider_id = await ready(db, gateway)
    copy(database_url)  # it has heard nothing yet
    gateway.pay(provider_id, PRICE)
    gateway.fees[provider_id] = Money(3_480_030, "CNY")
    async with opened(urls[0]) as db:
        for number, type in enumerate(HEARD):
            if number >= 2:
                status = "needs_response" if number < 4 else "lost"
                gateway.disputes[provider_id] = [disputed(provider_id, 50_000_000, status)]
            await deliver(db, event(provider_id, type))
            await settle(db, gateway)
        lived = await balances(db, trade)
        async with db.sessions() as session:
            trial = await books.trial_balance(session)
            inbox = (await session.execute(text(READ))).all()
    assert lived["expense:psp-fees"] == 1_500
    async with opened(urls[1]) as db:
        async with db.transaction() as session:
            for row in reversed(inbox):
                await session.execute(text(WRITE), {**row._mapping, "now": NOW})
        await settle(db, gateway)
        assert await balances(db, trade) == lived
        async with db.sessions() as session:
            assert await books.trial_balance(session) == trial
            assert await books.check(session) == []
    for name in ("lived", "replayed"):
        on_server(database_url, f"DROP DATABASE {name} WITH (FORCE)")
