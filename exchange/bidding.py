"""Taking bids in: one gatherer per process, one batch per auction at a time.

What arrives while a batch is being written, or while another process holds the auction, waits and
is the next batch: no bid waits on a timer, and however many come, one commit carries them. Nobody
is answered before that commit, refusals neither. Any number of processes do this against one
database; the auction's row lock orders them (`listings.auctions.placing`), and
`listings.auctions.ingress` says whose bids are still awaited.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts import ids
from contracts.refusal import Kind, Refusal
from exchange import clock
from exchange.db import Database, DatabaseAway
from listings.auctions import ingress, placing, service
from listings.auctions.arrivals import Arrival, Later, Placed
from listings.auctions.deciding import Answer
from listings.auctions.ingress import BEAT_S, IngressLost

_log = logging.getLogger("exchange.bidding")

MOST_AT_ONCE = 512  # bids in a batch: some forty milliseconds of deciding
TOLD_AT_ONCE = 8  # answers between two looks at what else has come
MOST_KEPT = 4  # connections that stay open for bids; a busy process needs as many as hot auctions
MOST_WAITING = 16_384  # bids waiting in one process; more are sent away at once
# Between two looks whether a bid that seems late is late: other doors beat twice a second.
LOOK_AGAIN_S = 0.05
LONGEST_WAIT_S = 15.0
LARGEST_OFFSET = timedelta(milliseconds=500)


class TooManyBids(Refusal):
    """More bids wait in this process than it takes."""

    kind, code = Kind.UNAVAILABLE, "too-many-bids"
    hint = "Send the bid again with the same id after `retry_after_s`; nothing was decided."


class ClockApart(Refusal):
    """This machine's clock and the database's have come apart: no instant of receipt is sure."""

    kind, code = Kind.UNAVAILABLE, "clock-apart"
    hint = "Send the bid again with the same id; another process takes it, or this one soon."


class Undecided(Refusal):
    """Whether the bid came in time cannot be told yet."""

    kind, code = Kind.UNAVAILABLE, "bid-undecided"
    hint = "Repeat the bid with the same id: it takes effect once."


@dataclass(eq=False, slots=True)
class _Waiting:
    """A bid that waits for its answer."""

    arrival: Arrival
    answer: asyncio.Future[Placed]
    until_s: float

    def tell(self, answer: Placed | BaseException) -> None:
        if self.answer.done():  # the client has gone
            return
        if isinstance(answer, BaseException):
            self.answer.set_exception(answer)
        else:
            self.answer.set_result(answer)


class _Batch:
    """The bids that are decided together: those that wait when the auction is locked."""

    def __init__(self, queue: deque[_Waiting]) -> None:
        self._queue = queue
        self._taken: list[_Waiting] = []

    def taken(self) -> list[_Waiting]:
        """Take the bids, at most MOST_AT_ONCE; the same ones whenever it is asked."""
        if not self._taken:
            count = min(len(self._queue), MOST_AT_ONCE)
            self._taken = [self._queue.popleft() for _ in range(count)]
        return self._taken

    def arrivals(self) -> list[Arrival]:
        """Take the bids as they came in."""
        return [one.arrival for one in self.taken()]


@dataclass(frozen=True, slots=True)
class Condition:
    """How the gatherer of a process fares, for `/healthz`."""

    door: bool  # open: joined, beating, the clocks together
    waiting: int
    last_commit_age_ms: int | None
    last_beat_age_ms: int | None


class Bidding:
    """The door for bids of one process.

    `start` opens it: the process joins `ingress` and beats. An application that was never started
    (in tests, or behind a script) decides bids all the same, without a say in when auctions close.
    """

    def __init__(self, db: Database) -> None:
        """Prepare; nothing runs yet."""
        self._db = db
        self.clock = clock.Steady()
        self._queues: dict[UUID, deque[_Waiting]] = {}
        self._kept: list[AsyncConnection] = []
        self._telling: set[asyncio.Task[None]] = set()
        self._gatherers: dict[UUID, asyncio.Task[None]] = {}
        self._stamps: dict[int, datetime] = {}  # instants of receipt that are not answered yet
        self._stamped = 0
        self._door: UUID | None = None
        self._beats: asyncio.Task[None] | None = None
        self._is_over = False
        self._wake = asyncio.Event()  # beat now: struck off, or over
        self._is_apart = False
        self._committed_s: float | None = None
        self._beaten_s: float | None = None

    async def start(self) -> None:
        """Open the door and beat until `close`."""
        with suppress(Refusal, DBAPIError):  # the beats try again, and say why
            await self._beat()
        self._beats = asyncio.create_task(self._beat_on(), name="bidding beats")

    async def close(self) -> None:
        """Answer what waits, then close the door."""
        with suppress(TimeoutError):
            async with asyncio.timeout(LONGEST_WAIT_S):
                while self._gatherers:
                    await asyncio.wait(list(self._gatherers.values()))
                    await asyncio.sleep(0)  # what is done is forgotten in the loop's next turn
        while self._kept:
            with suppress(DBAPIError):
                await self._kept.pop().close()
        if self._beats is None:
            return
        self._is_over = True
        self._wake.set()
        await self._beats
        if self._door is not None:
            with suppress(Refusal, DBAPIError):
                async with self._db.transaction() as session:
                    await ingress.leave(session, self._door)

    def condition(self) -> Condition:
        """Tell how the gatherer fares."""
        now = clock.ticks()
        return Condition(
            door=self._door is not None and not self._is_apart,
            waiting=len(self._stamps),
            last_commit_age_ms=_age_ms(self._committed_s, now),
            last_beat_age_ms=_age_ms(self._beaten_s, now),
        )

    @contextmanager
    def receipt(self) -> Iterator[datetime]:
        """Stamp the receipt of a bid, now that its last byte is here; hold it until it is answered.

        While it is held, no auction that closes after it is closed without it.

        Raises:
            TooManyBids, ClockApart, IngressLost: this process takes no bid now.
        """
        if self._beats is not None:
            self._check_door()
        if len(self._stamps) >= MOST_WAITING:
            raise TooManyBids("Too many bids wait just now.", retry_after_s=1)
        self._stamped += 1
        mine = self._stamped
        at = self._stamps[mine] = self.clock.now()
        try:
            yield at
        finally:
            del self._stamps[mine]

    async def place(self, auction_id: UUID, arrival: Arrival) -> Placed:
        """Hand in a bid whose receipt is held, and wait for its answer.

        Raises:
            Refusal: any of `placing.place_bids`; IngressLost, Undecided, CommitUnknown and
                DatabaseAway tell that the same id may be sent again.
        """
        loop = asyncio.get_running_loop()
        waiting = _Waiting(arrival, loop.create_future(), loop.time() + LONGEST_WAIT_S)
        self._queues.setdefault(auction_id, deque()).append(waiting)
        self._gather(auction_id)
        return await waiting.answer

    def _check_door(self) -> None:
        if self._is_apart:
            raise ClockApart("The clocks have come apart.")
        if self._door is None:
            raise IngressLost("This process has not joined yet.")

    def _gather(self, auction_id: UUID) -> None:
        if auction_id in self._gatherers:
            return
        task = asyncio.create_task(self._drain(auction_id), name=f"bids of {auction_id}")
        self._gatherers[auction_id] = task
        task.add_done_callback(lambda _: self._gathered(auction_id))

    def _gathered(self, auction_id: UUID) -> None:
        """Forget a gatherer that ended; one that died with bids waiting is replaced."""
        task = self._gatherers.pop(auction_id)
        if not task.cancelled() and task.exception() is not None:
            _log.error("the gatherer of %s died", auction_id, exc_info=task.exception())
        if self._queues.get(auction_id):
            self._gather(auction_id)
        else:
            self._queues.pop(auction_id, None)

    async def _drain(self, auction_id: UUID) -> None:
        """Decide what waits, batch after batch, until nothing does."""
        queue = self._queues[auction_id]
        while queue:
            later = await self._decide(auction_id, _Batch(queue))
            if later:
                queue.extendleft(reversed(later))
                if len(queue) == len(later):
                    await asyncio.sleep(LOOK_AGAIN_S)

    async def _decide(self, auction_id: UUID, batch: "_Batch") -> list[_Waiting]:
        """Write a batch and answer everybody in it; return those that cannot be answered yet."""
        try:
            answers = await self._write(auction_id, batch)
        except Refusal as refusal:
            if isinstance(refusal, IngressLost):
                self._door = None
                self._wake.set()
            for one in batch.taken():
                one.tell(refusal)
            return []
        except Exception as fault:  # noqa: BLE001 - one bad arrival must not spoil its batch.
            return await self._bisect(auction_id, batch.taken(), fault)
        self._committed_s = clock.ticks()
        decided = list(zip(batch.taken(), answers, strict=True))
        telling = asyncio.create_task(_tell(decided))
        self._telling.add(telling)
        telling.add_done_callback(self._telling.discard)
        return [one for one, answer in decided if isinstance(answer, Later) and _waits_on(one)]

    async def _write(self, auction_id: UUID, batch: "_Batch") -> list[Answer]:
        """Write a batch on a kept connection, or on a fresh one when that has died meanwhile."""
        kept = self._kept.pop() if self._kept else None
        if kept is not None:
            try:
                return await self._write_on(kept, auction_id, batch)
            except DatabaseAway:  # nothing was changed
                _log.info("a kept connection had died")
        return await self._write_on(await self._db.connect(), auction_id, batch)

    async def _write_on(
        self, connection: AsyncConnection, auction_id: UUID, batch: "_Batch"
    ) -> list[Answer]:
        is_good = False
        try:
            async with self._db.transaction(on=connection) as session:
                answers = await placing.place_bids(
                    session, auction_id, batch.arrivals, now=self.clock.now(), door=self._door
                )
            is_good = True
        finally:
            if is_good and self._beats is not None and len(self._kept) < MOST_KEPT:
                self._kept.append(connection)
            else:
                with suppress(DBAPIError):
                    await connection.close()
        return answers

    async def _bisect(
        self, auction_id: UUID, waiting: Sequence[_Waiting], fault: Exception
    ) -> list[_Waiting]:
        """Find the arrival that a batch failed of; nothing of the batch was written."""
        if len(waiting) == 1:
            _log.error("a bid in %s failed", auction_id, exc_info=fault)
            waiting[0].tell(fault)
            return []
        middle = len(waiting) // 2
        first = await self._decide(auction_id, _Batch(deque(waiting[:middle])))
        return first + await self._decide(auction_id, _Batch(deque(waiting[middle:])))

    async def _beat_on(self) -> None:
        """Join, and beat; join again when struck off."""
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), BEAT_S)
            self._wake.clear()
            if self._is_over:
                return
            try:
                await self._beat()
            except IngressLost:
                _log.warning("struck off as a door for bids; joining again")
                self._door = None
                self._wake.set()
            except (Refusal, DBAPIError) as error:
                _log.warning("cannot beat: %s", error)

    async def _beat(self) -> None:
        if self._door is None:
            await self._join()
            return
        asked_s = clock.ticks()
        async with self._db.transaction() as session:
            heard = await ingress.beat(
                session, self._door, watermark=self._watermark(), gap_id=ids.new(clock.now())
            )
        self._beaten_s = clock.ticks()
        offset = self.clock.offset(heard, asked_s=asked_s)
        if offset is not None:
            await self._compare(offset)

    async def _join(self) -> None:
        """Open a door with the clock anchored to the database's, as it is once the door is seen."""
        door = ids.new(clock.now())
        async with self._db.transaction() as session:
            await service.check_durable(session)
            await ingress.join(session, door, gap_id=ids.new(clock.now()))
        async with self._db.transaction() as session:
            asked_s = clock.ticks()
            heard = (await ingress.doors(session)).now
        offset = self.clock.offset(heard, asked_s=asked_s)
        if offset is not None:
            self.clock.anchor(offset)
            # A close decided before the door was seen is not after any instant stamped from now on.
            await asyncio.sleep(max(0.0, (heard - self.clock.now()).total_seconds()))
            self._door, self._is_apart = door, False
            self._beaten_s = clock.ticks()

    def _watermark(self) -> datetime:
        """Return the least instant of receipt that is not written yet, or the present one."""
        now = self.clock.now()
        return min(self._stamps.values(), default=now)

    async def _compare(self, offset: timedelta) -> None:
        """Follow the database's clock, or stop taking bids when it has jumped away."""
        if abs(offset) <= LARGEST_OFFSET:
            self.clock.follow(offset)
            self._is_apart = False
            return
        if not self._is_apart:
            self._is_apart = True
            await self._report(offset)
        if offset > timedelta(0):  # forward, the instants may follow at once
            self.clock.anchor(offset)

    async def _report(self, offset: timedelta) -> None:
        _log.error("clocks apart by %s ms; no bids are taken", offset // timedelta(milliseconds=1))
        async with self._db.transaction() as session:
            await ingress.report_clock(
                session,
                door=self._door,
                offset_ms=offset // timedelta(milliseconds=1),
                found_at=self.clock.now(),
            )


async def _tell(decided: Sequence[tuple[_Waiting, Answer]]) -> None:
    """Answer a few at a time: what is heard of the next batch meanwhile goes on between them."""
    for number, (one, answer) in enumerate(decided, 1):
        if not isinstance(answer, Later):
            one.tell(answer)
        if number % TOLD_AT_ONCE == 0:
            await asyncio.sleep(0)


def _waits_on(one: _Waiting) -> bool:
    """Tell whether a bid that seems late is looked at again."""
    if asyncio.get_running_loop().time() < one.until_s:
        return not one.answer.done()
    one.tell(Undecided("Another process may still hold earlier bids."))
    return False


def _age_ms(then_s: float | None, now_s: float) -> int | None:
    return None if then_s is None else round((now_s - then_s) * 1000)
