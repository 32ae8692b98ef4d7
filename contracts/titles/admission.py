"""The way into the register: what is asked for is judged under the lock of its tree, then written.

Offers, holds and records all come through `admit`, so that one rule and one constraint decide.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from itertools import groupby
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import Range
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from contracts import ids, locking
from contracts.facts import service as facts
from contracts.refusal import Unknown
from contracts.rights import axes
from contracts.titles import availability, explaining, judging, queries, rules, sublicence
from contracts.titles.judging import Outcome
from contracts.titles.register import Question
from contracts.titles.rules import NIL, Lot, RightsAlreadyGranted, Taken
from contracts.titles.tables import LANES, RightsGrant, columns
from contracts.works import queries as works
from contracts.works.rules import units
from contracts.works.tables import Work

EXCLUSION_VIOLATION = "23P01"


@dataclass(frozen=True, slots=True)
class Standing:
    """What all rows of one request share: who grants to whom, from where, in which state."""

    state: str
    source: str
    grantor_id: UUID
    grantee_id: UUID | None = None
    licensee_name: str | None = None
    origin: str = "exchange"
    expires_at: datetime | None = None
    effective_at: datetime | None = None
    deal_id: UUID | None = None


async def locked(session: AsyncSession, work_id: UUID) -> Work:
    """Load the work and lock the root of its tree: a tree's grants are decided one at a time.

    Raises:
        Unknown: there is no such work.
    """
    work = await works.get_work(session, work_id)
    if await locking.find_locked(session, Work, col(Work.id) == work.root_id) is None:
        raise Unknown("There is no such work.")
    return work


async def admit(
    session: AsyncSession,
    work: Work,
    wires: Sequence[Mapping[str, Any]],
    *,
    standing: Standing,
    now: datetime,
) -> list[RightsGrant]:
    """Write grants that the rules let pass, under the lock of `locked`.

    Raises:
        TooManyLots, RightsOfferedTwice: the rights cannot be asked for together.
        RightsNotHeld: the grantor owns nothing and holds nothing that it may license on.
        ExceedsHolding: it holds something, but not all of this in one grant.
        CoOwnerConsentMissing: the owners are not at one about an exclusive licence.
        RightsAlreadyGranted: by the rule, or by the database where the rule was bypassed.
        RightsNotAvailable: something else stands in the way: a promise, a pledge, the end of the
            protection, an event without a date. Licences made elsewhere are recorded all the same.
        Refusal: any of `contracts.rights.rules.resolve`.
    """
    await release_expired(session, work.root_id, now=now)
    lots = rules.lots(wires, units=units(work))
    under = await _grounds(session, work, lots, grantor_id=standing.grantor_id)
    _check_free(lots, under, await queries.taken(session, work.id))
    if standing.origin == "exchange":
        await _check_available(session, work, lots, standing=standing, now=now)
    rows = [
        RightsGrant(
            work_id=work.id, root_id=work.root_id, units=Range(*lot.units), id=ids.new(now),
            under=ground, sublicence_depth=lot.sublicence_depth, round_no=lot.round_no,
            wire=lot.wire, created_at=now, **asdict(standing),
            **columns(lot.box, lane=await session.scalar(LANES)),
        )
        for lot, ground in zip(lots, under, strict=True)
    ]  # fmt: skip
    await _insert(session, work, rows, lots=lots)
    return rows


async def release_expired(session: AsyncSession, root_id: UUID, *, now: datetime) -> int:
    """Give back the holds of a locked tree that have run out; return how many grants they were."""
    wanted = select(RightsGrant).where(
        col(RightsGrant.root_id) == root_id,
        col(RightsGrant.state).in_(("reserved", "held")),
        col(RightsGrant.expires_at) <= now,
    )
    ordered = wanted.order_by(col(RightsGrant.source), col(RightsGrant.id))
    rows = list(await session.scalars(ordered.execution_options(populate_existing=True)))
    for grant in rows:
        grant.state, grant.ended_at, grant.ended_reason = "released", now, "expired"
    await session.flush()
    for source, freed in groupby(rows, key=lambda grant: grant.source):
        await _record_expiry(session, source, list(freed), now=now)
    return len(rows)


async def _record_expiry(
    session: AsyncSession, source: str, freed: Sequence[RightsGrant], *, now: datetime
) -> None:
    first = freed[0]
    payload = {
        "work": str(first.work_id),
        "source": source,
        "deal": first.deal_id and str(first.deal_id),
        "grants": [str(grant.id) for grant in freed],
    }
    subject = first.deal_id or first.id
    parties = involved(freed)
    await facts.record(session, "hold.expired", subject, payload, parties=parties, now=now)


def involved(grants: Iterable[RightsGrant]) -> list[UUID]:
    """Return the parties on both sides of grants."""
    return sorted({p for g in grants for p in (g.grantor_id, g.grantee_id) if p})


async def _grounds(
    session: AsyncSession, work: Work, lots: Sequence[Lot], *, grantor_id: UUID
) -> list[UUID]:
    """Return what each lot is granted under: the owners' own rights, or a grant to the grantor."""
    shares = await queries.shares(session, work.id)
    if grantor_id in rules.owners(work.party_id, (share.party_id for share in shares)):
        missing = [share.party_id for share in shares if share.consented_at is None]
        rules.check_consents([lot.box for lot in lots], missing=missing)
        return [NIL] * len(lots)
    holdings = await queries.holdings(session, work, grantor_id)
    if not holdings:
        rules.check_holder(work.party_id, (s.party_id for s in shares), grantor=grantor_id)
    return sublicence.grounds(holdings, lots)


def _check_free(lots: Sequence[Lot], under: Sequence[UUID], taken: Sequence[Taken]) -> None:
    """Check each lot against what stands on the same ground: a sub-licence is inside its parent."""
    for lot, ground in zip(lots, under, strict=True):
        rules.check_free([lot.box], [other for other in taken if other.under == ground])


async def _check_available(
    session: AsyncSession, work: Work, lots: Sequence[Lot], *, standing: Standing, now: datetime
) -> None:
    """Put each lot to the engine that answers whether it is free; clashes are found before."""
    for lot in lots:
        question = Question(
            root_id=work.root_id,
            units=lot.units,
            uses=axes.uses(lot.box.right, lot.box.media),
            territories=lot.box.territories,
            languages=lot.box.languages,
            window=lot.box.window,
            exclusivity=lot.box.exclusivity,
            runs=lot.box.runs_max,
            depth=lot.sublicence_depth,
            grantor=standing.grantor_id,
            grantee=standing.grantee_id,
        )
        register = await availability.load_without_outs(session, question, now=now)
        answer = judging.judge(register, question)
        if answer.outcome is not Outcome.FREE:
            raise explaining.not_available(answer, register.tree, viewer=standing.grantor_id)


async def _insert(
    session: AsyncSession, work: Work, rows: Sequence[RightsGrant], *, lots: Sequence[Lot]
) -> None:
    try:
        async with session.begin_nested():
            session.add_all(rows)
    except IntegrityError as error:
        if getattr(error.orig, "sqlstate", None) != EXCLUSION_VIOLATION:
            raise
        taken, under = await queries.taken(session, work.id), [row.under for row in rows]
        raise _named(lots, under, taken) from error


def _named(
    lots: Sequence[Lot], under: Sequence[UUID], taken: Sequence[Taken]
) -> RightsAlreadyGranted:
    """Say which grant the database's constraint protected."""
    try:
        _check_free(lots, under, taken)
    except RightsAlreadyGranted as refusal:
        return refusal
    return RightsAlreadyGranted("These rights are taken in part or in whole.")
