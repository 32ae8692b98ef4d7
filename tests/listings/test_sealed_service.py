"""The opening of sealed bids: keys in three shares, two of which open all, in a real database."""

import asyncio
import itertools
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import canonical, ids
from contracts.parties.rules import EXCHANGE_PARTY_ID
from contracts.refusal import IdReused, Unknown
from exchange.db import Database
from listings.auctions import queries as auctions_read
from listings.auctions import rules as auction_rules
from listings.auctions import service as auctions
from listings.auctions.tables import Auction
from listings.sealed import envelope, keys, service, sharing
from listings.sealed.ceremony import FalseShare
from listings.sealed.opening import BadOpeningKey
from listings.sealed.rules import (
    OpeningDone,
    OpeningKeyNotReady,
    OpeningNotDue,
)
from listings.sealed.sharing import HOLDERS
from tests.conftest import NOW
from tests.listings.auctions_factory import enrol
from tests.listings.sealed_factory import (
    Room,
    ceremony_of,
    facts_of,
    opened_room,
    prepared,
    sale_of,
)

PAIRS = list(itertools.combinations(HOLDERS, 2))


# before the auction


@pytest.mark.parametrize("missing", HOLDERS)
async def test_an_auction_opens_only_once_all_three_have_shown_their_shares(
    session: AsyncSession, missing: str
) -> None:
    held = ceremony_of(ids.new(NOW))
    seller = (await enrol(session, now=NOW, kind="rights_holder")).id
    await prepared(session, held, seller, holders=tuple(h for h in HOLDERS if h != missing))

    async def publish() -> Auction:
        return await auctions.open_auction(
            session, held.opening.auction, listing_id=ids.new(NOW), work_id=ids.new(NOW),
            seller_id=seller, sale=sale_of(held), now=NOW,
        )  # fmt: skip

    with pytest.raises(OpeningKeyNotReady) as refused:
        await publish()
    assert refused.value.data["missing"] == [missing]
    await prepared(session, held, seller)
    auction = await publish()
    assert canonical.loads(auction.rulebook)["opening"] == held.wire


async def test_a_key_of_another_auction_seller_or_ceremony_opens_no_auction(
    session: AsyncSession,
) -> None:
    held, other = ceremony_of(ids.new(NOW)), ceremony_of(ids.new(NOW))
    seller = (await enrol(session, now=NOW, kind="rights_holder")).id
    thief = (await enrol(session, now=NOW, kind="rights_holder")).id
    await prepared(session, held, seller)
    auction = held.opening.auction
    again = ceremony_of(auction)  # the same auction, another ceremony
    for wire, whose in ((again.wire, seller), (held.wire, thief)):
        with pytest.raises(OpeningKeyNotReady):
            await keys.use(session, auction, wire, seller_id=whose)
    with pytest.raises(BadOpeningKey):
        await keys.use(session, auction, other.wire, seller_id=seller)
    with pytest.raises(BadOpeningKey):
        await keys.register(session, ids.new(NOW), held.wire, party_id=seller, now=NOW)
    for wire, whose in ((again.wire, seller), (held.wire, thief)):
        with pytest.raises(IdReused):
            await keys.register(session, auction, wire, party_id=whose, now=NOW)
    _, created = await keys.register(session, auction, held.wire, party_id=seller, now=NOW)
    assert not created
    await keys.use(session, auction, held.wire, seller_id=seller)


async def test_a_share_is_not_acknowledged_by_whoever_does_not_have_it(
    session: AsyncSession,
) -> None:
    held = ceremony_of(ids.new(NOW))
    seller = (await enrol(session, now=NOW, kind="rights_holder")).id
    await prepared(session, held, seller, holders=())
    said: dict[str, Any] = {"person_id": ids.new(NOW), "now": NOW}
    signature = bytes.fromhex(held.acknowledged("seller"))
    auction = held.opening.auction
    with pytest.raises(FalseShare):
        await keys.acknowledge(
            session, auction, "auditor", signature=signature, party_id=EXCHANGE_PARTY_ID, **said
        )
    with pytest.raises(Unknown):
        await keys.acknowledge(
            session, auction, "seller", signature=signature, party_id=EXCHANGE_PARTY_ID, **said
        )
    with pytest.raises(Unknown):
        await keys.acknowledge(
            session, auction, "nobody", signature=signature, party_id=seller, **said
        )
    first = await keys.acknowledge(
        session, auction, "seller", signature=signature, party_id=seller, **said
    )
    later = {**said, "now": NOW + timedelta(days=1)}
    again = await keys.acknowledge(
        session, auction, "seller", signature=b"another", party_id=seller, **later
    )
    assert again.acknowledged_at == first.acknowledged_at


# the opening


@pytest.mark.parametrize("pair", PAIRS, ids=["-".join(pair) for pair in PAIRS])
async def test_any_two_shares_open_every_bid_together_and_the_award_follows(
    session: AsyncSession, pair: tuple[str, str]
) -> None:
    room = await opened_room(session)
    bids = [
        await room.bid(who, amount)
        for who, amount in zip(room.bidders, (150_000, 170_000, 160_000), strict=True)
    ]
    await room.close()
    await room.hand_in(pair[0])
    assert await room.revealed() is None
    assert await room.result() is None
    await room.hand_in(pair[1])
    body = await room.revealed()
    assert body is not None
    assert [one["bid"] for one in body["openings"]] == [str(bid) for bid in bids]
    assert [one["content"]["amount_minor"] for one in body["openings"]] == [
        150_000, 170_000, 160_000,
    ]  # fmt: skip
    assert body["failures"] == []
    result = await room.result()
    assert result is not None
    assert result["outcome"] == "sold"
    assert [(one["bid"], one["amount_minor"]) for one in result["awards"]] == [
        (str(bids[1]), 170_000)
    ]
    [told] = await facts_of(room, "bids.revealed")
    assert (told["opened"], told["failed"], told["method"]) == (3, 0, "sealed")
    assert len(await facts_of(room, "award.made")) == 1


async def test_whoever_reads_the_log_can_open_every_bid_again_with_the_published_key(
    session: AsyncSession,
) -> None:
    room = await opened_room(session)
    await room.bid(room.bidders[0], 150_000)
    await room.send(
        room.bidders[1], {**room.sealed(room.bidders[1], 1).content, "commitment": "0" * 64}
    )
    await room.close()
    await room.hand_in("seller")
    await room.hand_in("auditor")
    events = await auctions_read.events(session, room.auction.id)
    bids = {event.body["bid"]: event.body for event in events if event.kind == "bid"}
    [revealed] = [event.body for event in events if event.kind == "revealed"]
    private = int(revealed["key"]["private"], 16)
    assert envelope.point_of(private) == room.held.opening.public
    shares = {one["holder"]: int(one["share"], 16) for one in revealed["key"]["shares"]}
    assert sharing.join(shares) == private
    for one in revealed["openings"]:
        logged = bids[one["bid"]]
        content, nonce = envelope.unseal(
            private, logged["content"], auction=room.auction.id, paddle=logged["paddle"]
        )
        assert (content, nonce.hex()) == (one["content"], one["nonce"])
    for one in revealed["failures"]:
        logged = bids[one["bid"]]
        with pytest.raises(envelope.SealBroken):
            envelope.unseal(
                private, logged["content"], auction=room.auction.id, paddle=logged["paddle"]
            )


async def test_the_log_of_an_opened_auction_replays_to_its_result(session: AsyncSession) -> None:
    room = await opened_room(session, method="vickrey")
    for who, amount in zip(room.bidders, (150_000, 170_000, 160_000), strict=True):
        await room.bid(who, amount)
    await room.close()
    await room.hand_in("exchange")
    await room.hand_in("seller")
    result = await room.result()
    assert result is not None
    assert [one["amount_minor"] for one in result["awards"]] == [160_000]
    events = await auctions_read.events(session, room.auction.id)
    book = auctions_read.book(room.auction)
    before = [event for event in events if event.kind != "awarded"]
    assert auction_rules.award(book, before) == result


async def test_shares_count_only_after_the_close_and_the_database_itself_refuses_them_before(
    session: AsyncSession,
) -> None:
    room = await opened_room(session)
    await room.bid(room.bidders[0], 150_000)
    with pytest.raises(OpeningNotDue):
        await room.hand_in("seller", at=NOW + timedelta(minutes=1))
    with pytest.raises(DBAPIError, match="sealed until its close"):
        async with session.begin_nested():
            await session.execute(
                text("INSERT INTO sealed_share VALUES (:a, 'seller', :p, :p, :s, now())"),
                {"a": room.auction.id, "p": room.seller, "s": b"s" * 32},
            )
    await room.close()
    await room.hand_in("seller")


async def test_a_false_share_a_wrong_holder_and_a_replayed_share_open_nothing(
    session: AsyncSession,
) -> None:
    room = await opened_room(session)
    await room.bid(room.bidders[0], 150_000)
    await room.close()
    other = await opened_room(session)
    for share in (room.held.shares["auditor"], other.held.shares["seller"], 1, 0, 2**256 - 1):
        with pytest.raises(FalseShare):
            await room.hand_in("seller", share=share)
    with pytest.raises(Unknown):
        await room.hand_in("seller", party=room.bidders[0])
    with pytest.raises(Unknown):
        await room.hand_in("nobody", share=5)
    await room.hand_in("seller")
    await room.hand_in("seller")  # again is the same, and no second share
    assert await room.revealed() is None
    assert len(await facts_of(room, "share.released")) == 1
    await room.hand_in("auditor")
    assert await room.revealed() is not None
    with pytest.raises(OpeningDone):
        await room.hand_in("exchange")


# the bidders themselves


async def test_an_auction_nobody_bid_in_ends_unsold_without_a_share(session: AsyncSession) -> None:
    room = await opened_room(session)
    await room.close()
    result = await room.result()
    assert result is not None
    assert (result["outcome"], result["reason"]) == ("unsold", "no-bids")
    await service.open_due(session, now=room.closed_at + timedelta(days=9))
    assert await room.revealed() is None


# invariant 21


async def test_the_worker_opens_what_is_due(db: Database) -> None:
    async with db.transaction() as session:
        room = await opened_room(session, bidders=1)
        sealed = room.sealed(room.bidders[0], 150_000)
        bid_id = await room.send(room.bidders[0], sealed.content)
        await room.close()
        await room.reveal(
            room.bidders[0], bid_id, {"amount_minor": 150_000, "currency": "CNY"}, sealed.nonce
        )
    async with db.transaction() as session:
        assert await service.open_due(session, now=room.closed_at + timedelta(hours=2)) >= 1
    async with db.transaction() as session:
        row = await session.get_one(Auction, room.auction.id)
        assert canonical.loads(row.result or b"{}")["outcome"] == "sold"


# many at once


async def test_two_shares_at_the_same_moment_open_the_bids_once(db: Database) -> None:
    for _ in range(3):
        async with db.transaction() as session:
            room = await opened_room(session, bidders=2)
            await room.bid(room.bidders[0], 150_000)
            await room.bid(room.bidders[1], 160_000)
            await room.close()

        async def hand_in(holder: str, room: Room = room) -> str:
            try:
                async with db.transaction() as session:
                    await service.hand_in(
                        session, room.auction.id, holder, room.held.shares[holder],
                        party_id=room.seller, person_id=room.seller, now=room.closed_at,
                    )  # fmt: skip
            except OpeningDone:
                return "done"
            return "taken"

        told = await asyncio.gather(*(hand_in(holder) for holder in HOLDERS for _ in range(2)))
        assert set(told) <= {"taken", "done"}
        async with db.transaction() as session:
            events = await auctions_read.events(session, room.auction.id)
            kinds = [event.kind for event in events]
            assert (kinds.count("revealed"), kinds.count("awarded")) == (1, 1)
            handed = await session.execute(
                text("SELECT count(*) FROM sealed_share WHERE auction_id = :a"),
                {"a": room.auction.id},
            )
            assert handed.scalar_one() == 2
