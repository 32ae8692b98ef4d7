"""Verbs of deliveries: compare a delivered file with the listed one, and record the answer."""

from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

import anyio
import anyio.to_thread
from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from contracts import canonical
from contracts.deals.tables import Deal
from contracts.facts import service as facts
from contracts.facts.tables import Fact
from listings.masters.tables import Master
from listings.recognition import delivery, matching, relation
from listings.recognition.delivery import Delivered
from listings.recognition.relation import Near, Related, Relation

# The times of a delivery are mostly those of the work, maybe at film's speed or television's.
USUAL = tuple(Near(0, slope) for slope in (10_000, 9_600, 10_417))
ENOUGH_BP = 9_800
AT_ONCE = 1  # comparing two films takes a core for seconds
_turns = anyio.CapacityLimiter(AT_ONCE)


async def listed(session: AsyncSession, master: Master) -> Delivered:
    """Load what a delivery is compared with: the master that is listed."""
    footage = await matching.stored(session, master)
    return Delivered(master.sha256 or "", (master.probe or {}).get("video") or {}, footage)


async def compare(delivered: Delivered, listed: Delivered) -> dict[str, Any]:
    """Return what a delivered file is to the listed work; uses no database, and one core."""
    related = await anyio.to_thread.run_sync(
        partial(_related, delivered, listed), limiter=_turns, abandon_on_cancel=True
    )
    return delivery.answer(related, delivered, listed)


async def record(
    session: AsyncSession,
    listing_id: UUID,
    *,
    party_id: UUID,
    delivered: Delivered,
    answer: dict[str, Any],
    now: datetime,
) -> UUID | None:
    """Record the answer when the asker is party to a deal on the listing; return the fact's id.

    The same file with the same answer is recorded once.
    """
    deal = await _deal(session, listing_id, party_id)
    if deal is None:
        return None
    payload = {
        "deal": str(deal.id), "listing": str(listing_id), "by": str(party_id),
        "sha256": delivered.sha256, "outcome": answer["outcome"],
        "coverage_bp": answer["coverage_bp"],
        "answer_sha256": canonical.sha256_hex(canonical.dumps(answer)),
    }  # fmt: skip
    known = await session.scalar(
        select(col(Fact.id)).where(
            col(Fact.subject) == deal.id,
            col(Fact.kind) == "delivery.matched",
            col(Fact.record) == canonical.dumps(payload),
        )
    )
    parties = [deal.licensor_id, deal.licensee_id]
    return known or await facts.record(
        session, "delivery.matched", deal.id, payload, parties=parties, now=now
    )


def _related(delivered: Delivered, listed: Delivered) -> Relation:
    here, there = delivered.footage, listed.footage
    related = relation.relate(here, there, near=USUAL)
    whole = min(related.coverage_here_bp, related.coverage_there_bp) >= ENOUGH_BP
    if related.kind is Related.SAME_FILE or whole:
        return related
    return relation.relate(here, there)


async def _deal(session: AsyncSession, listing_id: UUID, party_id: UUID) -> Deal | None:
    found: Deal | None = await session.scalar(
        select(Deal).where(
            col(Deal.listing_id) == listing_id,
            or_(col(Deal.licensor_id) == party_id, col(Deal.licensee_id) == party_id),
        )
    )
    return found
