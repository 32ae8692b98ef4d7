import asyncio
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from contracts import canonical, ids
from contracts.facts.tables import Fact
from contracts.refusal import IdReused, Unknown
from contracts.titles import service as titles
from exchange.db import Database
from listings.admissions.rules import BidderNotVerified, OwnListing
from listings.auctions import ending, placing, queries, service
from listings.auctions.refusals import AuctionClosed, BidTooLow
from listings.auctions.tables import Auction, Bid
from tests.conftest import NOW
from tests.contracts.works_factory import work
from tests.listings import auctions_factory as factory
from tests.listings.auctions_factory import arrival, bid, enrol, open_auction

SOON = NOW + timedelta(seconds=1)
# What commits and closes lives in another year, so that it closes nobody else's auctions.
LONG_AGO = datetime(2020, 5, 1, 9, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Room:
    auction: Auction
    seller: UUID
    bidders: list[UUID]


async def a_room(session: AsyncSession, *, now: datetime = NOW, **changes: Any) -> Room:
    seller = await enrol(session, now=now, kind="rights_holder")
    bidders = [(await enrol(session, now=now)).id for _ in range(3)]
    auction = await open_auction(session, seller_id=seller.id, now=now, **changes)
    return Room(auction, seller.id, bidders)


async def facts_about(session: AsyncSession, subject: UUID, kind: str) -> list[Fact]:
    rows = await session.execute(
        select(Fact).where(col(Fact.subject) == subject, col(Fact.kind) == kind).order_by(Fact.id)
    )
    return list(rows.scalars())


async def test_an_opened_auction_has_its_rules_hashed_and_made_known(session: AsyncSession) -> None:
    room = await a_room(session)
    auction = room.auction
    assert auction.rulebook_sha256 == canonical.sha256_hex(auction.rulebook)
    book = canonical.loads(auction.rulebook)
    assert canonical.dumps(book) == auction.rulebook
    assert book["terms"]["floor_minor"] == 100_000
    assert book["terms"]["step"] == {"kind": "fixed", "minor": 1_000}
    assert book["closing"]["window_s"] == 60
    (opened,) = await facts_about(session, auction.id, "auction.opened")
    assert canonical.loads(opened.record) == {
        "auction": str(auction.id),
        "listing": str(auction.listing_id),
        "rulebook_sha256": auction.rulebook_sha256,
        "opens_at": "2026-11-22T09:00:00Z",
        "closes_at": "2026-11-22T09:10:00Z",
    }


async def test_opening_again_returns_the_same_auction(session: AsyncSession) -> None:
    room = await a_room(session)
    first = room.auction
    again = await service.open_auction(
        session, first.id, listing_id=first.listing_id, work_id=first.work_id,
        seller_id=first.seller_id, sale=factory.sale_of(first.id, NOW), now=SOON,
    )  # fmt: skip
    assert again is first
    with pytest.raises(IdReused):
        await service.open_auction(
            session, first.id, listing_id=ids.new(NOW), work_id=first.work_id,
            seller_id=first.seller_id, sale=factory.sale_of(first.id, NOW), now=SOON,
        )  # fmt: skip


async def test_a_bid_leads_and_is_made_known_by_paddle_alone(session: AsyncSession) -> None:
    room = await a_room(session)
    placed = await bid(session, room.auction, room.bidders[0], 120_000, now=SOON)
    assert (placed.sequence, placed.paddle) == (1, 1)
    assert (room.auction.leading_bid, room.auction.leading_amount_minor) == (
        placed.bid_id, 120_000,
    )  # fmt: skip
    assert (await queries.leading(session, room.auction)).id == placed.bid_id
    (fact,) = await facts_about(session, room.auction.id, "bid.placed")
    assert canonical.loads(fact.record) == {
        "auction": str(room.auction.id),
        "bid": str(placed.bid_id),
        "paddle": 1,
        "amount_minor": 120_000,
        "currency": "CNY",
        "sequence": 1,
        "received_at": "2026-11-22T09:00:01Z",
        "closes_at": "2026-11-22T09:10:00Z",
    }
    assert str(room.bidders[0]).encode() not in fact.record
    assert list(fact.parties) == []


async def test_a_bidder_keeps_its_paddle_and_others_get_the_next(session: AsyncSession) -> None:
    room = await a_room(session)
    order = [0, 1, 0, 2, 1]
    paddles = [
        (await bid(session, room.auction, room.bidders[who], 100_000 + n * 1_000, now=SOON)).paddle
        for n, who in enumerate(order)
    ]
    assert paddles == [1, 2, 1, 3, 2]


async def test_invariant_03_the_same_bid_twice_is_one_bid_with_its_first_answer(
    session: AsyncSession,
) -> None:
    room = await a_room(session, now=LONG_AGO)
    at = LONG_AGO + timedelta(seconds=1)
    mine = arrival(room.bidders[0], 100_000, at=at)
    first = await placing.place_bid(session, room.auction.id, mine, now=at)
    await bid(session, room.auction, room.bidders[1], 101_000, now=at)
    late = LONG_AGO + timedelta(hours=1)
    await ending.close_due(session, now=late)
    again = await placing.place_bid(
        session, room.auction.id, replace(mine, received_at=late), now=late
    )
    assert (first.is_new, again.is_new) == (True, False)
    assert replace(again, is_new=True) == first
    assert len(await facts_about(session, room.auction.id, "bid.placed")) == 2


@pytest.mark.parametrize("other", ["amount", "party", "currency"])
async def test_invariant_03_an_id_with_other_content_is_refused(
    session: AsyncSession, other: str
) -> None:
    room = await a_room(session)
    placed = await bid(session, room.auction, room.bidders[0], 100_000, now=SOON)
    changed = arrival(
        room.bidders[other == "party"], 200_000 if other == "amount" else 100_000, at=SOON,
        bid_id=placed.bid_id, currency="HKD" if other == "currency" else "CNY",
    )  # fmt: skip
    with pytest.raises(IdReused):
        await placing.place_bid(session, room.auction.id, changed, now=SOON)


async def test_a_refused_bid_changes_nothing(session: AsyncSession) -> None:
    room = await a_room(session)
    await bid(session, room.auction, room.bidders[0], 100_000, now=SOON)
    before = room.auction.model_dump()
    unverified = await enrol(session, now=NOW, state="registered")
    with pytest.raises(BidTooLow):
        await bid(session, room.auction, room.bidders[1], 100_500, now=SOON)
    with pytest.raises(OwnListing):
        await bid(session, room.auction, room.seller, 200_000, now=SOON)
    with pytest.raises(BidderNotVerified):
        await bid(session, room.auction, unverified.id, 200_000, now=SOON)
    with pytest.raises(AuctionClosed):
        await bid(session, room.auction, room.bidders[1], 200_000, now=room.auction.closes_at)
    await session.refresh(room.auction)
    assert room.auction.model_dump() == before
    assert len(await queries.bids_page(session, room.auction.id, after=None, limit=10)) == 1
    assert len(await facts_about(session, room.auction.id, "bid.placed")) == 1


async def test_a_co_owner_of_the_work_does_not_bid_for_it(session: AsyncSession) -> None:
    seller = await enrol(session, now=NOW, kind="rights_holder")
    partner = await enrol(session, now=NOW)
    shared = await work(session, party_id=seller.id, now=NOW)
    await titles.declare_shares(
        session,
        shared.id,
        party_id=seller.id,
        shares={seller.id: 7_000, partner.id: 3_000},
        now=NOW,
    )
    auction = await open_auction(session, seller_id=seller.id, work_id=shared.id, now=NOW)
    with pytest.raises(OwnListing):
        await bid(session, auction, partner.id, 200_000, now=SOON)
    assert auction.bids == 0


async def test_a_bid_for_no_auction_is_unknown(session: AsyncSession) -> None:
    bidder = await enrol(session, now=NOW)
    with pytest.raises(Unknown):
        await placing.place_bid(session, ids.new(NOW), arrival(bidder.id, 1, at=NOW), now=NOW)


async def test_a_late_bid_moves_the_close_and_says_so(session: AsyncSession) -> None:
    room = await a_room(session)
    at = room.auction.closes_at - timedelta(seconds=10)
    placed = await bid(session, room.auction, room.bidders[0], 100_000, now=at)
    assert room.auction.closes_at == placed.closes_at == at + timedelta(seconds=60)
    assert room.auction.extensions == 1


async def test_pages_of_bids_follow_the_sequence(session: AsyncSession) -> None:
    room = await a_room(session)
    placed = [
        await bid(session, room.auction, room.bidders[n % 3], 100_000 + n * 1_000, now=SOON)
        for n in range(5)
    ]
    first = await queries.bids_page(session, room.auction.id, after=None, limit=2)
    rest = await queries.bids_page(session, room.auction.id, after=first[-1].id, limit=10)
    assert [b.id for b in first + rest] == [b.bid_id for b in placed]
    with pytest.raises(Unknown):
        await queries.bids_page(session, room.auction.id, after=ids.new(NOW), limit=10)
    with pytest.raises(Unknown):
        await queries.bids_page(session, ids.new(NOW), after=None, limit=10)


async def test_a_sold_auction_closes_with_an_award_that_names_both_parties(
    session: AsyncSession,
) -> None:
    room = await a_room(session, now=LONG_AGO)
    at = LONG_AGO + timedelta(seconds=5)
    await bid(session, room.auction, room.bidders[0], 100_000, now=at)
    winner = await bid(session, room.auction, room.bidders[1], 130_000, now=at)
    assert await ending.close_due(session, now=LONG_AGO + timedelta(minutes=9)) == 0
    end = LONG_AGO + timedelta(minutes=10)
    assert await ending.close_due(session, now=end) == 1
    assert (room.auction.state, room.auction.closed_at) == ("closed", end)
    (closed,) = await facts_about(session, room.auction.id, "auction.closed")
    assert canonical.loads(closed.record) == {
        "auction": str(room.auction.id), "listing": str(room.auction.listing_id), "sold": True,
        "bid": str(winner.bid_id), "amount_minor": 130_000, "currency": "CNY", "bids": 2,
        "closed_at": "2020-05-01T09:10:00Z",
        "result_sha256": canonical.sha256_hex(room.auction.result or b""),
        "log_head": (room.auction.head_sha256 or b"").hex(),
    }  # fmt: skip
    (award,) = await facts_about(session, room.auction.id, "award.made")
    assert canonical.loads(award.record) == {
        "auction": str(room.auction.id), "listing": str(room.auction.listing_id),
        "work": str(room.auction.work_id), "licensor": str(room.seller),
        "licensee": str(room.bidders[1]), "bid": str(winner.bid_id), "amount_minor": 130_000,
        "currency": "CNY", "rights": None, "price": None,
    }  # fmt: skip
    assert set(award.parties) == {room.seller, room.bidders[1]}
    assert await ending.close_due(session, now=end) == 0


async def test_an_auction_without_bids_closes_unsold_and_without_award(
    session: AsyncSession,
) -> None:
    room = await a_room(session, now=LONG_AGO)
    assert await ending.close_due(session, now=LONG_AGO + timedelta(minutes=10)) == 1
    (closed,) = await facts_about(session, room.auction.id, "auction.closed")
    assert canonical.loads(closed.record)["sold"] is False
    assert await facts_about(session, room.auction.id, "award.made") == []


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE auction SET floor_minor = 1 WHERE id = :id",
        "UPDATE auction SET rulebook = '{}' WHERE id = :id",
        "UPDATE auction SET closes_at = closes_at - interval '1 second' WHERE id = :id",
        "UPDATE auction SET closes_at = hard_stop_at + interval '1 second' WHERE id = :id",
        "UPDATE auction SET (bids, leading_bid, leading_amount_minor) = (0, NULL, NULL) "
        "WHERE id = :id",
        "UPDATE auction SET seq = seq + 1 WHERE id = :id",
        "UPDATE auction SET head_sha256 = sha256('x') WHERE id = :id",
        "UPDATE auction_event SET body = '{}' WHERE auction_id = :id",
        "DELETE FROM auction_event WHERE auction_id = :id",
        "UPDATE bid SET amount_minor = 5 WHERE auction_id = :id",
        "DELETE FROM bid WHERE auction_id = :id",
        "UPDATE paddle SET number = 9 WHERE auction_id = :id",
    ],
)
async def test_invariant_40_the_database_keeps_the_rules_and_the_bids(
    session: AsyncSession, change: str
) -> None:
    room = await a_room(session)
    await bid(session, room.auction, room.bidders[0], 100_000, now=SOON)
    with pytest.raises(DBAPIError, match=r"keeps its word|append-only|permission denied|auction_"):
        await session.execute(text(change), {"id": room.auction.id})


async def test_a_closed_auction_stays_closed_in_the_database(session: AsyncSession) -> None:
    room = await a_room(session, now=LONG_AGO)
    await ending.close_due(session, now=LONG_AGO + timedelta(minutes=10))
    await session.flush()
    with pytest.raises(DBAPIError, match="keeps its word"):
        await session.execute(
            text("UPDATE auction SET state = 'open', closed_at = NULL WHERE id = :id"),
            {"id": room.auction.id},
        )


@pytest.mark.parametrize("attempt", range(8))
async def test_a_bid_that_races_the_close_is_counted_or_refused(db: Database, attempt: int) -> None:
    async with db.transaction() as session:
        room = await a_room(session, now=LONG_AGO, soft_close_s=attempt % 2)
    auction_id, end = room.auction.id, room.auction.closes_at

    async def raise_it(who: int) -> UUID | None:
        try:
            async with db.transaction() as mine:
                at = end - timedelta(milliseconds=1)
                sent = arrival(room.bidders[who], 100_000 + who * 1_000, at=at)
                placed = await placing.place_bid(mine, auction_id, sent, now=at)
        except (AuctionClosed, BidTooLow):
            return None
        return placed.bid_id

    async def close() -> None:
        async with db.transaction() as mine:
            await ending.close_due(mine, now=end)

    answers = await asyncio.gather(raise_it(0), close(), raise_it(1), close(), raise_it(2))
    acknowledged = {answer for answer in answers if answer is not None}
    async with db.transaction() as session:
        await ending.close_due(session, now=end + timedelta(minutes=30))
    async with db.sessions() as session:
        auction = await queries.get_auction(session, auction_id)
        rows = await session.execute(select(Bid).where(col(Bid.auction_id) == auction_id))
        bids = sorted(rows.scalars(), key=lambda row: row.sequence)
        (closed,) = await facts_about(session, auction_id, "auction.closed")
    assert auction.state == "closed"
    assert {row.id for row in bids} == acknowledged
    assert auction.bids == len(bids) == canonical.loads(closed.record)["bids"]
    assert auction.leading_bid == (bids[-1].id if bids else None)
