"""An auction in real time, its bidders, and the doors that they bid at."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from contracts.refusal import Refusal
from exchange import clock
from exchange.bidding import Bidding
from exchange.db import Database
from listings.auctions import chain, ending, queries, rules
from listings.auctions.arrivals import Arrival, Placed
from listings.auctions.tables import Auction, AuctionEvent
from tests.listings.auctions_factory import arrival, enrol, open_auction

MINUTE = timedelta(minutes=1)


class Room:
    """An auction in real time, and who bids in it."""

    def __init__(self, db: Database, auction: Auction, bidders: list[UUID]) -> None:
        self.db, self.id, self.bidders = db, auction.id, bidders

    async def auction(self) -> Auction:
        async with self.db.sessions() as session:
            return await queries.get_auction(session, self.id)

    async def log(self) -> list[AuctionEvent]:
        async with self.db.sessions() as session:
            return list(await queries.log(session, self.id))

    async def close(self) -> None:
        """Let the closer look until nothing is left to close, as the worker does."""
        done = 1
        while done:
            async with self.db.transaction() as session:
                done = await ending.close_due(session, now=clock.now())

    async def until_closed(self) -> Auction:
        for _ in range(400):
            await self.close()
            found = await self.auction()
            if found.state == "closed":
                return found
            await asyncio.sleep(0.05)
        raise TimeoutError("the auction stays open")

    def bid(self, who: int, amount: int, at: datetime) -> Arrival:
        return arrival(self.bidders[who], amount, at=at)


async def a_room(db: Database, *, closes_in: timedelta = MINUTE, soft_s: int = 0) -> Room:
    now = clock.now()
    async with db.transaction() as session:
        seller = await enrol(session, now=now, kind="rights_holder")
        bidders = [(await enrol(session, now=now)).id for _ in range(3)]
        auction = await open_auction(
            session, seller_id=seller.id, now=now - MINUTE,
            closes_at=(now + closes_in).isoformat(), soft_close_s=soft_s,
            hard_stop_at=(now + closes_in + 10 * MINUTE).isoformat(),
        )  # fmt: skip
    return Room(db, auction, bidders)


@asynccontextmanager
async def door(db: Database) -> AsyncIterator[Bidding]:
    opened = Bidding(db)
    await opened.start()
    try:
        yield opened
    finally:
        await opened.close()


async def send(bidding: Bidding, room: Room, who: int, amount: int) -> Placed:
    with bidding.receipt() as at:
        return await bidding.place(room.id, room.bid(who, amount, at))


async def answer_of(waiting: Any) -> Placed | Refusal:
    try:
        placed: Placed = await waiting
        return placed
    except Refusal as refusal:
        return refusal


async def check_log(room: Room) -> None:
    """Invariants 1, 4 and 35: gapless, chained, and the auction's row is the fold of the log."""
    auction, log = await room.auction(), await room.log()
    assert [event.seq for event in log] == list(range(len(log)))
    head = chain.GENESIS
    for event in log:
        head = chain.link(head, chain.event(event.seq, event.kind, event.at, event.body))
        assert event.hash == head
    assert auction.head_sha256 == head
    async with room.db.sessions() as session:
        folded = rules.fold(queries.book(auction), await queries.events(session, room.id))
    assert folded.to_json() == auction.standing
    assert (auction.seq, auction.bids, auction.closes_at) == (
        folded.seq, folded.bids, folded.closes_at,
    )  # fmt: skip
