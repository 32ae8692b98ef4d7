"""Rights open to offers and what is said about them, for tests."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from contracts import ids
from contracts.parties.tables import Party
from contracts.works.tables import Work
from listings.catalogue.tables import Listing
from listings.masters.tables import Master
from listings.offers import opening, service
from listings.offers.opening import Opening
from listings.offers.service import Speaker
from listings.offers.tables import OfferVersion
from listings.requests import service as requests
from listings.requests.service import Wish
from tests.conftest import NOW
from tests.contracts.parties_factory import party
from tests.contracts.rights_factory import wire
from tests.contracts.works_factory import work as new_work
from tests.listings.masters_factory import ready_master

WEEK = timedelta(days=7)


@dataclass
class Room:
    """A licensor with a work, its master and one open right, and a broadcaster."""

    licensor: Party
    licensee: Party
    work: Work
    master: Master
    offerable: UUID
    now: datetime

    def speaker(self, side: str) -> Speaker:
        who = self.licensor if side == "licensor" else self.licensee
        return Speaker(who.id, ids.new(self.now), side)


async def a_room(
    session: AsyncSession, *, now: datetime = NOW, licensor: Party | None = None, **said: Any
) -> Room:
    """`said` changes what is open: `right=`, `models=`, `audience=`."""
    licensor = licensor or await party(session, now=now)
    licensee = await party(session, kind="broadcaster", now=now)
    work = await new_work(session, party_id=licensor.id, now=now)
    master = await ready_master(
        session, party_id=licensor.id, work_id=work.id, now=now, seed=secrets.randbelow(2**31)
    )
    room = Room(licensor, licensee, work, master, ids.new(now), now)
    room.offerable = await open_right(session, room, **said)
    return room


async def open_right(session: AsyncSession, room: Room, **said: Any) -> UUID:
    asked = {
        "master_id": room.master.id, "listing_id": None, "right": wire(),
        "models": ["flat", "guarantee-share", "per-run"], "audience": "broadcasters", **said,
    }  # fmt: skip
    row, _ = await opening.declare(
        session, ids.new(room.now), party_id=room.licensor.id, work_id=room.work.id,
        opening=Opening(**asked), now=room.now,
    )  # fmt: skip
    return row.id


def ask(*rooms: Room, **said: Any) -> dict[str, Any]:
    """A flat offer for the whole right of each room; `said` changes it."""
    works = [
        {"rights": [{"offerable": room.offerable, "right": None}],
         "price": {"amount_minor": 5_000_000}}
        for room in rooms
    ]  # fmt: skip
    return {
        "currency": "CNY", "model": "flat", "works": works, "message": "请审阅",
        "expires_at": NOW + WEEK, **said,
    }  # fmt: skip


async def say(
    session: AsyncSession,
    offer_id: UUID,
    room: Room,
    side: str,
    *,
    rooms: Sequence[Room] = (),
    now: datetime = NOW,
    **said: Any,
) -> OfferVersion:
    """Say something in a negotiation; the first word opens it."""
    made, _ = await service.propose(
        session, offer_id, ids.new(now), speaker=room.speaker(side),
        ask=ask(*(rooms or [room]), **said),
        licensee_id=room.licensee.id if side == "licensor" else None, now=now,
    )  # fmt: skip
    return made


async def negotiated(
    session: AsyncSession, listing: Listing, *, licensor: Party, licensee: Party, now: datetime
) -> dict[str, str]:
    """An offer, and an answered request, by the names that paths give them."""
    made = {name: ids.new(now) for name in ("offerable", "offer", "version", "request", "answer")}
    said = Opening(listing.master_id, None, wire(media=["iptv"]), ["flat"], "broadcasters")
    await opening.declare(
        session, made["offerable"], party_id=licensor.id, work_id=listing.work_id, opening=said,
        now=now,
    )  # fmt: skip
    works = [{"rights": [{"offerable": made["offerable"], "right": None}],
              "price": {"amount_minor": 5_000_000}}]  # fmt: skip
    asked = ask(works=works, expires_at=now + WEEK)
    speaker = Speaker(licensor.id, licensor.id, "licensor")
    await service.propose(
        session, made["offer"], made["version"], speaker=speaker, ask=asked,
        licensee_id=licensee.id, now=now,
    )  # fmt: skip
    wish = Wish("寻购纪录片", "", [wire()], [], now + WEEK / 2, [licensor.id])
    await requests.ask(session, made["request"], party_id=licensee.id, wish=wish, now=now)
    await requests.answer(
        session, made["request"], made["answer"], party_id=licensor.id, person_id=licensor.id,
        offer=asked, now=now,
    )  # fmt: skip
    return {f"{name}_id": str(value) for name, value in made.items()}
