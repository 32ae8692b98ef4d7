"""The live feed: sealed facts as they come, by number, as server-sent events.

One poller per process reads what is new and wakes every follower; a follower that is further behind
than what the poller keeps reads the database itself, page by page. No transaction is open while a
follower waits or sends. Facts that a follower may not read are passed over.

Source: WHATWG HTML §9.2 (server-sent events).
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.exc import SQLAlchemyError

from contracts import canonical, rfc3339
from contracts.facts.rules import SealedFact
from contracts.log import queries, rules
from contracts.refusal import Refusal
from exchange.db import Database

POLL_S = 0.3
BEAT_S = 15.0  # below the 30 s after which common proxies close a silent connection
LONGEST_S = 900.0  # then the client comes back, and its key or session is looked at again
PAGE = 500
KEPT = 5_000

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who follows, and what about: everything they may read, or one object's facts."""

    party: UUID | None
    staff: bool
    subject: UUID | None = None

    def sees(self, fact: SealedFact) -> bool:
        """Tell whether the fact belongs in this viewer's feed."""
        if self.subject is not None and fact.subject != self.subject:
            return False
        return rules.may_read(fact.kind, fact.parties, party=self.party, staff=self.staff)


class Feed:
    """The poller of one process and those who follow it."""

    def __init__(self, db: Database, *, poll_s: float = POLL_S, beat_s: float = BEAT_S) -> None:
        """Prepare; the poller runs only while somebody follows."""
        self._db = db
        self._poll_s = poll_s
        self._beat_s = beat_s
        self._followers = 0
        self._poller: asyncio.Task[None] | None = None
        self._news = asyncio.Event()
        self._kept: list[SealedFact] = []
        self._next: int | None = None  # the number the poller waits for

    async def follow(
        self, viewer: Viewer, *, after: int, idle_s: float
    ) -> AsyncIterator[SealedFact | None]:
        """Yield the facts above `after` as they come; None is a heartbeat.

        Ends after `idle_s` seconds without a fact, and after LONGEST_S in any case.
        """
        self._join()
        try:
            async for fact in self._paced(viewer, after, idle_s):
                yield fact
        finally:
            self._leave()

    async def _paced(
        self, viewer: Viewer, after: int, idle_s: float
    ) -> AsyncIterator[SealedFact | None]:
        now = asyncio.get_running_loop().time
        end, quiet_since, cursor = now() + LONGEST_S, now(), after
        page, cursor = await self._from_database(viewer, cursor)
        while now() < end:
            for fact in page:
                yield fact
                quiet_since = now()
            news = self._news
            page, cursor, whole = await self._next_page(viewer, cursor)
            if page or not whole:
                continue
            left = min(quiet_since + idle_s, end) - now()
            if left <= 0:
                return
            if not await _heard(news, min(left, self._beat_s)):
                yield None

    async def _next_page(self, viewer: Viewer, cursor: int) -> tuple[list[SealedFact], int, bool]:
        """Return what the viewer sees above the cursor, the new cursor, and whether that is all."""
        if not self._kept or self._next is None or cursor + 1 < self._kept[0].seq:
            if self._next is not None and cursor + 1 >= self._next:
                return [], cursor, True
            page, moved = await self._from_database(viewer, cursor)
            return page, moved, moved == cursor
        new = self._kept[max(0, cursor + 1 - self._kept[0].seq) :]
        seen = [fact for fact in new if viewer.sees(fact)]
        return seen, new[-1].seq if new else cursor, True

    async def _from_database(self, viewer: Viewer, cursor: int) -> tuple[list[SealedFact], int]:
        async with self._db.transaction() as session:
            size = await queries.size(session)
            page = await queries.sealed_facts(
                session,
                after=cursor,
                limit=PAGE,
                viewer_party=viewer.party,
                staff=viewer.staff,
                subject=viewer.subject,
            )
        if len(page) == PAGE:
            return page, page[-1].seq
        return page, max([cursor, size - 1, *(fact.seq for fact in page[-1:])])

    def _join(self) -> None:
        self._followers += 1
        if self._poller is None or self._poller.done():
            self._kept, self._next = [], None
            self._poller = asyncio.create_task(self._poll())

    def _leave(self) -> None:
        self._followers -= 1
        if self._followers == 0 and self._poller is not None:
            self._poller.cancel()
            self._poller = None

    async def _poll(self) -> None:
        while True:
            read = 0
            try:
                read = await self._read_news()
            except (Refusal, SQLAlchemyError) as error:
                logger.warning("the feed cannot read the database: %s", error)
            await asyncio.sleep(0 if read == PAGE else self._poll_s)

    async def _read_news(self) -> int:
        first = self._next is None
        async with self._db.transaction() as session:
            if self._next is None:
                self._next = await queries.size(session)
            found = await queries.sealed_facts(
                session, after=self._next - 1, limit=PAGE, viewer_party=None, staff=True
            )
        if found:
            self._next = found[-1].seq + 1
            self._kept = (self._kept + found)[-KEPT:]
        if found or first:  # at first: what was sealed since the followers read the database
            self._news.set()
            self._news = asyncio.Event()
        return len(found)


def event(fact: SealedFact) -> str:
    """Return a fact as one server-sent event; its id is the number to resume from."""
    data = {
        "seq": fact.seq,
        "kind": fact.kind,
        "subject": str(fact.subject),
        "record": dict(fact.record),
        "recorded_at": rfc3339.exact(fact.recorded_at),
    }
    return f"id: {fact.seq}\nevent: {fact.kind}\ndata: {canonical.dumps(data).decode()}\n\n"


async def stream(facts: AsyncIterator[SealedFact | None]) -> AsyncIterator[str]:
    """Turn facts and heartbeats into the text of an event stream."""
    yield "retry: 1000\n\n"
    async for fact in facts:
        yield ": beat\n\n" if fact is None else event(fact)


async def _heard(news: asyncio.Event, timeout_s: float) -> bool:
    try:
        await asyncio.wait_for(news.wait(), timeout_s)
    except TimeoutError:
        return False
    return True
