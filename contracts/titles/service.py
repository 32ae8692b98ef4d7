"""Declaring shares, and taking rights out of a work: reserve, hold, make effective, release."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from contracts import ids, locking
from contracts.facts import service as facts
from contracts.parties import queries as parties
from contracts.refusal import Unknown
from contracts.rights import rules as rights
from contracts.rights.algebra import RightsBox
from contracts.titles import queries, rules
from contracts.titles.rules import RightsAlreadyGranted, RightsNotReserved, SharesSettled
from contracts.titles.tables import LANES, RightsGrant, Share, columns
from contracts.works.tables import Work

EXCLUSION_VIOLATION = "23P01"


async def declare_shares(
    session: AsyncSession,
    work_id: UUID,
    *,
    party_id: UUID,
    shares: Mapping[UUID, int],
    now: datetime,
) -> list[Share]:
    """Say who owns the work; the declarer agrees by declaring, the others by `consent`.

    The same shares again change nothing. Other shares replace the first ones until a co-owner has
    agreed or rights are live.

    Args:
        session: the open transaction.
        work_id: a work that the party registered.
        party_id: the declarer.
        shares: owner → basis points, 10000 together.
        now: the instant.

    Raises:
        Unknown: the work, or an owner, does not exist.
        BadShares: they do not make the whole.
        SharesSettled: the earlier shares cannot be replaced any more.
    """
    work = await _locked(session, work_id)
    if work.party_id != party_id:
        raise Unknown("There is no such work.")
    rules.check_shares(shares, declarer=party_id)
    for owner in sorted(shares):
        await parties.get_party(session, owner)
    before = await queries.shares(session, work_id)
    if {share.party_id: share.share_bp for share in before} == dict(shares):
        return before
    await _replace(session, work_id, before, declarer=party_id)
    rows = [
        Share(work_id=work_id, party_id=owner, share_bp=share_bp)
        for owner, share_bp in sorted(shares.items())
    ]
    next(row for row in rows if row.party_id == party_id).consented_at = now
    session.add_all(rows)
    table = [{"party": str(row.party_id), "share_bp": row.share_bp} for row in rows]
    payload = {"work": str(work_id), "shares": table}
    await facts.record(
        session, "shares.declared", work_id, payload, parties=sorted(shares), now=now
    )
    return rows


async def consent(session: AsyncSession, work_id: UUID, *, party_id: UUID, now: datetime) -> Share:
    """Agree to one's share, and so to exclusive licences by the co-owners (著作权法 art. 14 ¶2).

    Raises:
        Unknown: the party has no share in such a work.
    """
    await _locked(session, work_id)
    share = await session.get(Share, (work_id, party_id), populate_existing=True)
    if share is None:
        raise Unknown("There is no such work.")
    if share.consented_at is not None:
        return share
    share.consented_at = now
    owners = [row.party_id for row in await queries.shares(session, work_id)]
    payload = {"work": str(work_id), "party": str(party_id)}
    await facts.record(session, "shares.consented", work_id, payload, parties=owners, now=now)
    return share


async def reserve(
    session: AsyncSession,
    work_id: UUID,
    *,
    grantor_id: UUID,
    boxes: Sequence[Mapping[str, Any]],
    source: str,
    now: datetime,
) -> list[RightsGrant]:
    """Take rights out of the work for an offer, so that they cannot be offered twice.

    Args:
        session: the open transaction; the work's row stays locked until it ends.
        work_id: the work.
        grantor_id: who grants.
        boxes: the rights as on the wire (`contracts.rights.rules.resolve`).
        source: the id of the offer, as text.
        now: the instant.

    Raises:
        Unknown: there is no such work.
        RightsNotHeld: the grantor does not own it.
        RightsOfferedTwice: two of the boxes overlap.
        RightsAlreadyGranted: by the rule, or by the database where the rule was bypassed.
    """
    work = await _locked(session, work_id)
    resolved = [rights.resolve(wire) for wire in boxes]
    owners = [share.party_id for share in await queries.shares(session, work_id)]
    rules.check_holder(work.party_id, owners, grantor=grantor_id)
    rules.check_apart(resolved)
    rules.check_free(resolved, await queries.taken(session, work_id))
    rows = [
        RightsGrant(
            work_id=work_id,
            id=ids.new(now),
            grantor_id=grantor_id,
            source=source,
            wire=rights.normal(wire),
            created_at=now,
            **columns(box, lane=await session.scalar(LANES)),
        )
        for wire, box in zip(boxes, resolved, strict=True)
    ]
    await _insert(session, work_id, rows)
    return rows


async def hold(
    session: AsyncSession,
    work_id: UUID,
    *,
    source: str,
    grantee_id: UUID,
    deal_id: UUID,
) -> list[RightsGrant]:
    """Keep what an offer reserved for the one whose deal is being signed.

    Raises:
        RightsNotReserved: the offer has nothing reserved, or another deal holds it.
    """
    await _locked(session, work_id)
    grants = await queries.by_source(session, work_id, source)
    if grants and all(grant.deal_id == deal_id and grant.state == "held" for grant in grants):
        return grants
    _all_in(grants, "reserved")
    for grant in grants:
        grant.state, grant.grantee_id, grant.deal_id = "held", grantee_id, deal_id
    await session.flush()
    return grants


async def make_effective(
    session: AsyncSession, work_id: UUID, *, deal_id: UUID, now: datetime
) -> list[RightsGrant]:
    """Grant what a deal holds: from now on the rights are the licensee's.

    Raises:
        RightsNotReserved: the deal holds nothing.
    """
    await _locked(session, work_id)
    grants = await queries.by_deal(session, work_id, deal_id)
    if grants and all(grant.state == "effective" for grant in grants):
        return grants
    _all_in(grants, "held")
    for grant in grants:
        grant.state, grant.effective_at = "effective", now
    parties_to = sorted({p for g in grants for p in (g.grantor_id, g.grantee_id) if p})
    table = [{"grant": str(grant.id), **grant.wire} for grant in grants]
    payload = {"deal": str(deal_id), "work": str(work_id), "grants": table}
    await facts.record(session, "grant.made", deal_id, payload, parties=parties_to, now=now)
    return grants


async def release(
    session: AsyncSession, work_id: UUID, *, source: str, now: datetime
) -> list[RightsGrant]:
    """Give back what an offer reserved or a deal under signature held; what is granted stays.

    Raises:
        Unknown: there is no such work.
    """
    await _locked(session, work_id)
    grants = await queries.by_source(session, work_id, source)
    freed = [grant for grant in grants if grant.state in ("reserved", "held")]
    for grant in freed:
        grant.state, grant.ended_at = "released", now
    await session.flush()
    return freed


async def _locked(session: AsyncSession, work_id: UUID) -> Work:
    """Load the work and lock its row: grants and shares of one work are decided one at a time."""
    work = await locking.find_locked(session, Work, col(Work.id) == work_id)
    if work is None:
        raise Unknown("There is no such work.")
    return work


async def _replace(
    session: AsyncSession, work_id: UUID, before: list[Share], *, declarer: UUID
) -> None:
    """Take away shares that nobody else relies on yet."""
    agreed = [row for row in before if row.consented_at and row.party_id != declarer]
    if agreed or (before and await queries.taken(session, work_id)):
        raise SharesSettled("The shares of this work are settled.")
    for share in before:
        await session.delete(share)
    await session.flush()


async def _insert(session: AsyncSession, work_id: UUID, rows: list[RightsGrant]) -> None:
    try:
        async with session.begin_nested():
            session.add_all(rows)
    except IntegrityError as error:
        if getattr(error.orig, "sqlstate", None) != EXCLUSION_VIOLATION:
            raise
        raise await _named(session, work_id, [row.box() for row in rows]) from error


async def _named(
    session: AsyncSession, work_id: UUID, boxes: Sequence[RightsBox]
) -> RightsAlreadyGranted:
    """Say which grant the database's constraint protected."""
    try:
        rules.check_free(boxes, await queries.taken(session, work_id))
    except RightsAlreadyGranted as refusal:
        return refusal
    return RightsAlreadyGranted("These rights are taken in part or in whole.")


def _all_in(grants: Sequence[RightsGrant], state: str) -> None:
    if not grants or any(grant.state != state for grant in grants):
        found = sorted({grant.state for grant in grants})
        raise RightsNotReserved(f"The rights are not {state}.", wanted=state, found=found)
