import itertools
import random
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.money import MOST_MINOR, Money
from contracts.parties.rules import EXCHANGE_PARTY_ID
from settlement.plans import queries, rules, service
from tests.conftest import NOW
from tests.contracts.parties_factory import party
from tests.settlement.fees_factory import flat
from tests.settlement.settlement_factory import executed_deal, invoiced

PRICES = st.integers(1, MOST_MINOR)


@st.composite
def shares(draw: st.DrawFn) -> dict[UUID, int]:
    cuts = sorted(draw(st.sets(st.integers(1, 9999), max_size=9)))
    edges = [0, *cuts, 10_000]
    parts = [after - before for before, after in itertools.pairwise(edges)]
    owners = draw(st.lists(st.uuids(), min_size=len(parts), max_size=len(parts), unique=True))
    return dict(zip(owners, parts, strict=True))


@given(PRICES, st.integers(0, 10_000), shares())
def test_the_parts_of_a_price_are_the_price(
    price: int, rate_bp: int, owners: dict[UUID, int]
) -> None:
    gross = Money(price, "CNY")
    parts = rules.parts(
        gross, charge=flat(gross, rate_bp), exchange_id=EXCHANGE_PARTY_ID, shares=owners
    )
    assert sum(part.amount.amount_minor for part in parts) == price
    assert all(part.amount.amount_minor >= 0 for part in parts)


@given(PRICES, shares(), st.randoms())
def test_the_order_of_the_owners_does_not_matter(
    price: int, owners: dict[UUID, int], turned: random.Random
) -> None:
    items = list(owners.items())
    turned.shuffle(items)
    gross = Money(price, "CNY")
    said: Any = {"charge": flat(gross, 500), "exchange_id": EXCHANGE_PARTY_ID}
    one = rules.parts(gross, **said, shares=owners)
    other = rules.parts(gross, **said, shares=dict(items))
    assert one == other


@given(PRICES, shares())
def test_each_part_is_less_than_one_minor_unit_from_its_exact_share(
    price: int, owners: dict[UUID, int]
) -> None:
    gross = Money(price, "CNY")
    parts = rules.parts(
        gross, charge=flat(gross, 500), exchange_id=EXCHANGE_PARTY_ID, shares=owners
    )
    for part in parts[1:]:
        exact_times_10000 = part.basis_minor * part.rate_bp
        assert abs(part.amount.amount_minor * 10_000 - exact_times_10000) < 10_000


@given(shares(), st.lists(st.integers(0, 10**9), min_size=1, max_size=8))
def test_installments_add_up_to_the_split_of_the_whole(
    owners: dict[UUID, int], amounts: list[int]
) -> None:
    weights = [(str(owner), share) for owner, share in owners.items()]
    so_far, got = 0, dict.fromkeys(map(str, owners), 0)
    for amount in amounts:
        step = rules.installment(weights, before_minor=so_far, up_to_minor=so_far + amount)
        so_far += amount
        got = {key: got[key] + step[key] for key in got}
    assert got == rules.split(so_far, weights)


def test_shares_that_are_not_the_whole_are_a_bug() -> None:
    with pytest.raises(ValueError, match="10,000"):
        rules.parts(
            Money(1, "CNY"),
            charge=flat(Money(1, "CNY"), 0),
            exchange_id=EXCHANGE_PARTY_ID,
            shares={EXCHANGE_PARTY_ID: 9_999},
        )


async def test_a_price_is_split_between_the_exchange_and_two_co_owners(
    session: AsyncSession,
) -> None:
    trade = await invoiced(session, price=Money(120_000_001, "CNY"), now=NOW)
    lines = await queries.lines(session, trade.deal_id)
    told = {line.payee_id: (line.kind, line.amount_minor) for line in lines}
    assert told[EXCHANGE_PARTY_ID] == ("commission", 6_000_000)
    assert [told[owner] for owner in trade.owner_ids] == [
        ("share", 79_800_001),
        ("share", 34_200_000),
    ]


async def test_a_work_without_shares_is_its_licensors_alone(session: AsyncSession) -> None:
    trade = await invoiced(session, price=Money(100, "CNY"), shares=(), now=NOW)
    payees = await queries.payees(session, trade.deal_id)
    assert [(line.payee_id, line.amount_minor) for line in payees] == [(trade.owner_ids[0], 95)]


async def test_what_a_licensee_licensed_on_is_its_own_money(session: AsyncSession) -> None:
    trade = await invoiced(session, price=Money(100, "CNY"), now=NOW)
    dealer = await party(session, now=NOW)
    deal = await executed_deal(
        session, work_id=trade.work_id, licensor_id=dealer.id, licensee_id=trade.buyer.id,
        price=Money(100, "CNY"), now=NOW,
    )  # fmt: skip
    terms = rules.Terms(
        deal.id, trade.work_id, dealer.id, trade.buyer.id, Money(100, "CNY"), "0" * 64
    )
    await service.plan(session, terms, now=NOW)
    payees = await queries.payees(session, deal.id)
    assert [(line.payee_id, line.amount_minor) for line in payees] == [(dealer.id, 95)]


async def test_planning_twice_plans_once(session: AsyncSession) -> None:
    trade = await invoiced(session, price=Money(100, "CNY"), now=NOW)
    planned = await queries.get_settlement(session, trade.deal_id)
    terms = rules.Terms(
        trade.deal_id, trade.work_id, trade.owner_ids[0], trade.buyer.id, planned.gross, "0" * 64
    )
    assert await service.plan(session, terms, now=NOW) is planned


async def test_the_database_refuses_a_plan_that_does_not_add_up(session: AsyncSession) -> None:
    trade = await invoiced(session, price=Money(100, "CNY"), now=NOW)
    await session.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))
    with pytest.raises(DBAPIError, match="add up to"):
        await session.execute(
            text(
                "INSERT INTO settlement_line SELECT deal_id, 9, payee_id, kind, basis_minor, "
                "rate_bp, 1, reason FROM settlement_line WHERE deal_id = :deal AND line = 1"
            ),
            {"deal": trade.deal_id},
        )


async def test_a_line_of_a_plan_cannot_be_changed(session: AsyncSession) -> None:
    await invoiced(session, price=Money(100, "CNY"), now=NOW)
    with pytest.raises(DBAPIError, match=r"permission denied|append-only"):
        await session.execute(text("UPDATE settlement_line SET amount_minor = 1"))


async def test_a_settlement_leaves_out_no_step(session: AsyncSession) -> None:
    trade = await invoiced(session, price=Money(100, "CNY"), now=NOW)
    with pytest.raises(ValueError, match="does not go from"):
        await service.advance(session, trade.deal_id, to=rules.PAID_OUT)
