"""Invariant 38: whatever breaks, a follower gets exactly what it has missed, once, in order."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts import ids
from contracts.facts.rules import SealedFact
from exchange import feed, telling
from exchange.db import DatabaseAway
from exchange.feed import Feed, Follower
from exchange.telling import Viewer
from tests.conftest import NOW

AUCTION, OTHER, PARTY = ids.new(NOW), ids.new(NOW), ids.new(NOW)
WATCHER = Viewer(None, staff=False, subject=AUCTION, latest_only=True)
VIEWERS = (
    Viewer(None, staff=False),
    Viewer(None, staff=False, subject=AUCTION),
    Viewer(PARTY, staff=False, own=True),
    Viewer(None, staff=True),
    WATCHER,
)
KINDS = (telling.STATE, "auction.closed", "party.verified")


@dataclass
class Memory:
    """Sealed facts without a database; reading them takes a moment, and fails when told to."""

    facts: list[SealedFact] = field(default_factory=list)
    failures: int = 0

    def seal(self, kind: str, subject: UUID) -> None:
        parties = (PARTY,) if kind == "party.verified" else ()
        record = {"price": len(self.facts)}
        seq = len(self.facts)
        self.facts.append(SealedFact(seq, ids.new(NOW), kind, subject, parties, record, NOW))

    async def size(self) -> int:
        await self._away()
        return len(self.facts)

    async def page(
        self, viewer: Viewer, *, after: int, limit: int
    ) -> tuple[int, Sequence[SealedFact]]:
        size = len(self.facts)
        await self._away()
        seen = [fact for fact in self.facts[after + 1 :] if viewer.sees(fact)]
        await asyncio.sleep(0)
        return size, seen[:limit]

    async def _away(self) -> None:
        await asyncio.sleep(0)
        if self.failures:
            self.failures -= 1
            raise DatabaseAway("Gone for a moment.")


@dataclass
class Client:
    """A follower whose connection breaks; it resumes after the last number that it has seen."""

    live: Feed
    viewer: Viewer
    seen: list[int] = field(default_factory=list)
    follower: Follower | None = None
    reading: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None

    def connect(self, idle_s: float = 900) -> asyncio.Task[None]:
        after = self.seen[-1] if self.seen else -1
        self.follower = self.live.follow(self.viewer, after=after, idle_s=idle_s)
        self.reading.set()
        self.task = asyncio.create_task(self._read(self.follower))
        return self.task

    async def disconnect(self) -> None:
        if self.task is not None:
            self.task.cancel()
            await asyncio.wait([self.task])
        self.task = None

    async def _read(self, follower: Follower) -> None:
        async with aclosing(follower.pieces()) as pieces:
            async for piece in pieces:
                lines = piece.decode().split("\n")
                self.seen += [int(line[4:]) for line in lines if line.startswith("id: ")]
                await self.reading.wait()


ACTIONS = st.lists(
    st.one_of(
        st.tuples(
            st.just("seal"), st.sampled_from(KINDS), st.sampled_from((AUCTION, OTHER)),
            st.integers(1, 9),
        ),
        st.tuples(
            st.sampled_from(("join", "freeze", "cut", "leave")), st.integers(0, len(VIEWERS) - 1)
        ),
        st.tuples(st.sampled_from(("fail", "rest"))),
    ),
    max_size=30,
)  # fmt: skip


class Play:
    """One run: facts are sealed, the database goes away, connections freeze and break."""

    def __init__(self, poll_s: float) -> None:
        self.memory = Memory()
        self.live = Feed(self.memory, poll_s=poll_s, beat_s=0.002)
        self.clients = [Client(self.live, viewer) for viewer in VIEWERS]

    async def seal(self, kind: str, subject: UUID, count: int) -> None:
        for _ in range(count):
            self.memory.seal(kind, subject)

    async def fail(self) -> None:
        self.memory.failures += 1

    async def rest(self) -> None:
        await asyncio.sleep(0.003)

    async def join(self, number: int) -> None:
        await self.leave(number)
        self.clients[number].connect()
        await asyncio.sleep(0)

    async def leave(self, number: int) -> None:
        await self.clients[number].disconnect()

    async def freeze(self, number: int) -> None:
        self.clients[number].reading.clear()

    async def cut(self, number: int) -> None:
        follower = self.clients[number].follower
        if follower is not None:
            follower.cut()

    async def end(self) -> None:
        self.memory.failures = 0
        for client in self.clients:
            await client.disconnect()
            await client.connect(idle_s=0)


async def play(script: Sequence[tuple[Any, ...]], poll_s: float) -> Play:
    whole = Play(poll_s)
    for action, *more in script:
        await getattr(whole, action)(*more)
    await whole.end()
    return whole


@given(ACTIONS, st.sampled_from((0.0005, 0.004)))
@settings(max_examples=150)
def test_invariant_38_any_pattern_of_breaks_gives_exactly_the_suffix(
    script: list[tuple[Any, ...]], poll_s: float
) -> None:
    small = pytest.MonkeyPatch()
    with small.context() as patch:
        patch.setattr(feed, "PAGE", 3)
        patch.setattr(feed, "KEPT", 4)
        patch.setattr(feed, "MOST_WAITING", 3)
        patch.setattr(feed, "STATES_S", 0.001)
        played = asyncio.run(play(script, poll_s))
    for client in played.clients:
        visible = [fact for fact in played.memory.facts if client.viewer.sees(fact)]
        if client.viewer is WATCHER:
            check_thinned(client.seen, visible)
        else:
            assert client.seen == [fact.seq for fact in visible]


def check_thinned(seen: list[int], visible: list[SealedFact]) -> None:
    """Whoever watches gets each event once, all that are no state, and the latest state."""
    assert seen == sorted(set(seen))
    assert set(seen) <= {fact.seq for fact in visible}
    states = [fact.seq for fact in visible if fact.kind == telling.STATE]
    assert {fact.seq for fact in visible} - set(states) <= set(seen)
    assert states[-1:] == [seq for seq in states if seq in set(seen)][-1:]


async def test_two_hundred_followers_share_the_bytes_of_each_event(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: dict[int, int] = defaultdict(int)
    plain = telling.event

    def counted(fact: SealedFact, server_time: str) -> bytes:
        made[fact.seq] += 1
        return plain(fact, server_time)

    monkeypatch.setattr(telling, "event", counted)
    memory = Memory()
    live = Feed(memory, poll_s=0.001, beat_s=9)
    viewers = [Viewer(ids.new(NOW), staff=False, subject=AUCTION) for _ in range(200)]
    followers = [live.follow(viewer, after=-1, idle_s=900) for viewer in viewers]

    async def whole(follower: Follower) -> bytes:
        told = b""
        async for piece in follower.pieces():
            told += piece if b"id: " in piece else b""
            if told.count(b"id: ") == 20:
                break
        return told

    following = [asyncio.create_task(whole(follower)) for follower in followers]
    await asyncio.sleep(0.1)
    for _ in range(20):
        memory.seal(telling.STATE, AUCTION)
        await asyncio.sleep(0.005)
    got = await asyncio.gather(*following)
    assert len(set(got)) == 1
    assert got[0].count(b"id: ") == 20
    assert set(made.values()) == {1}


async def test_whoever_only_watches_gets_the_latest_state_a_few_times_a_second() -> None:
    memory = Memory()
    live = Feed(memory, poll_s=0.001)
    watching = Client(live, WATCHER)
    bidding = Client(live, Viewer(PARTY, staff=False, subject=AUCTION))
    following = [client.connect() for client in (watching, bidding)]
    loop = asyncio.get_running_loop()
    begun = loop.time()
    while loop.time() < begun + 1.0:
        memory.seal(telling.STATE, AUCTION)
        await asyncio.sleep(0.004)
    memory.seal("auction.closed", AUCTION)
    took = loop.time() - begun
    count = len(memory.facts)
    async with asyncio.timeout(20):
        while not watching.seen[-1:] == bidding.seen[-1:] == [count - 1]:  # noqa: ASYNC110 - no event tells it.
            await asyncio.sleep(0.01)
    live.close()
    await asyncio.gather(*following)
    assert bidding.seen == list(range(count))
    # One at once, then one each interval, the last state before the close, and the close.
    assert len(watching.seen) <= took / feed.STATES_S + 3
    assert watching.seen[-2:] == [count - 2, count - 1]


async def test_a_follower_that_does_not_read_is_cut_and_the_others_are_not() -> None:
    memory = Memory()
    live = Feed(memory, poll_s=0.0005)
    frozen, reading = (live.follow(VIEWERS[0], after=-1, idle_s=900) for _ in range(2))
    stuck = frozen.pieces()
    await anext(stuck)
    seen: list[bytes] = []

    async def whole() -> None:
        async for piece in reading.pieces():
            seen.append(piece)

    following = asyncio.create_task(whole())
    await asyncio.sleep(0.02)
    task = asyncio.create_task(anext(stuck))
    for _ in range(feed.MOST_WAITING * 3):
        memory.seal(telling.STATE, AUCTION)
        await asyncio.sleep(0.002)
    await task
    async with asyncio.timeout(20):
        while b"".join(seen).count(b"id: ") < len(memory.facts):  # noqa: ASYNC110 - no event tells it.
            await asyncio.sleep(0.01)
    live.close()
    await following
    assert frozen.was_cut
    assert not reading.was_cut
    assert b"".join(seen).count(b"id: ") == len(memory.facts)
    await stuck.aclose()


async def test_a_follower_that_takes_too_long_over_one_piece_is_cut(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(feed, "SEND_S", 0.05)
    live = Feed(Memory(), poll_s=0.001)
    dropped = asyncio.Event()
    frozen = live.follow(VIEWERS[0], after=-1, idle_s=900, cut=dropped.set)
    stuck = frozen.pieces()
    await anext(stuck)  # a piece that is never sent to its end; nothing else waits
    await asyncio.wait_for(dropped.wait(), 10)
    assert frozen.was_cut
    await stuck.aclose()


async def test_closing_the_feed_ends_every_stream() -> None:
    live = Feed(Memory())
    followers = [live.follow(VIEWERS[0], after=-1, idle_s=900) for _ in range(5)]

    async def whole(follower: Follower) -> int:
        return len([piece async for piece in follower.pieces()])

    following = [asyncio.create_task(whole(follower)) for follower in followers]
    await asyncio.sleep(0.05)
    live.close()
    await asyncio.wait_for(asyncio.gather(*following), 5)
    late = live.follow(VIEWERS[0], after=-1, idle_s=900)
    assert await asyncio.wait_for(whole(late), 5) == 1


async def test_a_poller_that_dies_sends_its_followers_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    memory = Memory()
    live = Feed(memory, poll_s=0.001)
    follower = live.follow(VIEWERS[0], after=-1, idle_s=900)

    async def whole(one: Follower) -> bytes:
        return b"".join([piece async for piece in one.pieces()])

    following = asyncio.create_task(whole(follower))
    await asyncio.sleep(0.05)

    async def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr(memory, "page", broken)
        await asyncio.wait_for(following, 5)
    memory.seal(telling.STATE, AUCTION)
    again = live.follow(VIEWERS[0], after=-1, idle_s=0)
    assert b"id: 0" in await asyncio.wait_for(whole(again), 5)
