"""The gatherer and its doors: batches, fences, late bids, outages, clocks, unknown commits."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from contracts import canonical, ids
from contracts.facts.tables import Fact
from contracts.refusal import CommitUnknown, Refusal, Unknown
from exchange import bidding as gathering
from exchange import clock
from exchange.bidding import Bidding, ClockApart, TooManyBids
from exchange.db import Database
from listings.auctions import chain, deciding, ending, ingress, queries, rules, service
from listings.auctions.arrivals import Arrival, Placed
from listings.auctions.ingress import IngressLost, NotDurable
from listings.auctions.refusals import AuctionClosed, BidTooLow
from listings.auctions.tables import Auction, AuctionEvent, RefusedBid
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

    async def close(self) -> int:
        """Let the closer look, as the worker does."""
        async with self.db.transaction() as session:
            return await ending.close_due(session, now=clock.now())

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
        return await waiting  # type: ignore[no-any-return]
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


async def test_bids_that_wait_together_are_one_transaction(db: Database) -> None:
    room = await a_room(db)
    async with door(db) as bidding:
        first = asyncio.create_task(send(bidding, room, 0, 100_000))
        await asyncio.sleep(0)
        rest = [
            asyncio.create_task(send(bidding, room, n % 3, 101_000 + n * 1_000)) for n in range(30)
        ]
        placed = [await first, *await asyncio.gather(*rest)]
    assert [one.sequence for one in placed] == list(range(1, 32))
    async with db.sessions() as session:
        batches = await session.execute(
            text("SELECT count(DISTINCT xmin::text) FROM bid WHERE auction_id = :id"),
            {"id": room.id},
        )
        assert batches.scalar_one() <= 3
    await check_log(room)


async def test_two_processes_leave_one_gapless_log_and_lose_nothing(db: Database) -> None:
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


async def test_invariant_13_a_bid_received_in_time_is_awaited_by_the_closer(db: Database) -> None:
    room = await a_room(db, closes_in=timedelta(seconds=0.4))
    async with door(db) as bidding:
        with bidding.receipt() as at:
            await asyncio.sleep(1.2)  # it waits in this process until long after the close
            assert await room.close() == 0
            placed = await bidding.place(room.id, room.bid(0, 100_000, at))
        assert placed.sequence == 1
        closed = await room.until_closed()
    assert (closed.bids, closed.leading_bid) == (1, placed.bid_id)
    kinds = [event.kind for event in await room.log()]
    assert kinds[:3] == ["opened", "bid", "closed"]


async def test_a_bid_that_looks_late_waits_for_what_another_process_holds(db: Database) -> None:
    """The held bid moves the close, so the other was in time; refused at once it would be wrong."""
    room = await a_room(db, closes_in=timedelta(seconds=0.5), soft_s=30)
    async with door(db) as one, door(db) as two:
        with one.receipt() as at:
            await asyncio.sleep(0.8)
            seems_late = asyncio.create_task(send(two, room, 1, 150_000))
            await asyncio.sleep(0.8)
            assert not seems_late.done()
            await one.place(room.id, room.bid(0, 100_000, at))
        placed = await seems_late
    assert placed.sequence == 2
    assert (await room.auction()).extensions >= 1


async def test_a_late_bid_is_refused_once_nobody_can_hold_an_earlier_one(db: Database) -> None:
    room = await a_room(db, closes_in=timedelta(seconds=0.2), soft_s=30)
    async with door(db) as one, door(db) as two:
        await asyncio.sleep(0.4)
        answers = [await answer_of(send(each, room, 0, 100_000)) for each in (one, two)]
    assert [type(answer) for answer in answers] == [AuctionClosed, AuctionClosed]


async def test_a_process_that_was_struck_off_decides_nothing_and_joins_again(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gathering, "BEAT_S", 30.0)  # it does not notice by itself
    room = await a_room(db)
    async with door(db) as bidding:
        async with db.transaction() as session:
            await session.execute(text("DELETE FROM ingress WHERE id = :id"), {"id": bidding._door})
        assert isinstance(await answer_of(send(bidding, room, 0, 100_000)), IngressLost)
        for _ in range(100):
            answer = await answer_of(send(bidding, room, 0, 100_000))
            if isinstance(answer, Placed):
                break
            await asyncio.sleep(0.05)
    assert isinstance(answer, Placed)
    assert (await room.auction()).bids == 1


async def test_one_poisoned_bid_spoils_neither_its_batch_nor_the_gatherer(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = await a_room(db)
    poison = ids.new(clock.now())
    decide = deciding.decide

    def bite(batch: Any, one: Arrival) -> Any:
        if one.bid_id == poison:
            raise ZeroDivisionError("poison")
        return decide(batch, one)

    monkeypatch.setattr(deciding, "decide", bite)
    async with door(db) as bidding:

        async def poisoned() -> Placed:
            with bidding.receipt() as at:
                return await bidding.place(
                    room.id, arrival(room.bidders[0], 100_000, at=at, bid_id=poison)
                )

        sent = [send(bidding, room, n % 3, 100_000 + n * 1_000) for n in range(10)]
        answers = await asyncio.gather(*sent[:5], poisoned(), *sent[5:], return_exceptions=True)
        assert isinstance(answers[5], ZeroDivisionError)
        assert sum(isinstance(answer, Placed) for answer in answers) == 10
        assert isinstance(await send(bidding, room, 0, 200_000), Placed)
        assert bidding.condition().waiting == 0
    await check_log(room)


async def test_an_unknown_commit_is_told_to_the_whole_batch_and_resolved_by_the_id(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = await a_room(db)
    commit = Database._commit

    async def lose_the_answer(self: Database, session: AsyncSession) -> None:
        await commit(self, session)
        raise CommitUnknown("The connection was lost while committing.")

    async with door(db) as bidding:
        now = bidding.clock.now()
        bids = [room.bid(n, 100_000 + n * 1_000, now) for n in range(3)]
        monkeypatch.setattr(Database, "_commit", lose_the_answer)
        told = await asyncio.gather(*(answer_of(bidding.place(room.id, bid)) for bid in bids))
        assert [type(answer) for answer in told] == [CommitUnknown] * 3
        monkeypatch.setattr(Database, "_commit", commit)
        again = await asyncio.gather(*(answer_of(bidding.place(room.id, bid)) for bid in bids))
    assert [(one.sequence, one.is_new) for one in again if isinstance(one, Placed)] == [
        (1, False), (2, False), (3, False),
    ]  # fmt: skip
    await check_log(room)


async def test_nobody_is_answered_before_the_commit_refused_bids_neither(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = await a_room(db)
    commit, go, at_commit = Database._commit, asyncio.Event(), asyncio.Event()

    async def wait_first(self: Database, session: AsyncSession) -> None:
        at_commit.set()
        await go.wait()
        await commit(self, session)

    bidding = Bidding(db)
    now = clock.now()
    monkeypatch.setattr(Database, "_commit", wait_first)
    asked = [
        asyncio.create_task(answer_of(bidding.place(room.id, room.bid(n, amount, now))))
        for n, amount in enumerate([100_000, 100_000])
    ]
    await at_commit.wait()
    assert [task.done() for task in asked] == [False, False]
    go.set()
    answers = await asyncio.gather(*asked)
    monkeypatch.setattr(Database, "_commit", commit)
    assert [type(answer) for answer in answers] == [Placed, BidTooLow]


async def test_more_bids_than_a_process_takes_are_sent_away_at_once(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gathering, "MOST_WAITING", 2)
    bidding = Bidding(db)
    with (
        bidding.receipt(),
        bidding.receipt(),
        pytest.raises(TooManyBids) as told,
        bidding.receipt(),
    ):
        pass
    assert told.value.data["retry_after_s"] == 1
    with bidding.receipt():
        assert bidding.condition().waiting == 1


async def test_a_bid_for_no_auction_is_unknown_to_the_gatherer_too(db: Database) -> None:
    bidding, now = Bidding(db), clock.now()
    with pytest.raises(Unknown):
        await bidding.place(ids.new(now), arrival(ids.new(now), 100_000, at=now))


@pytest.mark.parametrize("setting", ["synchronous_commit"])
async def test_no_auction_opens_on_a_server_that_may_lose_what_it_confirmed(
    session: AsyncSession, setting: str
) -> None:
    now = clock.now()
    seller = await enrol(session, now=now, kind="rights_holder")
    await session.execute(text(f"SET LOCAL {setting} = off"))
    with pytest.raises(NotDurable) as told:
        await open_auction(session, seller_id=seller.id, now=now)
    assert told.value.data["off"] == [setting]


async def test_an_end_that_fell_into_an_outage_moves_behind_it(session: AsyncSession) -> None:
    then = datetime(2019, 3, 1, 9, 0, tzinfo=UTC)
    seller = await enrol(session, now=then, kind="rights_holder")
    auction = await open_auction(session, seller_id=seller.id, now=then)
    end = auction.closes_at
    over = end + timedelta(minutes=40)
    await session.execute(
        text("INSERT INTO outage (id, began_at, ended_at) VALUES (:id, :began, :ended)"),
        {"id": ids.new(then), "began": end - timedelta(seconds=1), "ended": over},
    )
    assert await ending.close_due(session, now=over) == 1
    assert (auction.state, auction.closes_at) == ("open", over + timedelta(seconds=60))
    assert auction.hard_stop_at == auction.closes_at
    log = await queries.log(session, auction.id)
    assert (log[-1].kind, canonical.loads(log[-1].body)["reason"]) == ("extended", "outage")
    assert await ending.close_due(session, now=over + timedelta(minutes=2)) == 1
    assert auction.state == "closed"


async def test_a_gap_in_all_beats_is_written_down_as_an_outage(session: AsyncSession) -> None:
    await session.execute(text("DELETE FROM ingress"))
    first, now = ids.new(clock.now()), clock.now()
    await ingress.join(session, first, gap_id=ids.new(now))
    await session.execute(
        text("UPDATE ingress SET beat_at = clock_timestamp() - interval '90 seconds'")
    )
    await ingress.join(session, ids.new(now), gap_id=(gap := ids.new(now)))
    row = await session.execute(
        text("SELECT extract(epoch FROM ended_at - began_at) FROM outage WHERE id = :id"),
        {"id": gap},
    )
    assert 89 < row.scalar_one() < 100
    await ingress.strike(session)
    with pytest.raises(IngressLost):
        await ingress.beat(session, first, watermark=now, gap_id=ids.new(now))


async def test_invariant_14_the_steady_clock_never_goes_back() -> None:
    steady = clock.Steady()
    before = steady.now()
    steady.anchor(timedelta(hours=-1))
    assert steady.now() == before
    steady.anchor(timedelta(hours=2))
    after = steady.now()
    assert after > before
    steady.follow(timedelta(milliseconds=-400))
    assert steady.now() >= after


async def test_a_database_whose_clock_jumped_is_no_judge_of_time(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gathering, "BEAT_S", 30.0)  # so that nothing but the test compares
    room = await a_room(db)
    bidding = Bidding(db)
    await bidding.start()
    await bidding._compare(timedelta(milliseconds=-501))
    assert isinstance(await answer_of(send(bidding, room, 0, 100_000)), ClockApart)
    assert bidding.condition().door is False
    async with db.sessions() as session:
        found = await session.execute(select(Fact).where(col(Fact.kind) == "clock.stepped"))
        offsets = [canonical.loads(fact.record)["offset_ms"] for fact in found.scalars()]
    assert -501 in offsets
    await bidding._compare(timedelta(milliseconds=-499))
    assert isinstance(await answer_of(send(bidding, room, 0, 100_000)), Placed)
    await bidding.close()


async def test_a_service_appends_under_the_lock_and_the_log_stays_whole(db: Database) -> None:
    room = await a_room(db)
    now = clock.now()
    async with db.transaction() as session:
        auction = await service.locked(session, room.id)
        await service.append(session, auction, "paused", {"reason": "test"}, at=now)
        assert (auction.state, auction.due_at) == ("paused", None)
    async with db.transaction() as session:
        auction = await service.locked(session, room.id)
        moved = timedelta(seconds=30)
        await service.append(
            session, auction, "resumed",
            {
                "closes_at": rules_time(auction.closes_at + moved),
                "hard_stop_at": rules_time((auction.hard_stop_at or now) + moved),
            },
            at=now + moved,
        )  # fmt: skip
        assert auction.state == "open"
    await check_log(room)


def rules_time(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
