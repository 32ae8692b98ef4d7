"""Invariant 32 with sweeps: ledger, the stand-in's own books and the bank, over HTTP."""

from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from exchange import clock
from exchange.context import Context
from exchange.db import Database
from exchange.settings import Settings
from settlement.clearing import queries as clearing
from settlement.clearing.tables import PspCutoff
from settlement.ledger import queries as books
from settlement.stripe import balancing
from settlement.stripe.gateway import StripeGateway
from settlement.sweeps import queries
from settlement.sweeps.tables import Sweep
from tests.databases import own_database
from tests.settlement.bank_factory import Bank, closed
from tests.settlement.returns_factory import settle, staff
from tests.settlement.standin import API_KEY, running_standin
from tests.settlement.sweeps_factory import a_bank, seen, swept
from tests.settlement.test_stripe_standin import (
    approve,
    asked,
    confirm,
    gateway,
    until_paid_out,
    until_ready,
)

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
AUTH = {"Authorization": f"Bearer {API_KEY}"}


@pytest.fixture
def own_url(server_url: str) -> Iterator[str]:
    """A database of this test's own: the provider's balance is compared with the whole of it."""
    with own_database(server_url, "swept") as url:
        yield url


@pytest.fixture
async def own(own_url: str, settings: Settings) -> AsyncIterator[Context]:
    db = Database(own_url)
    yield Context(settings, db)
    await db.close()


async def compared(own: Context, stripe: StripeGateway, days: int) -> PspCutoff:
    """A cut-off: whatever differs is named, and whatever is on its way is a sweep."""
    [cutoff] = await balancing.compare(own.db, stripe, now=clock.now() + days * DAY)
    async with own.db.sessions() as session:
        assert await books.check(session) == []
        assert await queries.unexplained(session, "CNY") == 0
        assert list(await clearing.open_items(session)) == []
    return cutoff


async def ours(own: Context, stripe: StripeGateway, base: str) -> int:
    """Sell one licence by card and pay its owners; return what is free days later."""
    trade, payment = await asked(own)
    known = await until_ready(own, stripe, payment)
    await confirm(base, known)
    await settle(own.db, stripe, clock.now() + HOUR)
    early = await compared(own, stripe, 0)
    async with own.db.sessions() as session:
        assert (await queries.funds(session, "CNY", now=clock.now())).free_minor == 0  # pending
        later = await queries.funds(session, "CNY", now=clock.now() + 4 * DAY)
    fee = 120_000_000 - early.ledger_minor
    assert later.free_minor == 6_000_000 - fee  # the owners' money stays
    await approve(own, trade)
    await until_paid_out(own, stripe, trade)
    return later.free_minor


async def moved(desk: httpx.AsyncClient, path: str, **given: object) -> None:
    (await desk.post(path, json=given)).raise_for_status()


async def land(own: Context, bank: Bank, sweep: Sweep) -> None:
    before = bank.balance_minor
    bank.line(sweep.amount_minor, text=f"STRIPE {sweep.descriptor}")
    async with own.db.transaction() as session:
        assert (await closed(session, bank, since=before)).matched == 1


async def test_invariant_32_what_left_the_provider_is_at_the_bank_or_named_as_on_its_way(
    own: Context, tmp_path: Path
) -> None:
    """One sweep lands, one fails after it was shown as paid, one is the provider's own idea."""
    with running_standin(tmp_path) as base:
        async with (
            gateway(base) as stripe,
            httpx.AsyncClient(base_url=base, trust_env=False, headers=AUTH) as desk,
        ):
            free = await ours(own, stripe, base)
            bank, people = await a_bank(own.db), await staff(own.db)
            await moved(desk, "/_clock", advance_s=4 * 86_400)
            now = clock.now() + 4 * DAY
            first = await swept(own.db, bank.account, 1_000, people, now=now)
            second = await swept(own.db, bank.account, free - 1_000, people, now=now)
            await settle(own.db, stripe, now + HOUR)
            both = await compared(own, stripe, 4)
            assert (both.items, both.in_transit_minor) == (0, free)
            await land(own, bank, first)
            assert (await compared(own, stripe, 4)).in_transit_minor == free - 1_000
            await moved(desk, "/_clock", advance_s=3 * 86_400)
            await settle(own.db, stripe, now + 3 * DAY)
            paid = [await seen(own.db, one.id) for one in (first, second)]
            assert {one.state for one in paid} == {"paid"}
            await moved(desk, f"/_payouts/{paid[1].provider_id}/failure")
            await settle(own.db, stripe, now + 5 * DAY)
            assert (await seen(own.db, second.id)).state == "failed"
            last = await compared(own, stripe, 9)
            assert (last.items, last.in_transit_minor) == (0, 0)
            shown = (await desk.get("/_books")).json()["accounts"]
            assert last.provider_minor == shown["platform"]["cny"]
            assert shown["banks"]["cny"] == bank.balance_minor == 1_000
            await moved(desk, "/_payouts", currency="cny")
            [foreign] = await balancing.compare(own.db, stripe, now=now + 6 * DAY)
            assert (foreign.items, foreign.in_transit_minor) == (1, 0)  # nobody here ordered it
