"""What an accepted bid is worth: invariants 1, 2 and 4, and defect P1 beside a naive twin."""

import asyncio
import copy
from datetime import timedelta
from typing import Any

from sqlalchemy import select
from sqlmodel import col

from contracts import canonical
from exchange import clock
from exchange.db import Database
from listings.auctions import ending, placing, service
from listings.auctions.arrivals import Placed
from listings.auctions.refusals import AuctionClosed, BidTooLow
from listings.auctions.tables import RefusedBid
from tests.exchange.bidding_room import Room, a_room, answer_of, check_log, door, send


async def test_invariants_01_and_02_two_processes_leave_one_gapless_log_and_lose_nothing(
    db: Database,
) -> None:
    room = await a_room(db)
    async with door(db) as one, door(db) as two:
        answers = await asyncio.gather(
            *(
                answer_of(send((one, two)[n % 2], room, n % 3, 100_000 + n * 1_000))
                for n in range(120)
            )
        )
    placed = {answer.bid_id: answer for answer in answers if isinstance(answer, Placed)}
    low = [answer for answer in answers if isinstance(answer, BidTooLow)]
    assert len(placed) + len(low) == 120
    await check_log(room)
    logged = {canonical.loads(event.body)["bid"] for event in (await room.log())[1:]}
    assert logged == {str(bid) for bid in placed}
    async with db.sessions() as session:
        kept = await session.execute(
            select(RefusedBid).where(col(RefusedBid.auction_id) == room.id)
        )
        assert len(kept.scalars().all()) == len(low)


async def test_invariant_04_the_row_is_the_fold_of_the_log_at_every_commit(db: Database) -> None:
    room = await a_room(db, soft_s=30)
    async with door(db) as bidding:
        for number in range(12):
            await send(bidding, room, number % 3, 100_000 + number * 1_000)
            await check_log(room)
    await check_log(room)


class Naive:
    """An auction that writes its stage back from the copy that it read before."""

    def __init__(self) -> None:
        self.bids = [{"bidder": 1, "amount": 500}, {"bidder": 2, "amount": 480}]
        self._read: list[dict[str, int]] = []

    def read(self) -> None:
        self._read = copy.deepcopy(self.bids)

    def post(self, bidder: int, amount: int) -> int:
        next(one for one in self.bids if one["bidder"] == bidder)["amount"] = amount
        return 200

    def write(self) -> None:
        self.bids = self._read


def test_p1_the_naive_twin_loses_a_bid_that_it_answered() -> None:
    auction = Naive()
    auction.read()
    assert auction.post(1, 470) == 200
    auction.write()
    assert {"bidder": 1, "amount": 470} not in auction.bids


async def test_p1_a_bid_between_the_closers_read_and_its_write_is_never_lost(db: Database) -> None:
    room = await a_room(db, closes_in=timedelta(seconds=-1))
    sent = room.bid(0, 150_000, clock.now() - timedelta(seconds=2))
    async with db.transaction() as closer:
        await service.locked(closer, room.id)  # the closer has read
        posted = asyncio.create_task(answer_of(post(db, room, sent)))
        await asyncio.sleep(0.3)
        assert not posted.done()  # nobody is answered while the closer may still write
        await ending.close_due(closer, now=clock.now())
    answer: Any = await posted
    logged = {canonical.loads(one.body).get("bid") for one in await room.log()}
    assert isinstance(answer, Placed) == (str(sent.bid_id) in logged)
    assert isinstance(answer, Placed | AuctionClosed)
    await check_log(room)


async def post(db: Database, room: Room, sent: Any) -> Placed:
    async with db.transaction() as session:
        return await placing.place_bid(session, room.id, sent, now=clock.now())
