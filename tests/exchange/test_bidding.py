"""The gatherer and its doors: batches, fences, late bids, outages, clocks, unknown commits."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from contracts import canonical, ids
from contracts.facts.tables import Fact
from contracts.refusal import CommitUnknown, Unknown
from exchange import bidding as gathering
from exchange import clock
from exchange.bidding import Bidding, ClockApart, TooManyBids
from exchange.db import Database
from listings.auctions import deciding, ending, ingress, queries, service
from listings.auctions.arrivals import Arrival, Placed
from listings.auctions.ingress import IngressLost, NotDurable
from listings.auctions.refusals import AuctionClosed, BidTooLow
from tests.exchange.bidding_room import a_room, answer_of, check_log, door, send
from tests.listings.auctions_factory import arrival, enrol, open_auction


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


async def test_invariant_13_a_bid_received_in_time_is_awaited_by_the_closer(db: Database) -> None:
    room = await a_room(db, closes_in=timedelta(seconds=0.4))
    async with door(db) as bidding:
        with bidding.receipt() as at:
            await asyncio.sleep(1.2)  # it waits in this process until long after the close
            await room.close()
            assert (await room.auction()).state == "open"
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


async def test_invariant_39_a_process_that_was_struck_off_decides_nothing_and_joins_again(
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
