import asyncio
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from contracts import ids, rfc3339
from contracts.parties.rules import EXCHANGE_PARTY_ID
from exchange.db import Database
from listings.admissions import applying, kinship, queries, rules, service
from listings.admissions.rules import (
    Admission,
    AdmissionClosed,
    BidderNotVerified,
    Blocked,
    CapExceeded,
    ExposureExceeded,
    NotAdmitted,
    OwnListing,
    RelatedToSeller,
)
from listings.admissions.tables import (
    AdmissionRow,
    CreditLine,
    Exposure,
    Paddle,
    PartyBlock,
    PartyRelation,
)
from listings.auctions.tables import Auction
from settlement.deposits.tables import DepositReceipt
from tests.conftest import NOW
from tests.contracts import parties_factory
from tests.listings.admissions_factory import auction, bidder, staff


async def admission(session: AsyncSession, lot: Auction, party_id: UUID) -> Admission:
    return (await service.loaded(session, lot, [party_id], now=NOW))[party_id]


async def relate(session: AsyncSession, party_id: UUID, kind: str, node: str) -> None:
    session.add(
        PartyRelation(
            id=ids.new(NOW), party_id=party_id, party_node=kinship.party_node(party_id),
            kind=kind, node=node, evidence="章程", declared_at=NOW,
            share_bp=5_000 if kind == kinship.OWNER else None,
            declared_by=await staff(session, now=NOW),
        )
    )  # fmt: skip
    await session.flush()


async def line(session: AsyncSession, party_id: UUID, limit_minor: int) -> None:
    session.add(
        CreditLine(
            party_id=party_id, currency="CNY", limit_minor=limit_minor,
            set_by=await staff(session, now=NOW), set_at=NOW,
        )
    )  # fmt: skip
    await session.flush()


async def test_a_verified_broadcaster_is_admitted_at_its_first_bid_and_keeps_its_number(
    session: AsyncSession,
) -> None:
    lot, party = await auction(session, now=NOW), await bidder(session, now=NOW)
    first = await admission(session, lot, party.id)
    again = await admission(session, lot, party.id)
    assert first == again == Admission(party.id, 1, rules.ADMITTED)
    rules.check(first, committed_minor=10**15)


async def test_invariant_16_neither_seller_nor_owner_nor_stranger_nor_unverified_bids(
    session: AsyncSession,
) -> None:
    owner = await parties_factory.party(session, kind="broadcaster", now=NOW)
    lot = await auction(session, now=NOW, barred=[owner.id])
    unverified = await parties_factory.party(session, kind="broadcaster", verified=False, now=NOW)
    holder = await parties_factory.party(session, now=NOW)
    for party_id, no in (
        (lot.seller_id, OwnListing),
        (owner.id, OwnListing),
        (unverified.id, BidderNotVerified),
        (holder.id, BidderNotVerified),
        (EXCHANGE_PARTY_ID, BidderNotVerified),
        (ids.new(NOW), BidderNotVerified),
    ):
        with pytest.raises(no):
            rules.check(await admission(session, lot, party_id), committed_minor=1)
    assert await queries.roll(session, lot.id) == []


async def test_invariant_16_a_bidder_connected_with_the_seller_over_two_steps_is_refused(
    session: AsyncSession,
) -> None:
    lot, party = await auction(session, now=NOW), await bidder(session, now=NOW)
    mother = await parties_factory.party(session, now=NOW)
    person = kinship.shared_node(kinship.DIRECTOR, "张三")
    await relate(session, party.id, kinship.DIRECTOR, person)
    await relate(session, mother.id, kinship.DIRECTOR, person)
    assert (await admission(session, await auction(session, now=NOW), party.id)).paddle == 1
    await relate(session, lot.seller_id, kinship.OWNER, kinship.party_node(mother.id))
    with pytest.raises(RelatedToSeller):
        rules.check(await admission(session, lot, party.id), committed_minor=1)


async def test_whoever_is_connected_with_the_operator_does_not_bid(session: AsyncSession) -> None:
    lot, party = await auction(session, now=NOW), await bidder(session, now=NOW)
    await relate(session, party.id, kinship.OWNER, kinship.party_node(EXCHANGE_PARTY_ID))
    with pytest.raises(RelatedToSeller):
        rules.check(await admission(session, lot, party.id), committed_minor=1)


async def test_a_block_bars_before_and_after_the_first_bid_until_it_ends(
    session: AsyncSession,
) -> None:
    lot = await auction(session, now=NOW)
    early, late = await bidder(session, now=NOW), await bidder(session, now=NOW)
    await admission(session, lot, late.id)
    for party, work in ((early, None), (late, lot.work_id)):
        session.add(
            PartyBlock(
                id=ids.new(NOW), party_id=party.id, work_id=work, reason="违约", placed_at=NOW,
                placed_by=await staff(session, now=NOW), until=lot.closes_at,
            )
        )  # fmt: skip
    await session.flush()
    for party in (early, late):
        with pytest.raises(Blocked):
            rules.check(await admission(session, lot, party.id), committed_minor=1)
        elsewhere = await service.loaded(session, lot, [party.id], now=lot.closes_at)
        assert elsewhere[party.id].state == rules.ADMITTED
    other = await auction(session, now=NOW)
    assert (await admission(session, other, late.id)).state == rules.ADMITTED


async def test_where_bidders_apply_nobody_is_admitted_by_bidding(session: AsyncSession) -> None:
    lot = await auction(session, now=NOW, admission={"kind": "applied"})
    party = await bidder(session, now=NOW)
    with pytest.raises(NotAdmitted):
        rules.check(await admission(session, lot, party.id), committed_minor=1)
    assert await queries.find_admission(session, lot.id, party.id) is None


async def test_a_deposit_credited_from_the_day_on_admits_nobody(session: AsyncSession) -> None:
    until = NOW + timedelta(minutes=10)
    terms = {"kind": "applied", "deposit_minor": 500, "until": rfc3339.exact(until)}
    lot = await auction(session, now=NOW, admission=terms)
    states = []
    for credited_at in (until - timedelta(microseconds=1), until):
        party = await bidder(session, now=NOW)
        await applying.apply(session, lot.id, party.id, application={}, now=NOW)
        person = await staff(session, now=NOW)
        await applying.accept_papers(
            session, lot.id, party.id, person_id=person, cap_minor=None, now=NOW
        )
        receipt = DepositReceipt(
            id=ids.new(NOW), auction_id=lot.id, party_id=party.id, amount_minor=500,
            reference=str(party.id), credited_at=credited_at, recorded_by=person,
            recorded_at=until,
        )  # fmt: skip
        await applying.receive_deposit(session, receipt, currency="CNY", now=until)
        row = await queries.get_admission(session, lot.id, party.id)
        states.append((row.state, await applying.missing(session, lot, row)))
    assert states == [("admitted", []), ("applied", ["deposit"])]
    late = await bidder(session, now=NOW)
    with pytest.raises(AdmissionClosed):
        await applying.apply(session, lot.id, late.id, application={}, now=until)


async def test_nobody_takes_a_number_after_the_close_but_whoever_has_one_reads_it(
    session: AsyncSession,
) -> None:
    lot = await auction(session, now=NOW)
    early, late = await bidder(session, now=NOW), await bidder(session, now=NOW)
    await applying.apply(session, lot.id, early.id, application={}, now=NOW)
    with pytest.raises(AdmissionClosed):
        await applying.apply(session, lot.id, late.id, application={}, now=lot.closes_at)
    again = await applying.apply(session, lot.id, early.id, application={}, now=lot.closes_at)
    assert again.state == rules.ADMITTED
    assert [one["paddle"] for one in await queries.roll(session, lot.id)] == [1]


async def test_hidden_numbers_tell_nothing_and_open_ones_count(session: AsyncSession) -> None:
    shown, veiled = await auction(session, now=NOW), await auction(session, now=NOW, hidden=True)
    parties = [await bidder(session, now=NOW) for _ in range(8)]
    numbers = [(await admission(session, shown, party.id)).paddle for party in parties]
    assert numbers == list(range(1, 9))
    drawn = [(await admission(session, veiled, party.id)).paddle or 0 for party in parties]
    assert len(set(drawn)) == 8
    assert min(drawn) >= rules.FIRST_HIDDEN
    assert drawn != sorted(drawn)  # one in 40,320 draws is sorted


async def test_places_set_aside_are_named_before_the_auction_is_and_admit_their_holders(
    session: AsyncSession,
) -> None:
    holder, party = await bidder(session, now=NOW), await bidder(session, now=NOW)
    auction_id = ids.new(NOW)
    assert await service.set_aside(session, auction_id, [holder.id]) == [1]
    lot = await auction(session, now=NOW, auction_id=auction_id)
    assert (await admission(session, lot, party.id)).paddle == 2
    assert (await admission(session, lot, holder.id)).paddle == 1


async def test_no_more_bidders_than_the_rulebook_takes(session: AsyncSession) -> None:
    lot = await auction(session, now=NOW, admission={"most_bidders": 1})
    first, second = await bidder(session, now=NOW), await bidder(session, now=NOW)
    both = await service.loaded(session, lot, [first.id, second.id], now=NOW)
    assert [both[party.id].paddle for party in (first, second)] == [1, None]
    with pytest.raises(NotAdmitted):
        rules.check(both[second.id], committed_minor=1)


async def test_the_roll_binds_each_number_to_its_party_and_opens_with_its_blind(
    session: AsyncSession,
) -> None:
    lot, party = await auction(session, now=NOW), await bidder(session, now=NOW)
    await admission(session, lot, party.id)
    [entry] = await queries.roll(session, lot.id)
    held = await session.scalars(select(Paddle).where(col(Paddle.auction_id) == lot.id))
    paddle = held.one()
    blind = paddle.blind
    assert (paddle.number, paddle.party_id, len(blind)) == (1, party.id, 32)
    assert entry == {
        "paddle": 1,
        "admitted_at": "2026-11-22T09:00:00Z",
        "party_commitment": rules.commitment(lot.id, party.id, blind),
    }
    assert rules.commitment(lot.id, lot.seller_id, blind) != entry["party_commitment"]


async def test_caps_are_the_rulebooks_and_the_bidders_own(session: AsyncSession) -> None:
    lot = await auction(session, now=NOW, admission={"cap_minor": 500})
    party = await bidder(session, now=NOW)
    mine = await admission(session, lot, party.id)
    rules.check(mine, committed_minor=500)
    with pytest.raises(CapExceeded):
        rules.check(mine, committed_minor=501)
    row = await queries.get_admission(session, lot.id, party.id)
    row.cap_minor = 300
    await session.flush()
    with pytest.raises(CapExceeded):
        rules.check(await admission(session, lot, party.id), committed_minor=301)


async def test_invariant_17_a_credit_line_is_shared_by_all_auctions(session: AsyncSession) -> None:
    one, two = await auction(session, now=NOW), await auction(session, now=NOW)
    party = await bidder(session, now=NOW)
    await line(session, party.id, 1_000)
    rules.check(await admission(session, one, party.id), committed_minor=1_000)
    await service.expose(session, one.id, {party.id: 700}, currency="CNY")
    here, there = [await admission(session, lot, party.id) for lot in (one, two)]
    assert (here.room_minor, there.room_minor) == (1_000, 300)
    with pytest.raises(ExposureExceeded):
        rules.check(there, committed_minor=301)
    await service.expose(session, one.id, {}, currency="CNY")
    assert (await admission(session, two, party.id)).room_minor == 1_000


async def test_at_the_close_all_are_free_but_the_winner_until_its_deal(
    session: AsyncSession,
) -> None:
    lot = await auction(session, now=NOW)
    winner, loser = await bidder(session, now=NOW), await bidder(session, now=NOW)
    await service.expose(session, lot.id, {winner.id: 5, loser.id: 7}, currency="CNY")
    await service.release(session, lot.id, keep=[winner.id])
    assert [one.amount_minor for one in await queries.exposures(session, winner.id)] == [5]
    assert await queries.exposures(session, loser.id) == []
    await service.free(session, lot.id, winner.id)
    assert await queries.exposures(session, winner.id) == []


async def test_invariant_17_the_same_bidder_raced_in_two_auctions_never_passes_its_line(
    db: Database,
) -> None:
    """Twenty rounds in each of four auctions at once, each asking for more than a third."""
    async with db.transaction() as session:
        lots = [(await auction(session, now=NOW)).id for _ in range(4)]
        party = (await bidder(session, now=NOW)).id
        await line(session, party, 1_000)
        for lot in lots:
            row = await session.get_one(Auction, lot)
            await service.loaded(session, row, [party], now=NOW)
    seen: list[int] = []

    async def bids(lot_id: UUID, offset: int) -> None:
        for turn in range(20):
            asked = 350 if (turn + offset) % 3 else 0
            async with db.transaction() as session:
                row = (
                    await session.execute(
                        select(Auction).where(col(Auction.id) == lot_id).with_for_update()
                    )
                ).scalar_one()
                stands = (await service.loaded(session, row, [party], now=NOW))[party]
                try:
                    rules.check(stands, committed_minor=asked)
                except ExposureExceeded:
                    continue
                await asyncio.sleep(0)
                await service.expose(session, lot_id, {party: asked}, currency="CNY")
            async with db.transaction() as session:
                rows = await session.scalars(
                    select(Exposure.amount_minor).where(col(Exposure.party_id) == party)
                )
                seen.append(sum(rows))

    await asyncio.gather(*(bids(lot, offset) for offset, lot in enumerate(lots)))
    assert max(seen) == 700  # two of four fit beside each other; three would be 1,050
    assert len(seen) >= 20


async def test_the_database_keeps_relations_and_blocks_and_paddles(session: AsyncSession) -> None:
    lot, party = await auction(session, now=NOW), await bidder(session, now=NOW)
    await admission(session, lot, party.id)
    await relate(session, party.id, kinship.BANK, kinship.shared_node(kinship.BANK, "1"))
    for kind in (Paddle, PartyRelation):
        row = (
            await session.execute(select(kind).where(col(kind.party_id) == party.id))
        ).scalar_one()
        with pytest.raises(DBAPIError, match=r"refuse|permission denied"):
            async with session.begin_nested():
                await session.delete(row)
                await session.flush()
    assert await session.get(AdmissionRow, (lot.id, party.id)) is not None
