"""A price paid in parts: the shares add up to those of the whole, each part goes its own way."""

import itertools
from collections.abc import Sequence
from datetime import timedelta
from fractions import Fraction
from typing import Any
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import canonical, ids
from contracts.deals.tables import Deal
from contracts.facts import queries as facts
from contracts.money import Money
from contracts.parties.rules import EXCHANGE_PARTY_ID
from contracts.titles.tables import Share
from settlement.invoices import asking, queries
from settlement.invoices import service as invoices
from settlement.invoices.rules import SUCCEEDED, Seen
from settlement.ledger import queries as books
from settlement.payouts import making
from settlement.payouts import queries as payout_queries
from settlement.payouts import service as payouts
from settlement.payouts.making import Told
from settlement.plans import queries as plans
from settlement.plans import rules
from settlement.plans.tables import Settlement
from tests.conftest import NOW
from tests.contracts.parties_factory import party
from tests.contracts.works_factory import work
from tests.exchange.identity_factory import person
from tests.settlement.approvals_factory import decided
from tests.settlement.fees_factory import flat
from tests.settlement.settlement_factory import executed_deal
from tests.settlement.test_plans import shares

TERMS: dict[str, Any] = {
    "consideration": {
        "kind": "fixed", "currency": "CNY", "amount": "1000000.01", "rate_bp": 300,
        "security": "保函",
        "instalments": [
            {"amount": "300000.00", "due_days": 5, "interest": "0.00"},
            {"amount": "200000.00", "due_days": 90, "interest": "1479.45"},
            {"amount": "500000.01", "due_days": 180, "interest": "7397.26"},
        ],
    },
    "parameters": {"due_days": 15, "late_bp_daily": 5, "cure_days": 30},
}  # fmt: skip
PRICE = Money(100_000_001, "CNY")


@given(
    shares(),
    st.integers(0, 10_000),
    st.lists(st.integers(1, 300), min_size=1, max_size=12)
    | st.lists(st.integers(1, 10**9), min_size=1, max_size=12),
)
def test_invariant_20_instalment_shares_add_up_to_the_split_of_the_whole(
    owners: dict[UUID, int], rate_bp: int, amounts: list[int]
) -> None:
    gross = Money(sum(amounts), "CNY")
    whole = rules.parts(
        gross, charge=flat(gross, rate_bp), exchange_id=EXCHANGE_PARTY_ID, shares=owners
    )
    steps = rules.divided(whole, [Money(one, "CNY") for one in amounts])
    for amount, step in zip(amounts, steps, strict=True):
        assert sum(part.amount.amount_minor for part in step) == amount
        assert all(part.amount.amount_minor >= 0 for part in step)
    for place, part in enumerate(whole):
        assert sum(step[place].amount.amount_minor for step in steps) == part.amount.amount_minor
    sums = itertools.accumulate(amounts)
    for end, upto in enumerate(sums, 1):
        fee = sum(step[0].amount.amount_minor for step in steps[:end])
        assert abs(fee - Fraction(upto * whole[0].amount.amount_minor, gross.amount_minor)) < 1
        net = upto - fee
        for place, part in enumerate(whole[1:], 1):
            got = sum(step[place].amount.amount_minor for step in steps[:end])
            assert abs(got - Fraction(net * part.rate_bp, 10_000)) < 2


def test_the_alabama_paradox_takes_nothing_back() -> None:
    """By the largest remainder alone the third would get 1 of 5 and 0 of 6."""
    owners = {UUID(int=1): 4286, UUID(int=2): 4286, UUID(int=3): 1428}
    for first, second in itertools.product(range(1, 40), range(1, 40)):
        gross = Money(first + second, "CNY")
        whole = rules.parts(
            gross, charge=flat(gross, 0), exchange_id=EXCHANGE_PARTY_ID, shares=owners
        )
        steps = rules.divided(whole, [Money(first, "CNY"), Money(second, "CNY")])
        assert all(part.amount.amount_minor >= 0 for step in steps for part in step)


async def sold(session: AsyncSession, terms: dict[str, Any] | None = None) -> Deal:
    """An executed deal of a work of two owners, asked for in three parts."""
    owners = [await party(session, now=NOW) for _ in range(2)]
    buyer = await party(session, kind="broadcaster", now=NOW)
    film = await work(session, party_id=owners[0].id, now=NOW)
    for owner, share_bp in zip(owners, (7000, 3000), strict=True):
        session.add(Share(work_id=film.id, party_id=owner.id, share_bp=share_bp, consented_at=NOW))
        await payouts.open_account(session, owner.id, country="HK", now=NOW)
        await payouts.account_ready(session, owner.id, provider_id=f"acct_{owner.id}")
    deal = await executed_deal(
        session, work_id=film.id, licensor_id=owners[0].id, licensee_id=buyer.id, price=PRICE,
        now=NOW, terms=canonical.dumps(terms or TERMS),
    )  # fmt: skip
    await asking.ask(session, deal, deal.price, now=NOW)
    return deal


async def pay(session: AsyncSession, settlement_id: UUID, *, now: Any = NOW) -> None:
    """Pay the invoice of one settlement by card."""
    invoice = await queries.find_invoice_of_deal(session, settlement_id)
    assert invoice is not None
    payment_id = ids.new(now)
    await invoices.request_payment(
        session, invoice.id, payment_id, payer_id=invoice.payer_id, method="card", now=now
    )
    seen = Seen(f"pi_{payment_id}", SUCCEEDED, invoice.due, f"ch_{payment_id}", payment_id)
    assert await invoices.apply_seen(session, seen, now=now)


async def approved(session: AsyncSession, settlement_id: UUID) -> list[Told]:
    """Approve the payout of a funded settlement; return what the provider will say of it."""
    home = await party(session, now=NOW)
    maker = await person(session, party_id=home.id, role="approver", now=NOW)
    checker = await person(session, party_id=home.id, role="approver", now=NOW)
    payout, _ = await payouts.prepare(
        session, ids.new(NOW), deal_id=settlement_id, person_id=maker.id, now=NOW
    )
    said = await decided(session, checker.id, payout.content_sha256, now=NOW)
    await payouts.approve(session, payout.id, decision=said, now=NOW)
    rows = await payout_queries.transfers(session, payout.id)
    return [Told(payout.id, one.intent_id, f"tr_{one.intent_id}") for one in rows if one.intent_id]


async def paid_out(session: AsyncSession, settlement_id: UUID) -> None:
    """Pay a funded settlement out to its owners."""
    await making.transfers_made(session, await approved(session, settlement_id), now=NOW)


async def told(session: AsyncSession, deal: Deal, kind: str) -> Sequence[Any]:
    found = await facts.all_of(session, deal.id, kind)
    return [canonical.loads(one.record) for one in found]


async def test_each_part_has_a_settlement_an_invoice_and_a_day(session: AsyncSession) -> None:
    deal = await sold(session)
    found = await queries.under(session, deal.id)
    assert [(one.kind, one.part, invoice.amount_minor) for one, invoice in found] == [
        ("price", 1, 30_000_000), ("instalment", 2, 20_000_000), ("deferral", 2, 147_945),
        ("instalment", 3, 50_000_001), ("deferral", 3, 739_726),
    ]  # fmt: skip
    assert len({invoice.number for _, invoice in found}) == 5
    days = [invoice.due_at and (invoice.due_at - NOW).days for _, invoice in found]
    assert [day for day in days if day is not None] == [5, 90, 90, 180, 180]
    assert [invoice.late_bp for _, invoice in found] == [5, 5, None, 5, None]
    again = await asking.ask(session, deal, deal.price, now=NOW + timedelta(days=1))
    assert again.id == found[0][1].id
    assert len(await queries.under(session, deal.id)) == 5


async def test_the_shares_of_all_parts_are_those_of_the_price(session: AsyncSession) -> None:
    deal = await sold(session)
    parts: Sequence[Settlement] = await plans.parts_of(session, deal.id)
    got: dict[tuple[str, UUID], int] = {}
    for one in parts:
        for line in await plans.lines(session, one.deal_id):
            key = (line.kind, line.payee_id)
            got[key] = got.get(key, 0) + line.amount_minor
    assert sorted(got.values()) == sorted([5_000_000, 66_500_001, 28_500_000])


async def test_the_settlement_is_booked_with_the_last_part_whichever_that_is(
    session: AsyncSession,
) -> None:
    deal = await sold(session)
    first, second, third = [one.deal_id for one in await plans.parts_of(session, deal.id)]
    for place, one in enumerate((first, third, second), 1):
        await pay(session, one)
        await paid_out(session, one)
        assert len(await told(session, deal, "instalment.booked")) == place
        assert len(await told(session, deal, "settlement.booked")) == (place == 3)
    parts = [one["part"] for one in await told(session, deal, "instalment.booked")]
    assert sorted(parts) == [1, 2, 3]
    journals = await books.journals_of_deal(session, first, second, third)
    (booked,) = await told(session, deal, "settlement.booked")
    assert booked["postings_sha256"] == canonical.sha256_hex(canonical.dumps(journals))


async def test_parts_that_end_at_once_book_the_settlement_once(session: AsyncSession) -> None:
    deal = await sold(session)
    parts = [one.deal_id for one in await plans.parts_of(session, deal.id)]
    said = []
    for one in parts:
        await pay(session, one)
        said += await approved(session, one)
    await making.transfers_made(session, said, now=NOW)
    await making.transfers_made(session, said[::-1], now=NOW)  # what was booked stays as it is
    ended = [one["part"] for one in await told(session, deal, "instalment.booked")]
    assert sorted(ended) == [1, 2, 3]
    journals = await books.journals_of_deal(session, *parts)
    (booked,) = await told(session, deal, "settlement.booked")
    assert booked["postings_sha256"] == canonical.sha256_hex(canonical.dumps(journals))
