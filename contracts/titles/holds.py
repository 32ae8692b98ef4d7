"""Holds (保留): rights kept for somebody while a contract is negotiated, until an instant."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from contracts import rfc3339
from contracts.facts import service as facts
from contracts.parties import queries as parties
from contracts.refusal import IdReused, InvalidContent, Unknown
from contracts.rights import rules as rights
from contracts.titles import admission, queries, rules
from contracts.titles.admission import Standing
from contracts.titles.tables import RightsGrant
from contracts.works.tables import Work

AT_ONCE = 20  # trees whose holds run out in one transaction
# As the index of what is due says it, so that looking costs nothing however large the register is.
_WAITING = text("expires_at IS NOT NULL AND state IN ('reserved', 'held')")


async def place_hold(  # noqa: PLR0913 - a hold has that many parts, and callers name each.
    session: AsyncSession,
    work_id: UUID,
    hold_id: UUID,
    *,
    grantor_id: UUID,
    grantee_id: UUID,
    boxes: Sequence[Mapping[str, Any]],
    expires_at: datetime,
    now: datetime,
) -> list[RightsGrant]:
    """Keep rights for a party until an instant; the same hold again is what became of it.

    Args:
        session: the open transaction; the row of the tree's root stays locked until it ends.
        work_id: the work.
        hold_id: of the hold; its grants have ids of their own and the source `hold:<id>`.
        grantor_id: who keeps its rights from the market.
        grantee_id: for whom.
        boxes: the rights as on the wire.
        expires_at: when they are free again, at most LONGEST_HOLD from now.
        now: the instant.

    Raises:
        Unknown: there is no such work or grantee.
        IdReused: the hold is there with other content.
        BadHoldExpiry: it would end in the past or too far ahead.
        InvalidContent: it would be for the grantor itself.
        Refusal: any of `admission.admit`.
    """
    work = await admission.locked(session, work_id)
    standing = Standing(
        "held", source_of(hold_id), grantor_id, grantee_id=grantee_id, expires_at=expires_at
    )
    known = await queries.by_source(session, work_id, standing.source)
    if known:
        return _same(known, standing, boxes)
    if grantee_id == grantor_id:
        raise InvalidContent("A hold is for another party than its grantor.")
    await parties.get_party(session, grantee_id)
    rules.check_expiry(expires_at, now=now)
    grants = await admission.admit(session, work, boxes, standing=standing, now=now)
    await _record(session, hold_id, grants, now=now)
    return grants


async def lift_hold(
    session: AsyncSession, work_id: UUID, hold_id: UUID, *, party_id: UUID, now: datetime
) -> list[RightsGrant]:
    """Give a hold up before it ends, by either side; one that has ended stays as it is.

    Raises:
        Unknown: there is no such hold, or the party is on neither side of it.
    """
    await admission.locked(session, work_id)
    grants = await queries.by_source(session, work_id, source_of(hold_id))
    if party_id not in admission.involved(grants):
        raise Unknown("There is no such hold.", hold=str(hold_id))
    lifted = [grant for grant in grants if grant.state == "held"]
    for grant in lifted:
        grant.state, grant.ended_at, grant.ended_reason = "released", now, "lifted"
    await session.flush()
    if lifted:
        told = [str(grant.id) for grant in lifted]
        payload = {"work": str(work_id), "hold": str(hold_id), "grants": told}
        sides = admission.involved(lifted)
        await facts.record(session, "hold.lifted", hold_id, payload, parties=sides, now=now)
    return grants


async def expire_due(session: AsyncSession, *, now: datetime) -> int:
    """Give back what was held until before now; return how many grants that were.

    Trees that another transaction has locked are left to the next call.
    """
    due = (
        select(col(RightsGrant.root_id))
        .where(_WAITING, col(RightsGrant.expires_at) <= now)
        .distinct()
        .limit(AT_ONCE)
    )
    found = (await session.scalars(due)).all()
    wanted = select(col(Work.id)).where(col(Work.id).in_(found)).order_by(col(Work.id))
    roots = await session.scalars(wanted.with_for_update(key_share=True, skip_locked=True))
    return sum([await admission.release_expired(session, root, now=now) for root in roots.all()])


def source_of(hold_id: UUID) -> str:
    """Return the source that a hold's grants carry."""
    return f"hold:{hold_id}"


async def _record(
    session: AsyncSession, hold_id: UUID, grants: Sequence[RightsGrant], *, now: datetime
) -> None:
    first = grants[0]
    payload = {
        "work": str(first.work_id),
        "hold": str(hold_id),
        "grantor": str(first.grantor_id),
        "grantee": str(first.grantee_id),
        "expires_at": first.expires_at and rfc3339.exact(first.expires_at),
        "grants": [{"grant": str(grant.id), **grant.wire} for grant in grants],
    }
    sides = admission.involved(grants)
    await facts.record(session, "hold.placed", hold_id, payload, parties=sides, now=now)


def _same(
    known: list[RightsGrant], standing: Standing, boxes: Sequence[Mapping[str, Any]]
) -> list[RightsGrant]:
    first = known[0]
    stands = (first.grantor_id, first.grantee_id, first.expires_at)
    if stands != (standing.grantor_id, standing.grantee_id, standing.expires_at) or [
        grant.wire for grant in known
    ] != [rights.normal(wire) for wire in boxes]:
        raise IdReused("This id belongs to a hold with other content.")
    return known
