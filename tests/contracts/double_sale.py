"""Many buyers at once: attempts to take overlapping rights of one tree, on real connections."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import ids
from contracts.titles import holds, recording, service
from contracts.titles.recording import Licensee
from contracts.titles.rules import RightsAlreadyGranted
from exchange.db import Database
from tests.conftest import NOW
from tests.contracts.parties_factory import party
from tests.contracts.rights_factory import wire
from tests.contracts.works_factory import child, work
from tests.databases import on_server, own_database

ATTEMPTS, CONNECTIONS = 200, 24
DEADLOCK = "40P01"

Attempt = Callable[[AsyncSession], Awaitable[Any]]


@dataclass(frozen=True)
class Tree:
    """A series, a season, its episodes and an edit of the first; who owns them, who buys."""

    owner: UUID
    buyer: UUID
    root: UUID
    season: UUID
    episodes: tuple[UUID, ...]
    edit: UUID

    @property
    def line(self) -> tuple[UUID, ...]:
        """Works each of which lies in the one before."""
        return self.root, self.season, self.episodes[0], self.edit


@dataclass(frozen=True)
class Outcome:
    """What became of the attempts: who won, on how many connections, what the register says."""

    winners: tuple[str, ...]
    connections: int
    live: tuple[str, ...]


async def planted(db: Database) -> Tree:
    """Register a tree of works of its own."""
    async with db.transaction() as session:
        owner = await party(session, now=NOW)
        buyer = await party(session, kind="broadcaster", now=NOW)
        root = await work(session, party_id=owner.id, kind="series", now=NOW)
        season = await child(session, root, kind="season", now=NOW)
        episodes = [await child(session, season, kind="episode", now=NOW) for _ in range(4)]
        edit = await child(session, episodes[0], kind="edit", now=NOW)
        return Tree(
            owner.id, buyer.id, root.id, season.id, tuple(one.id for one in episodes), edit.id
        )


def overlapping(dice: random.Random, *, exclusivity: Sequence[str]) -> dict[str, Any]:
    """Return rights that hold one use for certain, and others by chance."""
    return wire(
        media=["satellite.pay", *dice.sample(["satellite.free", "cable", "iptv.pay"], 2)],
        territories=dice.choice([["CN"], ["CN-GD"], ["GREATER-CHINA"], ["WRD"], ["CN-GD", "JP"]]),
        excluded=dice.choice([[], ["HK"], ["US", "CN-BJ"]]),
        languages=dice.choice([["zh"], ["zh:dubbed"], ["*"], ["zh-Hans", "en"]]),
        first_day=f"2027-{dice.randint(1, 5):02}-01",
        last_day=f"2027-{dice.randint(6, 12):02}-28",
        exclusivity=dice.choice(exclusivity),
    )


def attempts(
    tree: Tree, dice: random.Random, *, exclusivity: Sequence[str] = ("exclusive", "sole")
) -> dict[str, Attempt]:
    """Return attempts on works of one line: offers and holds, each naming its source."""
    return dict(
        _attempt(tree, dice.choice(tree.line), overlapping(dice, exclusivity=exclusivity), number)
        for number in range(ATTEMPTS)
    )


def on_episodes(tree: Tree, dice: random.Random) -> dict[str, Attempt]:
    """Return attempts on sisters, which have nothing in common."""
    return dict(
        _attempt(
            tree,
            tree.episodes[number % len(tree.episodes)],
            overlapping(dice, exclusivity=["exclusive"]),
            number,
        )
        for number in range(ATTEMPTS)
    )


def _attempt(tree: Tree, work_id: UUID, said: dict[str, Any], number: int) -> tuple[str, Attempt]:
    """Return an offer, a hold or a record of a licence, in turn, with the source it will have."""
    given = ids.new(NOW)
    shared: dict[str, Any] = {"grantor_id": tree.owner, "boxes": [said], "now": NOW}
    if number % 3 == 0:
        return f"offer-{number}", lambda session: service.reserve(
            session, work_id, source=f"offer-{number}", **shared
        )
    if number % 3 == 1:
        until = NOW + timedelta(days=7)
        return f"hold:{given}", lambda session: holds.place_hold(
            session, work_id, given, grantee_id=tree.buyer, expires_at=until, **shared
        )
    return f"recorded:{given}", lambda session: recording.record_grant(
        session, work_id, given, licensee=Licensee(tree.buyer), documents=[], **shared
    )


async def race(db: Database, tree: Tree, tried: dict[str, Attempt]) -> Outcome:
    """Start all attempts at once, as many at a time as there are connections; see who won."""
    gate, start = asyncio.Semaphore(CONNECTIONS), asyncio.Barrier(CONNECTIONS)
    seen: set[int] = set()

    async def attempt(place: int, source: str, verb: Attempt) -> str | None:
        async with gate:
            try:
                async with db.transaction() as session:
                    seen.add(await session.scalar(text("SELECT pg_backend_pid()")) or 0)
                    if place < CONNECTIONS:
                        await start.wait()  # no attempt begins before all connections are open
                    await verb(session)
                return source
            except RightsAlreadyGranted:
                return None
            except OperationalError as error:
                if getattr(error.orig, "sqlstate", None) != DEADLOCK:
                    raise
                return None  # the constraint alone: who waits in a circle has lost

    async with asyncio.timeout(600):  # so that a hang ends, not to measure
        ended = await asyncio.gather(
            *(attempt(place, source, verb) for place, (source, verb) in enumerate(tried.items()))
        )
    winners = tuple(sorted(source for source in ended if source))
    return Outcome(winners, len(seen), await _live(db, tree))


async def _live(db: Database, tree: Tree) -> tuple[str, ...]:
    """Return the sources of what is live in a tree, by plain SQL."""
    async with db.transaction() as session:
        found = await session.execute(
            text(
                "SELECT source FROM rights_grant WHERE work_id IN "
                "(SELECT id FROM work WHERE root_id = :root) "
                "AND state IN ('reserved', 'held', 'effective') ORDER BY source"
            ),
            {"root": tree.root},
        )
        return tuple(found.scalars())


@contextmanager
def database_without_the_constraint(server_url: str) -> Iterator[str]:
    """A database of its own in which nothing but lock and rule keeps grants apart."""
    with own_database(server_url, "lock_alone") as url:
        on_server(url, "ALTER TABLE rights_grant DROP CONSTRAINT rights_grant_no_double_sale")
        yield url
