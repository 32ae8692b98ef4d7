"""Several works in one contract: all rights or none, one price divided by works, one winner."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import canonical, ids
from contracts.deals import amending, ending, holding, transfers
from contracts.deals import queries as deals
from contracts.deals import service as contracts_service
from contracts.deals.holding import PackageStaysWhole
from contracts.deals.restating import Change
from contracts.deals.tables import Deal
from contracts.facts import queries as facts
from contracts.facts.rules import SealedFact
from contracts.money import WHOLE_BP, Money
from contracts.odrl import queries as odrl
from contracts.odrl.queries import SeveralWorks
from contracts.parties.gateway import LocalAuthority
from contracts.refusal import Refusal
from contracts.titles import queries as register
from contracts.titles import service as titles
from exchange import clock, offer_verbs, settlement_verbs
from exchange.context import Context
from listings.offers.rules import BadOffer
from settlement.plans import queries as plans
from settlement.plans import rules as planning
from tests.conftest import NOW
from tests.contracts.deals_factory import Signatory, sign, with_key
from tests.contracts.parties_factory import party
from tests.listings.offers_factory import Room, a_room, ask, say
from tests.listings.packages_factory import agreed, for_one, opened
from tests.settlement.fees_factory import flat


async def bundled(session: AsyncSession, count: int, *, now: datetime = NOW) -> list[Room]:
    first = await a_room(session, now=now)
    more = [await a_room(session, now=now, licensor=first.licensor) for _ in range(count - 1)]
    return for_one(first, *more)


async def states(session: AsyncSession, of: Sequence[Room]) -> list[list[str]]:
    found = [await register.grants_of_work(session, one.work.id) for one in of]
    return [[grant.state for grant in grants] for grants in found]


async def whole(
    context: Context, session: AsyncSession, of: Sequence[Room], folder: Path
) -> tuple[Deal, Signatory, Signatory, LocalAuthority]:
    authority = LocalAuthority.ensure(folder, NOW)
    offer = await agreed(session, of, amounts=[5_000_000, 3_000_000][: len(of)], now=NOW)
    deal = await opened(context, session, authority, offer, now=NOW)
    licensor = await with_key(session, authority, of[0].licensor, now=NOW)
    licensee = await with_key(session, authority, of[0].licensee, now=NOW)
    return deal, licensor, licensee, authority


async def test_an_accepted_package_is_one_contract_of_all_its_works(
    context: Context, session: AsyncSession, tmp_path: Path
) -> None:
    of = await bundled(session, 2)
    deal, licensor, licensee, authority = await whole(context, session, of, tmp_path)
    said = canonical.loads(deal.terms)
    assert said["template"]["id"] == "package-licence-zh-en"
    assert [one["work"] for one in said["works"]] == [str(one.work.id) for one in of]
    assert said["consideration"]["amount"] == "80000.00"
    assert [one["amount"] for one in said["consideration"]["lines"]] == ["50000.00", "30000.00"]
    assert holding.works_of(deal) == [one.work.id for one in of]
    assert await states(session, of) == [[], []]
    await sign(session, authority, deal, licensor, now=NOW)
    assert await states(session, of) == [["held"], ["held"]]
    deal = await sign(session, authority, deal, licensee, now=NOW)
    assert (deal.signing, await states(session, of)) == ("executed", [["effective"], ["effective"]])


async def test_the_price_is_divided_by_works_and_by_their_owners(
    context: Context, session: AsyncSession, tmp_path: Path
) -> None:
    of = await bundled(session, 2)
    co_owner = await party(session, now=NOW)
    seller = of[0].licensor
    await titles.declare_shares(
        session, of[0].work.id, party_id=seller.id,
        shares={seller.id: 6_000, co_owner.id: 4_000}, now=NOW,
    )  # fmt: skip
    await titles.consent(session, of[0].work.id, party_id=co_owner.id, now=NOW)
    deal, licensor, licensee, authority = await whole(context, session, of, tmp_path)
    for who in (licensor, licensee):
        await sign(session, authority, deal, who, now=NOW)
    record = {"deal": str(deal.id)}
    fact = SealedFact(1, ids.new(NOW), "deal.executed", deal.id, [], record, NOW)
    await settlement_verbs.plan_settlement(context, session, fact, NOW)
    lines = {line.payee_id: line for line in await plans.lines(session, deal.id)}
    fee = next(line for line in lines.values() if line.kind == "commission")
    net = 8_000_000 - fee.amount_minor
    assert sum(line.amount_minor for line in lines.values()) == 8_000_000
    first = planning.installment(
        [("a", 5_000_000), ("b", 3_000_000)], before_minor=0, up_to_minor=net
    )["a"]
    assert abs(lines[co_owner.id].amount_minor - first * 4 // 10) <= 1
    assert lines[seller.id].reason.startswith("60.00 % of ")
    assert " + 100.00 % of " in lines[seller.id].reason


@given(
    works=st.lists(
        st.tuples(
            st.integers(1, 10**9),
            st.lists(st.integers(1, 5), min_size=1, max_size=4, unique=True),
        ),
        min_size=2, max_size=6,
    ),
    cut=st.integers(0, WHOLE_BP),
)  # fmt: skip
def test_nothing_of_a_packages_price_is_lost_or_made(
    works: list[tuple[int, list[int]]], cut: int
) -> None:
    gross = Money(sum(amount for amount, _ in works), "CNY")
    shared = []
    for amount, owners in works:
        bp = {UUID(int=owner): WHOLE_BP // len(owners) for owner in owners}
        bp[UUID(int=owners[0])] += WHOLE_BP - sum(bp.values())
        shared.append((Money(amount, "CNY"), bp))
    found = planning.package_parts(
        gross, charge=flat(gross, 500), exchange_id=UUID(int=99), works=shared
    )
    assert sum(part.amount.amount_minor for part in found) == gross.amount_minor
    assert min(part.amount.amount_minor for part in found) >= 0
    owners = found[1:]
    assert len({part.payee_id for part in owners}) == len(owners)
    assert sum(part.rate_bp for part in owners) == WHOLE_BP
    assert cut >= 0


async def test_of_two_packages_that_share_a_work_exactly_one_is_signed(
    context: Context, tmp_path: Path
) -> None:
    now = clock.now()
    authority = LocalAuthority.ensure(tmp_path, now)
    async with context.db.transaction() as session:
        one, shared, other = await bundled(session, 3, now=now)
        rival = await party(session, kind="broadcaster", now=now)
        licensor = await with_key(session, authority, one.licensor, now=now)
        first = await agreed(session, [one, shared], now=now)
        theirs = [Room(**{**room.__dict__, "licensee": rival}) for room in (other, shared)]
        second = await agreed(session, theirs, now=now)
    packages = []
    for offer in (first, second):
        async with context.db.transaction() as session:
            packages.append(await opened(context, session, authority, offer, now=now))

    async def signs(deal: Deal) -> UUID:
        async with context.db.transaction() as session:
            await sign(session, authority, deal, licensor, now=clock.now())
        return deal.id

    outcomes = await asyncio.gather(*map(signs, packages), return_exceptions=True)
    winner, loser = one_of(outcomes, packages)
    async with context.db.transaction() as session:
        held = {}
        for work in (room.work.id for room in (one, shared, other)):
            held[work] = [found.deal_id for found in await register.grants_of_work(session, work)]
        assert held[shared.work.id] == [winner]
        assert sorted(map(len, held.values())) == [0, 1, 1]  # nothing of the loser is held
    await told_of(context, winner)
    async with context.db.transaction() as session:
        assert (await deals.get_deal(session, loser)).signing == "voided"


def one_of(outcomes: Sequence[object], packages: Sequence[Deal]) -> tuple[UUID, UUID]:
    """Return which deal was signed and which was refused."""
    refused = [one for one in outcomes if isinstance(one, Refusal)]
    assert [one.code for one in refused] == ["rights-already-granted"], outcomes
    (winner,) = [one for one in outcomes if isinstance(one, UUID)]
    (loser,) = [deal.id for deal in packages if deal.id != winner]
    return winner, loser


async def told_of(context: Context, winner: UUID) -> None:
    """What the worker does when it hears of the first signature."""
    async with context.db.transaction() as session:
        signed = await facts.find_first_of(session, winner, "deal.signed")
        assert signed is not None
        record = canonical.loads(signed.record)
        fact = SealedFact(1, signed.id, "deal.signed", winner, [], record, clock.now())
        await offer_verbs.void_overtaken_deals(context, session, fact, clock.now())


async def test_a_package_loses_to_a_licence_of_one_of_its_works(
    context: Context, session: AsyncSession, tmp_path: Path
) -> None:
    of = await bundled(session, 2)
    deal, licensor, _, authority = await whole(context, session, of, tmp_path)
    await titles.reserve(
        session, of[1].work.id, grantor_id=of[1].licensor.id,
        boxes=holding.parts(deal)[of[1].work.id], source="sold elsewhere", now=NOW,
    )  # fmt: skip
    with pytest.raises(Refusal) as refusal:
        async with session.begin_nested():
            await sign(session, authority, deal, licensor, now=NOW)
    assert refusal.value.code == "rights-already-granted"
    assert await states(session, of) == [[], ["reserved"]]


async def test_a_package_given_up_or_ended_gives_back_all_its_rights(
    context: Context, session: AsyncSession, tmp_path: Path
) -> None:
    given_up = await bundled(session, 2)
    deal, licensor, licensee, authority = await whole(context, session, given_up, tmp_path)
    await sign(session, authority, deal, licensor, now=NOW)
    await contracts_service.void(session, deal.id, reason="测试", by=ids.new(NOW), now=NOW)
    assert await states(session, given_up) == [["released"], ["released"]]
    of = await bundled(session, 2)
    deal, licensor, licensee, authority = await whole(context, session, of, tmp_path)
    for who in (licensor, licensee):
        await sign(session, authority, deal, who, now=NOW)
    await ending.rescind(session, deal.id, reason="裁决撤销", by=ids.new(NOW), now=NOW)
    assert await states(session, of) == [["ended"], ["ended"]]


async def test_a_package_is_neither_amended_nor_handed_on_nor_one_policy(
    context: Context, session: AsyncSession, tmp_path: Path
) -> None:
    of = await bundled(session, 2)
    deal, licensor, licensee, authority = await whole(context, session, of, tmp_path)
    for who in (licensor, licensee):
        await sign(session, authority, deal, who, now=NOW)
    change = Change([{"op": "replace", "path": "/parameters/cure_days", "value": 45}])
    with pytest.raises(PackageStaysWhole):
        await amending.propose(
            session, deal.id, ids.new(NOW), party_id=licensor.party.id, change=change, now=NOW
        )
    other = await with_key(
        session, authority, await party(session, kind="broadcaster", now=NOW), now=NOW
    )
    with pytest.raises(PackageStaysWhole):
        await transfers.draft(
            session, deal.id, ids.new(NOW), party_id=licensee.party.id,
            assignee_id=other.party.id, key_id=licensee.key.id, now=NOW,
        )  # fmt: skip
    with pytest.raises(SeveralWorks):
        await odrl.of_deal(session, deal)


async def test_one_contract_is_for_several_works_at_a_fixed_sum(session: AsyncSession) -> None:
    of = await bundled(session, 2)
    with pytest.raises(BadOffer):
        await say(session, ids.new(NOW), of[0], "licensee", contract="package")
    works = ask(*of)["works"]
    for work in works:
        work["price"] = {"guarantee_minor": 100, "share_bp": 10}
    with pytest.raises(BadOffer):
        await say(
            session, ids.new(NOW), of[0], "licensee", rooms=of, works=works,
            model="guarantee-share", contract="package",
        )  # fmt: skip


async def test_the_works_of_a_deal_never_change(
    context: Context, session: AsyncSession, tmp_path: Path
) -> None:
    of = await bundled(session, 2)
    deal, *_ = await whole(context, session, of, tmp_path)
    with pytest.raises(DBAPIError):
        async with session.begin_nested():
            await session.execute(
                text("UPDATE deal SET further_works = '{}' WHERE id = :id"), {"id": deal.id}
            )
