"""Parts of what was offered, and rights kept for a deal that no listing reserved rights for.

A listing reserves its rights whole. Where awards take parts of them, the reservation is divided
under the tree's lock: each award's part stays reserved for its deal, the rest is free again. A deal
that follows an offer takes its rights with its first signature: whoever signs first has them.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from contracts.refusal import Kind, Refusal
from contracts.rights import algebra
from contracts.rights import rules as rights
from contracts.titles import admission, queries, rules
from contracts.titles.admission import Standing
from contracts.titles.tables import RightsGrant

Wires = Sequence[Mapping[str, Any]]


class RightsNotOffered(Refusal):
    """A right lies outside of what was offered."""

    kind, code = Kind.CONFLICT, "rights-not-offered"
    hint = "Stay within one of the rights on offer; `place` is the right, counted from 0."


class _ProbedError(Exception):
    """Ends a savepoint whose writes were only a question."""


def part_source(listing: str, bid: str) -> str:
    """Return the source that the part of a listing's rights awarded to a bid carries."""
    return f"{listing}/{bid}"


def check_inside(parts: Wires, whole: Wires) -> None:
    """Check that each right lies within one of those that were offered.

    Raises:
        RightsNotOffered: one does not.
        Refusal: any of `contracts.rights.rules.resolve`.
    """
    for place, part in enumerate(parts):
        if not any(is_inside(part, offered) for offered in whole):
            raise RightsNotOffered("A right goes beyond what is offered.", place=place)


def is_inside(part: Mapping[str, Any], offered: Mapping[str, Any]) -> bool:
    """Tell whether a right asks for no more than one that is offered."""
    return (
        algebra.covers(rights.resolve(offered), rights.resolve(part))
        and rights.sublicence_depth(part) <= rights.sublicence_depth(offered)
        and rights.round_no(offered) in (None, rights.round_no(part))
    )


async def divide(
    session: AsyncSession,
    work_id: UUID,
    *,
    source: str,
    parts: Mapping[str, Wires],
    grantor_id: UUID,
    now: datetime,
) -> None:
    """Turn a reservation into one for each part, once; what is in no part is free again.

    A part that came later, because an award fell away and the next best took its place, is reserved
    when it comes. A part that is not there to be reserved any more is left out: its award lapses.

    Args:
        session: the open transaction; the row of the tree's root stays locked until it ends.
        work_id: the work.
        source: whose reservation it is.
        parts: rights by the source that they shall carry.
        grantor_id: who offers them.
        now: the instant.
    """
    work = await admission.locked(session, work_id)
    for grant in await queries.by_source(session, work_id, source):
        if grant.state == "reserved":
            grant.state, grant.ended_at = "released", now
    await session.flush()
    for part, wires in sorted(parts.items()):
        if await queries.by_source(session, work_id, part):
            continue
        standing = Standing("reserved", part, grantor_id)
        try:
            async with session.begin_nested():
                await admission.admit(session, work, wires, standing=standing, now=now)
        except Refusal:
            continue


async def keep(
    session: AsyncSession,
    work_id: UUID,
    *,
    deal_id: UUID,
    grantor_id: UUID,
    grantee_id: UUID,
    boxes: Wires,
    now: datetime,
) -> list[RightsGrant]:
    """Hold rights for a deal for HOLD_DAYS, where nothing reserved them before; once.

    Raises:
        Unknown: there is no such work.
        Refusal: any of `admission.admit`; RightsAlreadyGranted above all.
    """
    work = await admission.locked(session, work_id)
    known = await queries.by_deal(session, work_id, deal_id)
    if known:
        return known
    standing = Standing(
        "held", f"deal:{deal_id}", grantor_id,
        grantee_id=grantee_id, deal_id=deal_id, expires_at=now + rules.HOLD_LASTS,
    )  # fmt: skip
    return await admission.admit(session, work, boxes, standing=standing, now=now)


async def check_free(
    session: AsyncSession,
    work_id: UUID,
    *,
    grantor_id: UUID,
    grantee_id: UUID,
    boxes: Wires,
    now: datetime,
) -> None:
    """Ask the register whether rights could be held at this moment; nothing is written.

    Raises:
        Unknown: there is no such work.
        Refusal: any of `admission.admit`.
    """
    work = await admission.locked(session, work_id)
    standing = Standing("reserved", "question", grantor_id, grantee_id=grantee_id)
    try:
        async with session.begin_nested():
            await admission.admit(session, work, boxes, standing=standing, now=now)
            raise _ProbedError
    except _ProbedError:
        return


async def release_deal(
    session: AsyncSession, work_id: UUID, *, deal_id: UUID, now: datetime
) -> list[RightsGrant]:
    """Give back what a deal under signature held; what is granted stays.

    Raises:
        Unknown: there is no such work.
    """
    await admission.locked(session, work_id)
    grants = await queries.by_deal(session, work_id, deal_id)
    freed = [grant for grant in grants if grant.state == "held"]
    for grant in freed:
        grant.state, grant.ended_at = "released", now
    await session.flush()
    return freed
