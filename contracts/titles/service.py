"""Declaring shares, and taking rights out of a work: reserve, hold, make effective, release."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from contracts.facts import service as facts
from contracts.parties import queries as parties
from contracts.refusal import Unknown
from contracts.titles import admission, queries, rules
from contracts.titles.admission import Standing
from contracts.titles.rules import RightsNotReserved, SharesOfTheRoot, SharesSettled
from contracts.titles.tables import RightsGrant, Share


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
    agreed or rights are live. Shares are said of the root of a tree and hold for all that is in it.

    Args:
        session: the open transaction.
        work_id: a work that the party registered.
        party_id: the declarer.
        shares: owner → basis points, 10000 together.
        now: the instant.

    Raises:
        Unknown: the work, or an owner, does not exist.
        SharesOfTheRoot: the work is a part or an edit of another.
        BadShares: they do not make the whole.
        SharesSettled: the earlier shares cannot be replaced any more.
    """
    work = await admission.locked(session, work_id)
    if work.party_id != party_id:
        raise Unknown("There is no such work.")
    if work.root_id != work_id:
        raise SharesOfTheRoot("This work follows its root.", root=str(work.root_id))
    rules.check_shares(shares, declarer=party_id)
    for owner in sorted(shares):
        await parties.get_party(session, owner)
    before = await queries.shares(session, work_id)
    if {share.party_id: share.share_bp for share in before} == dict(shares):
        return before
    await admission.release_expired(session, work_id, now=now)
    await _replace(session, work_id, before, declarer=party_id)
    rows = [
        Share(work_id=work_id, party_id=owner, share_bp=share_bp)
        for owner, share_bp in sorted(shares.items())
    ]
    next(row for row in rows if row.party_id == party_id).consented_at = now
    session.add_all(rows)
    table = [{"party": str(row.party_id), "share_bp": row.share_bp} for row in rows]
    payload = {"work": str(work_id), "shares": table}
    told = sorted({*shares, *(share.party_id for share in before)})  # who is one no more, too
    await facts.record(session, "shares.declared", work_id, payload, parties=told, now=now)
    return rows


async def consent(session: AsyncSession, work_id: UUID, *, party_id: UUID, now: datetime) -> Share:
    """Agree to one's share, and so to exclusive licences by the co-owners (著作权法 art. 14 ¶2).

    Raises:
        Unknown: the party has no share in such a work.
    """
    root_id = (await admission.locked(session, work_id)).root_id
    share = await session.get(Share, (root_id, party_id), populate_existing=True)
    if share is None:
        raise Unknown("There is no such work.")
    if share.consented_at is not None:
        return share
    share.consented_at = now
    owners = [row.party_id for row in await queries.shares(session, root_id)]
    payload = {"work": str(root_id), "party": str(party_id)}
    await facts.record(session, "shares.consented", root_id, payload, parties=owners, now=now)
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

    An owner grants its own; a licensee grants on (转授权) inside one grant that allows it.

    Args:
        session: the open transaction; the row of the tree's root stays locked until it ends.
        work_id: the work.
        grantor_id: who grants.
        boxes: the rights as on the wire (`contracts.rights.rules.resolve`).
        source: the id of the offer, as text.
        now: the instant.

    Raises:
        Unknown: there is no such work.
        Refusal: any of `admission.admit`.
    """
    work = await admission.locked(session, work_id)
    standing = Standing("reserved", source, grantor_id)
    return await admission.admit(session, work, boxes, standing=standing, now=now)


async def hold(
    session: AsyncSession,
    work_id: UUID,
    *,
    source: str,
    grantee_id: UUID,
    deal_id: UUID,
    now: datetime,
) -> list[RightsGrant]:
    """Keep what an offer reserved for the one whose deal is being signed, for HOLD_DAYS.

    Raises:
        RightsNotReserved: the offer has nothing reserved, or another deal holds it.
    """
    await admission.locked(session, work_id)
    # What a deal before this one gave back was reserved anew for whoever comes after it.
    every = await queries.by_source(session, work_id, source)
    grants = [grant for grant in every if grant.state != "released"] or every
    if grants and all(grant.deal_id == deal_id and grant.state == "held" for grant in grants):
        return grants
    _all_in(grants, "reserved")
    for grant in grants:
        grant.state, grant.grantee_id, grant.deal_id = "held", grantee_id, deal_id
        grant.expires_at = now + rules.HOLD_LASTS
    await session.flush()
    return grants


async def make_effective(
    session: AsyncSession, work_id: UUID, *, deal_id: UUID, now: datetime
) -> list[RightsGrant]:
    """Grant what a deal holds: from now on the rights are the licensee's.

    Raises:
        RightsNotReserved: the deal holds nothing.
        HoldExpired: it was not signed in time.
    """
    await admission.locked(session, work_id)
    grants = await queries.by_deal(session, work_id, deal_id)
    if grants and all(grant.state == "effective" for grant in grants):
        return grants
    _all_in(grants, "held")
    rules.check_unexpired([grant.expires_at for grant in grants], now=now)
    for grant in grants:
        grant.state, grant.effective_at, grant.expires_at = "effective", now, None
    parties_to = admission.involved(grants)
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
    await admission.locked(session, work_id)
    grants = await queries.by_source(session, work_id, source)
    freed = [grant for grant in grants if grant.state in ("reserved", "held")]
    for grant in freed:
        grant.state, grant.ended_at = "released", now
    await session.flush()
    return freed


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


def _all_in(grants: Sequence[RightsGrant], state: str) -> None:
    if not grants or any(grant.state != state for grant in grants):
        found = sorted({grant.state for grant in grants})
        raise RightsNotReserved(f"The rights are not {state}.", wanted=state, found=found)
