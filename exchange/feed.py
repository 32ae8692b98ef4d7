"""The live feed: sealed facts as they come, by number, as server-sent events.

One poller per process reads what is new, encodes each fact once and hands the same bytes to all who
may read it. What waits for a follower is bounded: one that reads too slowly, or does not read at
all, is cut, and resumes by number. A follower farther behind than what is kept reads the database,
page by page; no transaction is open while a follower waits or sends.

Source: WHATWG HTML §9.2 (server-sent events).
"""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol
from uuid import UUID

from sqlalchemy.exc import SQLAlchemyError

from contracts.facts.rules import SealedFact
from contracts.log import queries
from contracts.refusal import Refusal
from exchange.db import Database
from exchange.telling import EVERYTHING, Told, Viewer, joined, thinned, tick, told_of

POLL_S = 0.1
BEAT_S = 5.0  # the server's time for countdowns; proxies close a connection silent for 30 s
SEND_S = 10.0  # who has not taken a piece for so long is not reading any more
LONGEST_S = 900.0  # then the client comes back, and its key or session is looked at again
STATES_S = 0.2  # whoever only watches sees at most five states of an auction a second
PAGE = 500
KEPT = 5_000
MOST_WAITING = 64  # pieces, one a poll: more than six seconds of them

logger = logging.getLogger(__name__)


class Source(Protocol):
    """Where sealed facts are read."""

    async def size(self) -> int:
        """Return how many facts have a number."""
        ...

    async def page(
        self, viewer: Viewer, *, after: int, limit: int
    ) -> tuple[int, Sequence[SealedFact]]:
        """Return how many facts have a number, and those above `after` that the viewer sees."""
        ...


class Sealed:
    """The sealed facts of the database; every read is a transaction of its own."""

    def __init__(self, db: Database) -> None:
        """Read from this database."""
        self._db = db

    async def size(self) -> int:
        """Return how many facts have a number."""
        async with self._db.transaction() as session:
            return await queries.size(session)

    async def page(
        self, viewer: Viewer, *, after: int, limit: int
    ) -> tuple[int, Sequence[SealedFact]]:
        """Return how many facts have a number, and those above `after` that the viewer sees."""
        async with self._db.transaction() as session:
            size = await queries.size(session)
            found = await queries.sealed_facts(
                session,
                after=after,
                limit=limit,
                viewer_party=viewer.party,
                staff=viewer.staff,
                subject=viewer.subject,
                own=viewer.own,
            )
        return size, found


class Follower:
    """One who follows: what waits to be sent to them, in order."""

    def __init__(
        self,
        feed: "Feed",
        viewer: Viewer,
        *,
        after: int,
        idle_s: float,
        cut: Callable[[], None] | None,
    ) -> None:
        """Prepare; nothing is read before the first piece is asked for."""
        self.viewer = viewer
        self.cursor = after  # everything up to here was told, or is not for this viewer
        self.idle_s = idle_s
        self.was_cut = False
        self.sending_since: float | None = None
        self.quiet_since = self.until = _now()
        self._feed = feed
        self._cut = cut
        self._waiting: deque[bytes] = deque()
        self._wake = asyncio.Event()
        self._ended = False

    async def pieces(self) -> AsyncGenerator[bytes]:
        """Yield pieces of the event stream as they come, until it ends or is cut."""
        self.until = _now() + LONGEST_S
        self._feed.join(self)
        try:
            async for piece in self._all():
                self.sending_since = _now()
                yield piece
                self.sending_since = None
        except (Refusal, SQLAlchemyError) as error:
            logger.warning("a follower cannot read what it missed: %s", error)
            self.cut()  # an answer that ended in order would seem whole
        finally:
            self._feed.leave(self)

    def put(self, piece: bytes, last: int | None = None) -> None:
        """Add a piece, which goes up to the fact `last`; cut the follower when too many wait."""
        if self.was_cut:
            return
        if last is not None:
            self.cursor, self.quiet_since = last, _now()
        if len(self._waiting) >= MOST_WAITING:
            self.cut()
            return
        self._waiting.append(piece)
        self._wake.set()

    def end(self) -> None:
        """Let the stream end after what waits."""
        self._ended = True
        self._wake.set()

    def cut(self) -> None:
        """Close the connection of one who does not read; its client resumes by number."""
        self.was_cut = True
        self._waiting.clear()
        self.end()
        if self._cut is not None:
            self._cut()

    async def _all(self) -> AsyncIterator[bytes]:
        yield b"retry: 1000\n\n" + tick()
        async for piece in self._feed.missed(self):
            yield piece
        self.quiet_since = _now()
        while coming := await self._next():
            yield coming

    async def _next(self) -> bytes | None:
        while not self._waiting:
            if self._ended:
                return None
            self._wake.clear()
            await self._wake.wait()
        whole = self._waiting.popleft() if len(self._waiting) == 1 else b"".join(self._waiting)
        self._waiting.clear()
        return whole


@dataclass(slots=True)
class _Group:
    """Followers that see the same, and the state of the auction that waits for its turn."""

    viewer: Viewer
    followers: set[Follower] = field(default_factory=set)
    pending: Told | None = None
    told_at: float = 0.0

    def due(self, now: float) -> list[Told]:
        """Return the waiting state if its time has come."""
        if self.pending is None or now < self.told_at + STATES_S:
            return []
        told, self.pending, self.told_at = self.pending, None, now
        return [told]

    def send(self, told: Sequence[Told], made: dict[tuple[int, ...], bytes]) -> None:
        """Hand everybody the same bytes; who has read ahead in the database gets the rest."""
        if not told:
            return
        first, last = told[0].fact.seq, told[-1].fact.seq
        seqs = tuple(one.fact.seq for one in told)
        shared = made.get(seqs) or made.setdefault(seqs, joined(told))
        for follower in tuple(self.followers):
            if follower.cursor < first:
                follower.put(shared, last)
            elif follower.cursor < last:
                rest = [one for one in told if one.fact.seq > follower.cursor]
                follower.put(joined(rest), last)


class Feed:
    """The poller of one process and those who follow it."""

    def __init__(self, source: Source, *, poll_s: float = POLL_S, beat_s: float = BEAT_S) -> None:
        """Prepare; the poller runs only while somebody follows."""
        self._source = source
        self._poll_s = poll_s
        self._beat_s = beat_s
        self._followers: set[Follower] = set()
        self._groups: dict[Viewer, _Group] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._ready = asyncio.Event()
        self._kept: list[Told] = []
        self._next: int | None = None  # the number the poller waits for
        self._is_closed = False

    def follow(
        self,
        viewer: Viewer,
        *,
        after: int,
        idle_s: float,
        cut: Callable[[], None] | None = None,
    ) -> Follower:
        """Follow the facts above the number `after`.

        Args:
            viewer: who follows, and what about.
            after: the last number seen; -1 for none.
            idle_s: end after so many seconds without a fact; 0 ends once nothing is missed.
            cut: closes the connection at once, whatever waits to be written to it.
        """
        return Follower(self, viewer, after=after, idle_s=idle_s, cut=cut)

    def close(self) -> None:
        """End every stream, so that the process can stop; who follows comes back to another."""
        self._is_closed = True
        for follower in tuple(self._followers):
            follower.end()

    def join(self, follower: Follower) -> None:
        """Count a follower in; the first one starts the poller."""
        self._followers.add(follower)
        if self._is_closed:
            follower.end()
        if not self._tasks:
            self._kept, self._next, self._ready = [], None, asyncio.Event()
            self._tasks = [asyncio.create_task(self._poll()), asyncio.create_task(self._pulse())]
            for task in self._tasks:
                task.add_done_callback(self._stopped)

    def leave(self, follower: Follower) -> None:
        """Count a follower out; the last one stops the poller."""
        self._followers.discard(follower)
        group = self._groups.get(follower.viewer)
        if group is not None:
            group.followers.discard(follower)
            if not group.followers:
                del self._groups[follower.viewer]
        if not self._followers:
            for task in self._tasks:
                task.cancel()
            self._tasks = []

    async def missed(self, follower: Follower) -> AsyncIterator[bytes]:
        """Yield what the follower has missed; from then on it hears what comes.

        Between the last look at what is kept and the joining of the group nothing is awaited, so
        no fact falls between.
        """
        pending: list[Told] = []
        await self._ready.wait()
        more = follower.idle_s <= 0  # who does not wait gets what is sealed at this moment
        while self._tasks and (more or not self._is_kept(follower.cursor + 1)):
            page = await self._from_database(follower)
            more = more and len(page) == PAGE
            told, pending = thinned(follower.viewer, pending + page)
            if told:
                yield joined(told)
        kept = [one for one in self._kept if one.fact.seq > follower.cursor]
        pending += [one for one in kept if follower.viewer.sees(one.fact)]
        told, state = thinned(follower.viewer, pending)
        if self._next is not None:
            follower.cursor = max(follower.cursor, self._next - 1)
        if follower.idle_s <= 0:
            follower.end()
        group = self._groups.setdefault(follower.viewer, _Group(follower.viewer))
        group.followers.add(follower)
        if told or state:
            yield joined([*told, *state])

    def _is_kept(self, seq: int) -> bool:
        first = self._kept[0].fact.seq if self._kept else self._next
        return first is not None and seq >= first

    async def _from_database(self, follower: Follower) -> list[Told]:
        size, page = await self._source.page(follower.viewer, after=follower.cursor, limit=PAGE)
        last = page[-1].seq if page else follower.cursor
        follower.cursor = last if len(page) == PAGE else max(follower.cursor, size - 1, last)
        return told_of(page)

    def _stopped(self, task: asyncio.Task[None]) -> None:
        """Never die silently: all who follow are sent away, and the next one starts anew."""
        if task.cancelled() or task not in self._tasks:
            return
        logger.error("the feed has stopped", exc_info=task.exception())
        for other in self._tasks:
            other.cancel()
        self._tasks = []
        self._ready.set()
        for follower in tuple(self._followers):
            follower.end()

    async def _poll(self) -> None:
        while True:
            read = 0
            try:
                read = await self._read_news()
            except (Refusal, SQLAlchemyError) as error:
                logger.warning("the feed cannot read the database: %s", error)
            await asyncio.sleep(0 if read == PAGE else self._poll_s)

    async def _read_news(self) -> int:
        if self._next is None:
            self._next = await self._source.size()
        _, found = await self._source.page(EVERYTHING, after=self._next - 1, limit=PAGE)
        if found:
            self._next = found[-1].seq + 1
            new = told_of(found)
            self._kept = (self._kept + new)[-KEPT:]
            self._hand_out(new)
        self._ready.set()
        return len(found)

    def _hand_out(self, new: Sequence[Told]) -> None:
        about: dict[UUID, list[Told]] = {}
        for one in new:
            about.setdefault(one.fact.subject, []).append(one)
        now = _now()
        made: dict[tuple[int, ...], bytes] = {}  # groups that see the same share the bytes
        for group in tuple(self._groups.values()):
            viewer = group.viewer
            near = new if viewer.subject is None else about.get(viewer.subject, ())
            if viewer.own:
                seen = [one for one in near if viewer.sees(one.fact)]
            else:
                seen = [one for one in near if one.public or viewer.sees(one.fact)]
            if not seen:
                continue
            if group.pending is not None:
                seen.insert(0, group.pending)
            told, state = thinned(viewer, seen)
            group.pending = state[0] if state else None
            group.send([*told, *group.due(now)], made)

    async def _pulse(self) -> None:
        """Tell the time, tell states whose turn has come, and look who does not read."""
        beat_at = _now() + self._beat_s
        while True:
            await asyncio.sleep(min(STATES_S, self._beat_s) / 2)
            now = _now()
            for group in tuple(self._groups.values()):
                group.send(group.due(now), {})
            if now >= beat_at:
                beat_at, beat = now + self._beat_s, tick()
                for follower in tuple(self._followers):
                    follower.put(beat)
            for follower in tuple(self._followers):
                _look_after(follower, now)


def _look_after(follower: Follower, now: float) -> None:
    if follower.sending_since is not None and now > follower.sending_since + SEND_S:
        follower.cut()
    elif now > follower.until or now > follower.quiet_since + follower.idle_s:
        follower.end()


def _now() -> float:
    return asyncio.get_running_loop().time()
