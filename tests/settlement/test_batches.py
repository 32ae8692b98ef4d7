"""Payout batches: all at once by another person, each payout in one, void once one has changed."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import ids
from contracts.money import Money
from contracts.refusal import IdReused
from exchange import clock
from exchange.context import Context
from exchange.db import Database
from settlement.approvals.rules import AlreadyDecided, Decision, SamePerson
from settlement.batches import queries, rules, service
from settlement.batches.rules import Item, PayoutBatchVoid, PayoutInBatch
from settlement.batches.tables import PayoutBatch, PayoutBatchItem
from settlement.ledger import queries as books
from settlement.payouts import queries as payouts
from settlement.payouts import service as paying
from tests.conftest import NOW
from tests.exchange.identity_factory import PASSWORD, signed_client
from tests.exchange.test_portal_deals import enter
from tests.exchange.test_portal_pages import browser, someone, token_in
from tests.settlement.approvals_factory import decided, proved
from tests.settlement.batches_factory import approver, batched, waiting

ONE, TWO = Money(1_000_000, "CNY"), Money(500_003, "USD")
BATCH = UUID(int=7)
ITEMS = st.lists(
    st.builds(
        Item,
        st.uuids(version=4),
        st.text("0123456789abcdef", min_size=64, max_size=64),
        st.builds(Money, st.integers(1, 10**12), st.sampled_from(["CNY", "EUR", "USD"])),
    ),
    min_size=1,
    max_size=6,
    unique_by=lambda item: item.payout_id,
)


@given(items=ITEMS, data=st.data())
def test_a_batch_says_the_same_in_whatever_order_its_payouts_come(
    items: list[Item], data: st.DataObject
) -> None:
    mixed = data.draw(st.permutations(items))
    assert rules.content(BATCH, items) == rules.content(BATCH, mixed)
    assert rules.totals(items) == rules.totals(mixed)
    by_currency = {one.currency: one.amount_minor for one in rules.totals(items)}
    for currency, minor in by_currency.items():
        alike = [item.amount for item in items if item.amount.currency == currency]
        assert sum(one.amount_minor for one in alike) == minor


@given(items=ITEMS, data=st.data())
def test_a_batch_says_something_else_once_a_payout_has_another_hash(
    items: list[Item], data: st.DataObject
) -> None:
    place = data.draw(st.integers(0, len(items) - 1))
    changed = list(items)
    one = items[place]
    other = ("0" if one.sha256[0] != "0" else "1") + one.sha256[1:]
    changed[place] = Item(one.payout_id, other, one.amount)
    assert rules.content(BATCH, items) != rules.content(BATCH, changed)


async def decision(session: AsyncSession, batch: PayoutBatch) -> Decision:
    who = await approver(session, now=NOW)
    return await decided(session, who, batch.content_sha256, now=NOW)


async def test_a_batch_pays_all_of_its_payouts_by_one_approval(session: AsyncSession) -> None:
    first = await waiting(session, ONE, now=NOW)
    second = await waiting(session, TWO, now=NOW)
    batch = await batched(session, first, second, now=NOW)
    seen = await decision(session, batch)
    for _ in range(2):  # the same approval again changes nothing
        assert (
            await service.approve(session, batch.id, decision=seen, now=NOW)
        ).state == "approved"
    assert {first.state, second.state} == {"approved"}
    assert {first.decided_by, second.decided_by} == {seen.person_id}
    for payout in (first, second):
        sent = await payouts.transfers(session, payout.id)
        assert {one.state for one in sent} == {"sending"}
    await session.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))
    assert await books.check(session) == []
    with pytest.raises(AlreadyDecided):
        await service.approve(session, batch.id, decision=await decision(session, batch), now=NOW)


async def test_who_put_it_together_or_prepared_a_payout_in_it_does_not_approve_it(
    session: AsyncSession,
) -> None:
    maker = await approver(session, now=NOW)
    payout = await waiting(session, ONE, maker=maker, now=NOW)
    batch = await batched(session, payout, now=NOW)
    for who in (maker, batch.prepared_by):
        own = await decided(session, who, batch.content_sha256, now=NOW)
        with pytest.raises(SamePerson):
            await service.approve(session, batch.id, decision=own, now=NOW)
    assert payout.state == "prepared"


async def test_a_payout_is_in_one_batch_until_that_is_refused(session: AsyncSession) -> None:
    payout = await waiting(session, ONE, now=NOW)
    batch = await batched(session, payout, now=NOW)
    with pytest.raises(PayoutInBatch) as refused:
        await batched(session, payout, now=NOW)
    assert refused.value.data["payouts"] == [str(payout.id)]
    other = PayoutBatch(**batch.model_dump() | {"id": ids.new(NOW)})
    session.add(other)
    await session.flush()
    with pytest.raises(IntegrityError, match="ix_payout_in_one_batch"):
        async with session.begin_nested():
            (item,) = await queries.items(session, batch.id)
            session.add(PayoutBatchItem(**item.model_dump() | {"batch_id": other.id}))
            await session.flush()
    again = Decision(await approver(session, now=NOW), batch.content_sha256)
    await service.refuse(session, batch.id, decision=again, reason="Not today.", now=NOW)
    assert (await batched(session, payout, now=NOW)).state == "prepared"
    with pytest.raises(IdReused):
        await service.prepare(
            session, batch.id, payout_ids=[ids.new(NOW)], person_id=again.person_id, now=NOW
        )


async def test_one_payout_that_was_decided_meanwhile_voids_the_whole_batch(
    session: AsyncSession,
) -> None:
    first, second = await waiting(session, ONE, now=NOW), await waiting(session, TWO, now=NOW)
    batch = await batched(session, first, second, now=NOW)
    alone = Decision(await approver(session, now=NOW), first.content_sha256)
    await paying.refuse(session, first.id, decision=alone, reason="Wrong account.", now=NOW)
    with pytest.raises(PayoutBatchVoid) as refused:
        await service.approve(session, batch.id, decision=await decision(session, batch), now=NOW)
    assert refused.value.data["payouts"] == [str(first.id)]
    assert second.state == "prepared"


ATTACKS = {
    "the maker decides": (
        "UPDATE payout_batch SET state = 'approved', decided_by = prepared_by, decided_at = now() "
        "WHERE id = :batch",
        "is not decided by",
    ),
    "another without an approval": (
        "UPDATE payout_batch SET state = 'approved', decided_by = :second, decided_at = now() "
        "WHERE id = :batch",
        "is not decided by",
    ),
    "a payout by a batch that waits": (
        "UPDATE payout SET state = 'approved', decided_by = :second, decided_at = now() "
        "WHERE id = :payout",
        "is not approved by",
    ),
    "another amount": (
        "UPDATE payout_batch_item SET amount_minor = 1 WHERE batch_id = :batch",
        "says the same for ever",
    ),
    "an item approved alone": (
        "UPDATE payout_batch_item SET state = 'approved' WHERE batch_id = :batch",
        "is as its batch is",
    ),
    "an item freed": ("DELETE FROM payout_batch_item WHERE batch_id = :batch", "stays"),
    "another content": (
        "UPDATE payout_batch SET content = 'x' WHERE id = :batch",
        "never changes what it says",
    ),
}


@pytest.mark.parametrize("attack", ATTACKS)
async def test_the_application_role_finds_no_way_past_the_approval(
    session: AsyncSession, attack: str
) -> None:
    payout = await waiting(session, ONE, now=NOW)
    batch = await batched(session, payout, now=NOW)
    values = {
        "batch": batch.id,
        "payout": payout.id,
        "second": await approver(session, now=NOW),
    }
    await session.execute(text("SET LOCAL ROLE exchange_app"))
    said, why = ATTACKS[attack]
    with pytest.raises(DBAPIError, match=why):
        await session.execute(
            text(said), {name: one for name, one in values.items() if f":{name}" in said}
        )


async def test_two_people_pay_a_batch_over_http(context: Context, db: Database) -> None:
    async with db.transaction() as session:
        now = clock.now()
        chosen = [await waiting(session, money, now=now) for money in (ONE, TWO)]
    where = f"/v1/payout-batches/{ids.new(clock.now())}"
    asked = {"payouts": [str(one.id) for one in chosen]}
    async with (
        signed_client(context, role="approver") as (maker, _),
        signed_client(context, role="approver") as (second, _),
    ):
        made = await maker.put(where, json=asked)
        assert made.status_code == 201, made.text
        assert (await maker.put(where, json=asked)).status_code == 200
        assert [one["currency"] for one in made.json()["totals"]] == ["CNY", "USD"]
        seen = {"content_sha256": made.json()["content_sha256"]}
        bare = await second.post(f"{where}/approval", json=seen)
        assert bare.status_code == 422
        own = await maker.post(f"{where}/approval", json=await proved(maker, **seen))
        assert (own.status_code, own.json()["code"]) == (403, "same-person")
        done = await second.post(f"{where}/approval", json=await proved(second, **seen))
        assert (done.status_code, done.json()["state"]) == (200, "approved")


async def test_payouts_are_ticked_into_a_batch_and_approved_on_its_page(
    context: Context, db: Database
) -> None:
    async with db.transaction() as session:
        payout = await waiting(session, ONE, now=clock.now())
    batch = f"/console/payout-batches/{ids.new(clock.now())}"
    async with browser(context) as first, browser(context) as second:
        await enter(first, await someone(context, "operator"))
        await enter(second, await someone(context, "approver"))
        token = token_in((await first.get("/console/payouts")).text)
        form = {"csrf_token": token, "batch_id": batch[-36:], "payout": [str(payout.id)]}
        made = await first.post("/console/payout-batches", data=form)
        assert (made.status_code, made.headers["location"]) == (303, batch), made.text
        own = (await first.get(f"{batch}?lang=zh-CN")).text
        assert "须由另一人复核" in own and "付款批次" in own
        page = (await second.get(batch)).text
        seen = page.split('id="content-hash">')[1][:64]
        form = {"csrf_token": token_in(page), "content_sha256": seen, "password": PASSWORD}
        done = await second.post(f"{batch}/approval", data=form)
        assert done.status_code == 303, done.text
        assert "Approved" in (await second.get(batch)).text
