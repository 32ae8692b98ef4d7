"""Histories of a register, step by step beside a list of sets: taken is taken, free is free.

Offers, holds that run out, recorded licences, licences granted on, releases, liftings and
reversions of one tree of works, in an order of chance.
"""

import random
from collections import Counter
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from contracts import ids
from contracts.parties.tables import Party
from contracts.refusal import Refusal
from contracts.titles import holds, recording, service
from contracts.titles.recording import Licensee
from contracts.titles.tables import LIVE, RightsGrant
from tests.conftest import NOW
from tests.contracts import campaign
from tests.contracts.parties_factory import party
from tests.contracts.register_cells import STRENGTH, Asked, Entry, Ledger, uses_in
from tests.contracts.test_rights_cells import random_wire, uses
from tests.contracts.works_factory import child, work

HISTORIES, STEPS = campaign.size(25, 300), 14
# What the register says to a licensee that does not hold this, or has licensed it on already.
NOT_HELD = {"rights-not-held", "exceeds-holding", "rights-already-granted"}

Capture = pytest.CaptureFixture[str]


class History:
    """One register, what the list of sets says of it, and how often it was accepted or refused."""

    def __init__(self, session: AsyncSession, dice: random.Random) -> None:
        self.session, self.dice, self.now = session, dice, NOW
        self.ledger, self.told = Ledger(), Counter[str]()
        self.owner: Party
        self.buyer: Party
        self.works: dict[UUID, set[UUID]] = {}
        self.said: dict[str, tuple[UUID, dict[str, Any]]] = {}

    async def begin(self) -> None:
        self.owner = await party(self.session, now=NOW)
        self.buyer = await party(self.session, kind="broadcaster", now=NOW)
        series = await work(self.session, party_id=self.owner.id, kind="series", now=NOW)
        one, two = [await child(self.session, series, kind="episode", now=NOW) for _ in range(2)]
        self.works = {
            series.id: {series.id, one.id, two.id}, one.id: {one.id}, two.id: {two.id},
        }  # fmt: skip

    async def step(self) -> None:
        steps = [self.offer, self.hold, self.record, self.license_on, self.end, self.revert]
        await self.dice.choices(steps, weights=[3, 3, 4, 4, 1, 1])[0]()
        assert await self.live() == sorted(one.source for one in self.ledger.live(self.now))
        self.now += timedelta(hours=1)

    async def offer(self) -> None:
        place, wire, asked = self.draw()
        source = str(ids.new(NOW))
        await self.take(
            Entry(source, asked, "reserved"), (place, wire),
            service.reserve(self.session, place, source=source, **self.by(self.owner, wire)),
        )  # fmt: skip

    async def hold(self) -> None:
        place, wire, asked = self.draw()
        hold_id, until = ids.new(NOW), self.now + timedelta(hours=self.dice.randint(1, 4))
        await self.take(
            Entry(f"hold:{hold_id}", asked, "held", expires_at=until), (place, wire),
            holds.place_hold(
                self.session, place, hold_id, grantee_id=self.buyer.id, expires_at=until,
                **self.by(self.owner, wire),
            ),
        )  # fmt: skip

    async def record(self) -> None:
        place, wire, asked = self.draw(depth=self.dice.choice([0, 1, 1]))
        record_id = ids.new(NOW)
        await self.take(
            Entry(f"recorded:{record_id}", asked, "effective"), (place, wire),
            recording.record_grant(
                self.session, place, record_id, licensee=Licensee(self.buyer.id), documents=[],
                **self.by(self.owner, wire),
            ),
        )  # fmt: skip

    async def license_on(self) -> None:
        place, wire, asked = self.draw()
        grants = [one for one in self.ledger.live(self.now) if one.state == "effective"]
        if grants and self.dice.random() < 0.7:  # something that one of its licences may hold
            place, wire, asked = self.near(self.dice.choice(grants).source)
        source = str(ids.new(NOW))
        verb = service.reserve(self.session, place, source=source, **self.by(self.buyer, wire))
        grounds = self.ledger.grounds(asked, self.now)
        rows = await self.tried(verb, NOT_HELD)
        self.told[f"licensing on {'refused' if rows is None else 'accepted'}"] += 1
        assert (rows is not None) is bool(grounds)
        if rows:
            parent = await self.session.scalar(
                select(RightsGrant).where(col(RightsGrant.id) == rows[0].under)
            )
            assert parent is not None and parent.source in grounds
            self.ledger.entries.append(Entry(source, asked, "reserved", under=parent.source))

    async def end(self) -> None:
        waiting = [one for one in self.ledger.entries if one.state in ("reserved", "held")]
        if not waiting:
            return
        entry = self.dice.choice(waiting)
        for place in self.works:  # it is given back where it is, and nothing else is
            if entry.source.startswith("hold:"):
                hold_id = UUID(entry.source.removeprefix("hold:"))
                await self.tried(
                    holds.lift_hold(
                        self.session, place, hold_id, party_id=self.buyer.id, now=self.now
                    ),
                    {"unknown"},
                )
            else:
                await service.release(self.session, place, source=entry.source, now=self.now)
        self.ledger.end(entry.source, states=("reserved", "held"))

    async def revert(self) -> None:
        granted = [one for one in self.ledger.live(self.now) if one.grant_id is not None]
        if not granted:
            return
        entry = self.dice.choice(granted)
        assert entry.grant_id is not None
        await recording.revert(
            self.session, self.said[entry.source][0], entry.grant_id, reason="default",
            note="unpaid", by=self.owner.id, now=self.now,
        )  # fmt: skip
        self.ledger.end(entry.source, states=("effective",))

    async def take(self, entry: Entry, said: tuple[UUID, dict[str, Any]], verb: Any) -> None:
        """Try to take rights; the register must accept exactly what the list of sets calls free."""
        free = self.ledger.is_free(entry.asked, None, self.now)
        rows = await self.tried(verb, {"rights-already-granted"})
        self.told["accepted" if rows else "refused"] += 1
        assert (rows is not None) is free, said
        if rows:
            entry.grant_id = rows[0].id if entry.state == "effective" else None
            self.ledger.entries.append(entry)
            self.said[entry.source] = said

    async def tried(self, verb: Any, refusals: set[str]) -> list[RightsGrant] | None:
        try:
            async with self.session.begin_nested():
                return list(await verb)
        except Refusal as refusal:
            assert refusal.code in refusals, refusal
            return None

    def draw(self, *, depth: int = 0) -> tuple[UUID, dict[str, Any], Asked]:
        if self.said and self.dice.random() < 0.5:
            return self.near(self.dice.choice(list(self.said)), depth=depth)
        wire: dict[str, Any] = {"territories": [], "excluded": []}
        while not wire["territories"] or not uses(wire):
            wire = random_wire(self.dice)
            wire["territories"] = wire["territories"][:1]
        wire |= {"runs_max": None, "sublicence_depth": depth}
        return self.meant(self.dice.choice(list(self.works)), wire, depth)

    def near(self, source: str, *, depth: int = 0) -> tuple[UUID, dict[str, Any], Asked]:
        """Return rights that lie in what was asked for before, but may be too strong for it."""
        place, wire = self.said[source]
        inside = self.dice.choice(
            [one for one, parts in self.works.items() if parts <= self.works[place]]
        )
        narrow = {**wire, "exclusivity": self.dice.choice(STRENGTH), "sublicence_depth": depth}
        if self.dice.random() < 0.5:
            narrow["first_day"] = wire["last_day"]
        return self.meant(inside, narrow, depth)

    def meant(
        self, place: UUID, wire: dict[str, Any], depth: int
    ) -> tuple[UUID, dict[str, Any], Asked]:
        meant = uses_in(self.works[place], uses(wire))
        return place, wire, Asked(meant, wire["exclusivity"], depth)

    def by(self, grantor: Party, wire: dict[str, Any]) -> dict[str, Any]:
        return {"grantor_id": grantor.id, "boxes": [wire], "now": self.now}

    async def live(self) -> list[str]:
        found = await self.session.scalars(
            select(RightsGrant)
            .where(col(RightsGrant.work_id).in_(self.works))
            .where(col(RightsGrant.state).in_(LIVE))
        )
        return sorted(
            row.source for row in found if row.expires_at is None or row.expires_at > self.now
        )


async def test_a_register_accepts_exactly_what_a_list_of_sets_calls_free(
    session: AsyncSession, capsys: Capture
) -> None:
    told, first = Counter[str](), campaign.ROUND * campaign.STRIDE
    for seed in range(first, first + HISTORIES):
        history = History(session, random.Random(f"register:{seed}"))
        await history.begin()
        for _ in range(STEPS):
            await history.step()
        told += history.told
        await session.rollback()  # a transaction of thousands of savepoints grows slow
    campaign.tell(capsys, f"registers: {HISTORIES} histories of {STEPS} steps, {dict(told)}")
    assert len(told) == 4  # each kind of answer was given
