"""Reading admissions: who stands how, the roll for the log, relations, limits."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import and_, func, or_, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from contracts import rfc3339
from contracts.refusal import Unknown
from listings.admissions import kinship, rules
from listings.admissions.kinship import Relation
from listings.admissions.tables import (
    AdmissionRow,
    CreditLine,
    Exposure,
    Paddle,
    PartyBlock,
    PartyRelation,
)

# Every relation of the component that holds the given nodes; both ends of an edge are walked.
REACHED = text(
    "WITH RECURSIVE reach(node) AS ("
    "  SELECT unnest(CAST(:nodes AS text[])) UNION"
    "  SELECT step.node FROM reach JOIN LATERAL ("
    "    SELECT r.node FROM party_relation r"
    "      WHERE r.party_node = reach.node AND r.ended_at IS NULL UNION ALL"
    "    SELECT r.party_node FROM party_relation r"
    "      WHERE r.node = reach.node AND r.ended_at IS NULL) step ON true"
    ") SELECT r.party_id, r.kind, r.node, r.share_bp FROM party_relation r"
    "  JOIN reach ON r.party_node = reach.node WHERE r.ended_at IS NULL"
)


# Applicants whose papers are accepted and whose deposit is in since, before its day.
SECURED = text(
    "SELECT a.auction_id, a.party_id FROM admission a "
    "JOIN deposit d ON d.auction_id = a.auction_id AND d.party_id = a.party_id "
    "JOIN auction l ON l.id = a.auction_id "
    "WHERE a.state = 'applied' AND a.papers_checked_at IS NOT NULL "
    "AND d.frozen_at < coalesce(d.until, l.closes_at) AND l.state IN ('open', 'paused') "
    "AND l.closes_at > :now ORDER BY d.frozen_at DESC LIMIT :limit"
)


async def secured(
    session: AsyncSession, *, now: datetime, limit: int
) -> Sequence[tuple[UUID, UUID]]:
    """Return (auction, party) of applicants who may be complete by their deposit."""
    rows = await session.execute(SECURED, {"now": now, "limit": limit})
    return [(row.auction_id, row.party_id) for row in rows]


async def find_admission(
    session: AsyncSession, auction_id: UUID, party_id: UUID
) -> AdmissionRow | None:
    """Return how a party stands in an auction, or None."""
    return await session.get(AdmissionRow, (auction_id, party_id))


async def get_admission(session: AsyncSession, auction_id: UUID, party_id: UUID) -> AdmissionRow:
    """Return how a party stands in an auction.

    Raises:
        Unknown: it never asked to bid there.
    """
    found = await find_admission(session, auction_id, party_id)
    if found is None:
        raise Unknown("There is no such admission.")
    return found


async def find_paddle(session: AsyncSession, auction_id: UUID, party_id: UUID) -> int | None:
    """Return a party's number in an auction, or None."""
    found = await session.get(Paddle, (auction_id, party_id))
    return None if found is None else found.number


async def parties_of(session: AsyncSession, auction_id: UUID) -> dict[int, UUID]:
    """Return whose each number is; staff and services alone may know."""
    wanted = select(col(Paddle.number), col(Paddle.party_id)).where(
        col(Paddle.auction_id) == auction_id
    )
    return {row[0]: row[1] for row in await session.execute(wanted)}


async def roll(session: AsyncSession, auction_id: UUID) -> list[dict[str, Any]]:
    """Return every number with a commitment to its party, for the log of the auction."""
    wanted = select(Paddle).where(col(Paddle.auction_id) == auction_id).order_by(col(Paddle.number))
    return [
        {
            "paddle": paddle.number,
            "admitted_at": paddle.admitted_at and rfc3339.exact(paddle.admitted_at),
            "party_commitment": rules.commitment(auction_id, paddle.party_id, paddle.blind),
        }
        for paddle in await session.scalars(wanted)
    ]


async def relations_around(session: AsyncSession, parties: Collection[UUID]) -> list[Relation]:
    """Return every relation that leads to one of the parties, over any number of steps."""
    nodes = [kinship.party_node(party) for party in parties]
    rows = await session.execute(REACHED, {"nodes": nodes})
    return [Relation(*row) for row in rows.all()]


async def related(
    session: AsyncSession, parties: Collection[UUID], others: Collection[UUID]
) -> frozenset[UUID]:
    """Return those of `parties` that are connected with one of `others`."""
    if not parties:
        return frozenset()
    return kinship.related(parties, others, await relations_around(session, others))


async def blocked(
    session: AsyncSession, parties: Collection[UUID], *, work_id: UUID, now: datetime
) -> dict[UUID, datetime | None]:
    """Return who is barred from bidding for a work now, with the end of the block if it has one."""
    wanted = (
        select(col(PartyBlock.party_id), col(PartyBlock.until))
        .where(
            col(PartyBlock.party_id).in_(parties),
            col(PartyBlock.lifted_at).is_(None),
            or_(col(PartyBlock.until).is_(None), col(PartyBlock.until) > now),
            or_(col(PartyBlock.work_id).is_(None), col(PartyBlock.work_id) == work_id),
        )
        .order_by(col(PartyBlock.until).nulls_last())  # the longest stays in the dict
    )
    return {row[0]: row[1] for row in await session.execute(wanted)}


async def taken(session: AsyncSession, auction_id: UUID) -> set[int]:
    """Return the numbers of an auction that are given or set aside."""
    given = select(col(Paddle.number)).where(col(Paddle.auction_id) == auction_id)
    aside = select(col(AdmissionRow.reserved_number)).where(
        col(AdmissionRow.auction_id) == auction_id,
        col(AdmissionRow.reserved_number).is_not(None),
    )
    return set(await session.scalars(given)) | {one or 0 for one in await session.scalars(aside)}


async def committed_elsewhere(
    session: AsyncSession, parties: Collection[UUID], *, currency: str, auction_id: UUID
) -> dict[UUID, int]:
    """Return what each party is bound for in the other auctions of a currency."""
    wanted = (
        select(col(Exposure.party_id), func.sum(Exposure.amount_minor))
        .where(
            and_(
                col(Exposure.party_id).in_(parties),
                col(Exposure.currency) == currency,
                col(Exposure.auction_id) != auction_id,
            )
        )
        .group_by(col(Exposure.party_id))
    )
    return {party: int(total) for party, total in (await session.execute(wanted)).all()}


async def exposures(session: AsyncSession, party_id: UUID) -> Sequence[Exposure]:
    """Return what a party is bound for, auction by auction; nothing is left out."""
    wanted = select(Exposure).where(
        col(Exposure.party_id) == party_id, col(Exposure.amount_minor) > 0
    )
    return (await session.scalars(wanted.order_by(col(Exposure.auction_id)))).all()


async def credit_lines(session: AsyncSession, party_id: UUID) -> Sequence[CreditLine]:
    """Return a party's credit lines by currency."""
    wanted = select(CreditLine).where(col(CreditLine.party_id) == party_id)
    return (await session.scalars(wanted.order_by(col(CreditLine.currency)))).all()


async def admissions_page(
    session: AsyncSession, auction_id: UUID, *, after: UUID, limit: int
) -> Sequence[AdmissionRow]:
    """Return the admissions of an auction in the order of the parties' ids, for staff."""
    wanted = (
        select(AdmissionRow)
        .where(col(AdmissionRow.auction_id) == auction_id, col(AdmissionRow.party_id) > after)
        .order_by(col(AdmissionRow.party_id))
        .limit(limit)
    )
    return (await session.scalars(wanted)).all()


async def cases(session: AsyncSession, *, limit: int) -> Sequence[AdmissionRow]:
    """Return what waits for staff: applications, and admissions that were suspended."""
    wanted = (
        select(AdmissionRow)
        .where(col(AdmissionRow.state).in_((rules.WAITING, rules.SUSPENDED)))
        .order_by(col(AdmissionRow.applied_at).nulls_first())
        .limit(limit)
    )
    return (await session.scalars(wanted)).all()


async def relations_of(session: AsyncSession, party_id: UUID) -> Sequence[PartyRelation]:
    """Return the relations of a party that have not ended, from either end."""
    node = kinship.party_node(party_id)
    wanted = select(PartyRelation).where(
        col(PartyRelation.ended_at).is_(None),
        or_(col(PartyRelation.party_node) == node, col(PartyRelation.node) == node),
    )
    return (await session.scalars(wanted.order_by(col(PartyRelation.id)))).all()


async def blocks_of(session: AsyncSession, party_id: UUID) -> Sequence[PartyBlock]:
    """Return every block of a party, lifted ones too."""
    wanted = select(PartyBlock).where(col(PartyBlock.party_id) == party_id)
    return (await session.scalars(wanted.order_by(col(PartyBlock.id)))).all()
