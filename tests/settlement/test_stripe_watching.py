"""Refunds and disputes of which no event ever comes: the stand-in is told to send none."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import text

from contracts import ids
from exchange import clock
from exchange.context import Context
from exchange.db import Database
from settlement.disputes import queries as disputes
from settlement.invoices.tables import Payment
from settlement.ledger import queries as books
from settlement.stripe import rules, service, watching
from settlement.stripe.gateway import AnswerLost, StripeGateway
from settlement.stripe.rules import History, Listed
from tests.conftest import NOW
from tests.settlement.fake_stripe import FakeStripe
from tests.settlement.returns_factory import balances, disputed, settle
from tests.settlement.standin import API_KEY, running_standin
from tests.settlement.test_stripe_service import PRICE, fake, ready
from tests.settlement.test_stripe_standin import asked, confirm, gateway, until_ready

HOUR = timedelta(hours=1)


@dataclass
class Away(FakeStripe):
    """Lists, but says nothing of a payment for a while."""

    is_away: bool = False

    async def see_payment(self, provider_id: str) -> History | None:
        if self.is_away:
            raise AnswerLost("away")
        return await super().see_payment(provider_id)


@dataclass
class Watched(FakeStripe):
    """Sees to it that another worker looks, too, while it lists."""

    db: Database | None = None
    times: int = 0

    async def returns(
        self, *, refunds_from: datetime | None, disputes_from: datetime | None
    ) -> list[Listed]:
        self.times += 1
        assert self.db is not None
        assert await watching.watch_due(self.db, self, now=NOW) == 0
        return await super().returns(refunds_from=refunds_from, disputes_from=disputes_from)


@pytest.fixture(autouse=True)
async def unread(db: Database) -> None:
    """Nothing was read yet, and the lists are due."""
    async with db.transaction() as session:
        await session.execute(
            text("UPDATE provider_list SET read_until = NULL, next_at = '2026-01-01Z'")
        )


@pytest.fixture
async def silent(tmp_path: Path) -> AsyncIterator[str]:
    """A stand-in that delivers no event to anybody."""
    with running_standin(tmp_path) as base:
        yield base


async def paid_unheard(
    context: Context, stripe: StripeGateway, base: str
) -> tuple[Any, Payment, str]:
    trade, payment = await asked(context)
    ready_ = await until_ready(context, stripe, payment)
    await confirm(base, ready_)
    await settle(context.db, stripe, clock.now() + HOUR)
    return trade, payment, str(ready_.provider_id)


async def state(db: Database, payment_id: UUID) -> list[str]:
    async with db.sessions() as session:
        wanted = text("SELECT state FROM dispute WHERE payment_id = :payment")
        return list((await session.scalars(wanted, {"payment": payment_id})).all())


async def test_a_dispute_and_a_refund_without_any_event_are_found_in_the_lists(
    context: Context, silent: str
) -> None:
    async with (
        gateway(silent) as stripe,
        httpx.AsyncClient(base_url=silent, trust_env=False) as desk,
    ):
        trade, payment, provider_id = await paid_unheard(context, stripe, silent)
        auth = {"Authorization": f"Bearer {API_KEY}"}
        given = {"payment_intent": provider_id, "amount": "7000"}
        await desk.post("/v1/refunds", data=given, headers=auth)
        now = clock.now()
        assert await watching.watch_due(context.db, stripe, now=now) >= 1
        booked = await balances(context.db, trade)
        async with context.db.sessions() as session:
            refunds = (await stripe.returns(refunds_from=None, disputes_from=None))[:1]
            assert refunds[0].refund is not None
            key = f"{refunds[0].refund.provider_id}:foreign"
            assert await books.is_booked(session, key)
        assert await watching.watch_due(context.db, stripe, now=now + HOUR / 2) == 0  # not due
        intent = (await desk.get(f"/v1/payment_intents/{provider_id}", headers=auth)).json()
        opened = await desk.post("/_disputes", json={"charge": intent["latest_charge"]})
        assert await watching.watch_due(context.db, stripe, now=now + HOUR) == 1
        assert await state(context.db, payment.id) == ["received"]
        await desk.post(f"/_disputes/{opened.json()['id']}", json={"status": "lost"})
        assert await watching.watch_due(context.db, stripe, now=now + 2 * HOUR) == 1
        assert await state(context.db, payment.id) == ["lost"]
        assert await watching.watch_due(context.db, stripe, now=now + 3 * HOUR) == 0
        shown = (await desk.get("/_books")).json()
        delivered = (await desk.get("/_webhooks")).json()["deliveries"]
    assert delivered == []
    assert shown["balanced"]
    assert await balances(context.db, trade) != booked
    async with context.db.sessions() as session:
        assert await books.check(session) == []


async def test_a_list_that_brings_no_answer_is_read_again_from_where_it_was(db: Database) -> None:
    provider = Away(NOW, mark=ids.new(NOW).hex)
    trade, payment_id, provider_id = await ready(db, provider)
    provider.pay(provider_id, PRICE)
    await settle(db, provider, NOW + HOUR)
    provider.disputes[provider_id] = [disputed(provider_id, 50_000_000, "needs_response")]
    provider.is_away = True
    assert await watching.watch_due(db, provider, now=NOW + HOUR) == 0
    assert await state(db, payment_id) == []
    provider.is_away = False
    again = NOW + HOUR + rules.LISTED_AGAIN
    assert await watching.watch_due(db, provider, now=again - timedelta(seconds=1)) == 0
    assert await watching.watch_due(db, provider, now=again) == 1
    assert await state(db, payment_id) == ["received"]
    assert (await balances(db, trade))["dispute:reserve"] == 50_000_000


async def test_several_workers_read_the_lists_once(db: Database) -> None:
    provider = Watched(NOW, db=db)
    await watching.watch_due(db, provider, now=NOW)
    assert provider.times == 1


async def test_an_event_that_comes_after_all_changes_nothing_more(db: Database) -> None:
    provider = fake()
    trade, payment_id, provider_id = await ready(db, provider)
    provider.pay(provider_id, PRICE)
    provider.disputes[provider_id] = [disputed(provider_id, 50_000_000, "lost")]
    await settle(db, provider, NOW + HOUR)
    before = await balances(db, trade)
    assert await watching.watch_due(db, provider, now=NOW + HOUR) == 0  # it stands as listed
    async with db.transaction() as session:
        seen = await provider.see_payment(provider_id)
        assert seen is not None
        await service.apply_history(session, seen, now=NOW + HOUR)
    assert await balances(db, trade) == before
    assert await state(db, payment_id) == ["lost"]


@pytest.mark.parametrize(
    ("read_until", "oldest", "wanted"),
    [
        (None, None, (None, None)),
        (NOW, None, (NOW - rules.REFUND_MAY_FAIL, NOW - rules.OVERLAP)),
        (
            NOW,
            NOW - timedelta(days=80),
            (NOW - rules.REFUND_MAY_FAIL, NOW - timedelta(days=80)),
        ),
        (
            NOW - timedelta(days=40),
            None,
            (NOW - timedelta(days=41), NOW - timedelta(days=41)),
        ),
    ],
    ids=["first", "usual", "open-dispute", "long-away"],
)
def test_lists_begin_before_the_last_time_and_with_what_is_still_open(
    read_until: datetime | None,
    oldest: datetime | None,
    wanted: tuple[datetime | None, datetime | None],
) -> None:
    assert rules.read_from(read_until, oldest_open=oldest, now=NOW) == wanted


async def test_the_oldest_open_dispute_is_asked_for(db: Database) -> None:
    provider = fake()
    _, payment_id, provider_id = await ready(db, provider)
    provider.pay(provider_id, PRICE)
    provider.disputes[provider_id] = [disputed(provider_id, 5, "needs_response")]
    await settle(db, provider, NOW + HOUR)
    async with db.sessions() as session:
        oldest = await disputes.oldest_open_at(session)
        mine = await session.scalar(
            text("SELECT opened_at FROM dispute WHERE payment_id = :payment"),
            {"payment": payment_id},
        )
    assert oldest is not None
    assert oldest <= mine
