"""Money in suspense at the provider: named by its object, explained once, in somebody's hands."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import ids
from contracts.money import Money
from contracts.refusal import Unknown
from exchange.db import Database
from settlement.clearing import queries, rules, service
from settlement.clearing.rules import Held, Moved
from settlement.orders import service as orders
from settlement.outbound.rules import CREATE_REFUND
from tests.conftest import NOW
from tests.settlement.approvals_factory import decided
from tests.settlement.batches_factory import approver
from tests.settlement.fake_stripe import FakeStripe
from tests.settlement.returns_factory import refunded, settle, staff
from tests.settlement.test_refunds import bought
from tests.settlement.test_stripe_service import asked, deliver, event, fake, payment

LATER = NOW + timedelta(days=1)
MOVED = st.builds(
    Moved,
    key=st.sampled_from(["pi_1:received", "pi_1:", "pi_2:received", "re_3:foreign", "order:x"]),
    kind=st.sampled_from(["payment.suspended", "refund.approved", "journal.manual"]),
    currency=st.sampled_from(["CNY", "EUR"]),
    posted_minor=st.integers(-1_000, 1_000),
    since=st.integers(0, 9).map(lambda days: NOW + timedelta(days=days)),
    number=st.integers(1, 10**6),
)


@given(moved=st.lists(MOVED, unique_by=lambda one: one.number))
def test_all_items_together_are_what_the_ledger_holds_and_none_is_nothing(
    moved: list[Moved],
) -> None:
    items = rules.held(moved)
    for currency in ("CNY", "EUR"):
        posted = sum(one.posted_minor for one in moved if one.currency == currency)
        assert sum(one.amount_minor for one in items if one.currency == currency) == -posted
    assert all(one.amount_minor for one in items)
    assert len({one.id for one in items}) == len(items)
    assert rules.held(moved[::-1]) == items  # the order of the rows makes no difference
    assert [one.opened_at for one in items] == sorted(one.opened_at for one in items)


async def wrong_amount(db: Database, minor: int = 77) -> tuple[UUID, str, FakeStripe]:
    """A payment that came with another amount than was due."""
    _, payment_id = await asked(db)
    gateway = fake()
    await settle(db, gateway)
    provider_id = str((await payment(db, payment_id)).provider_id)
    gateway.pay(provider_id, Money(minor, "CNY"))
    await deliver(db, event(provider_id, "payment_intent.succeeded"))
    await settle(db, gateway)
    async with db.transaction() as session:
        await session.execute(
            text("UPDATE payment SET amount_minor = :minor WHERE id = :id"),
            {"minor": minor, "id": payment_id},
        )
    return payment_id, provider_id, gateway


async def of(session: AsyncSession, reference: str) -> Sequence[Held]:
    return [one for one in await queries.held(session) if one.reference == reference]


async def test_a_payment_of_another_amount_is_held_until_it_went_back(db: Database) -> None:
    payment_id, provider_id, gateway = await wrong_amount(db)
    async with db.sessions() as session:
        [item] = await of(session, provider_id)
        payments = await queries.payments_of(session, [provider_id])
    assert (item.amount_minor, item.currency, item.kind) == (77, "CNY", "payment.suspended")
    assert (item.account, item.opened_at) == ("suspense:psp:CNY", NOW)
    assert payments[provider_id][0] == payment_id
    paid = await payment(db, payment_id)
    people = await staff(db)
    await refunded(db, paid, 50, people)
    await settle(db, gateway)
    async with db.sessions() as session:
        [left] = await of(session, provider_id)
    assert (left.id, left.amount_minor) == (item.id, 27)
    await refunded(db, paid, 27, people)
    async with db.sessions() as session:
        assert await of(session, provider_id) == []


async def test_a_refund_that_nobody_ordered_misses_until_it_comes_back(db: Database) -> None:
    _, _, provider_id, gateway = await bought(db)
    names = {"refund": str(ids.new(NOW)), "intent_id": "dashboard"}
    refund = f"re_{gateway.mark}"
    foreign = {"payment_intent": provider_id, "amount": 900, "metadata": names}
    gateway.made.append((CREATE_REFUND, refund, foreign))
    await deliver(db, event(provider_id, "refund.created"))
    await settle(db, gateway)
    async with db.sessions() as session:
        [item] = await of(session, refund)
    assert (item.amount_minor, item.kind, item.key) == (
        -900,
        "refund.suspended",
        f"{refund}:foreign",
    )
    gateway.failed.add(refund)
    await deliver(db, event(provider_id, "refund.failed"))
    await settle(db, gateway)
    async with db.sessions() as session:
        assert await of(session, refund) == []


async def test_a_journal_by_hand_explains_it_by_its_key_and_a_reversal_brings_it_back(
    db: Database,
) -> None:
    _, provider_id, _ = await wrong_amount(db)
    async with db.transaction() as session:
        [item] = await of(session, provider_id)
        lines = [
            {"account": item.account, "amount_minor": 30, "explains": item.key},
            {"account": "expense:psp-fees:CNY", "amount_minor": -30},
        ]
        journal = await carried(session, "journal", {"lines": lines})
        [left] = await of(session, provider_id)
        assert left.amount_minor == 47
        await carried(session, "reversal", {"journal": journal})
        [again] = await of(session, provider_id)
    assert (again.id, again.amount_minor, again.kind) == (item.id, 77, "payment.suspended")


async def carried(session: AsyncSession, kind: str, what: dict[str, object]) -> str:
    """Have two people order something of the ledger; the key of its journal."""
    order, _ = await orders.prepare(
        session, ids.new(NOW), kind=kind, what=what, reason="为渠道款项补记",
        person_id=await approver(session, now=NOW), now=NOW,
    )  # fmt: skip
    decision = await decided(
        session, await approver(session, now=NOW), order.content_sha256, now=NOW
    )
    await orders.approve(session, order.id, decision=decision, now=NOW)
    return f"order:{order.id}"


async def test_who_takes_it_up_has_it_in_hand_and_another_may_take_it_over(db: Database) -> None:
    _, provider_id, _ = await wrong_amount(db)
    async with db.transaction() as session:
        [item] = await of(session, provider_id)
        assert await queries.owners(session, [item.id]) == {}
        one, other = [await approver(session, now=NOW) for _ in range(2)]
        for who, owner, at in ((one, one, NOW), (one, one, LATER), (other, other, LATER)):
            taken = await service.take_up(session, item.id, person_id=who, now=at)
            assert taken == item
            assert await queries.owners(session, [item.id]) == {item.id: owner}
        told = await session.scalar(
            text("SELECT count(*) FROM fact WHERE subject = :id"), {"id": item.id}
        )
        with pytest.raises(Unknown):
            await service.take_up(session, ids.new(NOW), person_id=one, now=NOW)
    assert told == 2  # the same person again changes nothing


async def test_what_was_explained_is_taken_up_by_nobody(db: Database) -> None:
    payment_id, provider_id, _ = await wrong_amount(db)
    async with db.sessions() as session:
        [item] = await of(session, provider_id)
    await refunded(db, await payment(db, payment_id), 77, await staff(db))
    async with db.transaction() as session:
        with pytest.raises(Unknown):
            who = await approver(session, now=NOW)
            await service.take_up(session, item.id, person_id=who, now=NOW)
