"""Opening rights to offers (可议权利), and taking no more."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from contracts import locking
from contracts.deals import pricing
from contracts.facts import service as facts
from contracts.refusal import IdReused, Unknown
from contracts.rights import rules as rights
from contracts.titles import queries as titles
from listings.offers import queries, rules, saying
from listings.offers.tables import Offerable
from listings.recognition import service as recognition
from listings.recognition.gateway import PLAIN, Sight


@dataclass(frozen=True, slots=True)
class Opening:
    """What its holder opens to offers: a right, its master, the ways to pay, who may see it."""

    master_id: UUID
    listing_id: UUID | None
    right: Mapping[str, Any]
    models: Sequence[str]
    audience: str


async def declare(
    session: AsyncSession,
    offerable_id: UUID,
    *,
    party_id: UUID,
    work_id: UUID,
    opening: Opening,
    now: datetime,
    sight: Sight = PLAIN,
) -> tuple[Offerable, bool]:
    """Open a right to offers; return it and whether it is new.

    Raises:
        Unknown: the work, the master or the listing is not the party's.
        IdReused: the id names something else.
        BadOffer: the right is a bundle of several, or the listing is of another work.
        RightsNotOffered: the right goes beyond the listing's.
        UnknownPriceModel: there is no such way to pay.
        MasterNotReady: the master is not examined.
        LooksLikeAnotherWork, RecognitionUnderReview: the picture is on offer under another title.
        Refusal: any of `contracts.rights.rules.resolve`.
    """
    wires = rights.expand(opening.right)
    if len(wires) != 1:
        raise rules.BadOffer("Open one right at a time.", rights=len(wires))
    said: dict[str, Any] = {
        "party_id": party_id, "work_id": work_id, "master_id": opening.master_id,
        "listing_id": opening.listing_id, "right": rights.normal(wires[0]),
        "models": pricing.models(opening.models), "audience": opening.audience,
    }  # fmt: skip
    known = await queries.find_offerable(session, offerable_id)
    if known is not None:
        if any(getattr(known, name) != value for name, value in said.items()):
            raise IdReused("This id names something else.")
        return known, False
    work = await titles.get_offerable(session, work_id, party_id)
    master = await saying.master_for(session, opening.master_id, party_id=party_id, work_id=work_id)
    if opening.listing_id is not None:
        await saying.check_listing(
            session, opening.listing_id, party_id=party_id, work_id=work_id, master_id=master.id,
            right=said["right"],
        )  # fmt: skip
    await recognition.check(session, master, root_id=work.root_id, sight=sight, now=now)
    row = Offerable(id=offerable_id, created_at=now, **said)
    session.add(row)
    await session.flush()
    payload = {"offerable": str(row.id), "work": str(work_id), "models": row.models}
    await facts.record(session, "offerable.opened", row.id, payload, parties=[party_id], now=now)
    return row, True


async def close(
    session: AsyncSession, offerable_id: UUID, *, party_id: UUID, now: datetime
) -> Offerable:
    """Take no more offers for a right; again changes nothing.

    Raises:
        Unknown: it is not the party's.
    """
    row = await locking.find_locked(session, Offerable, col(Offerable.id) == offerable_id)
    if row is None or row.party_id != party_id:
        raise Unknown("There is no such right.")
    if row.state == "open":
        row.state, row.closed_at = "closed", now
        await session.flush()
        payload = {"offerable": str(row.id), "work": str(row.work_id)}
        await facts.record(
            session, "offerable.closed", row.id, payload, parties=[party_id], now=now
        )
    return row
