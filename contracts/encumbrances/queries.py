"""Reading encumbrances: what stands on a tree, and what is listed of a work."""

import re
from collections.abc import Sequence
from datetime import date
from functools import cache, lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import Row, Select, Text, bindparam, cast, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from contracts.encumbrances import consents, moments
from contracts.encumbrances.rules import Burden
from contracts.encumbrances.tables import ACTIVE, Encumbrance, EncumbranceConsent, WorkEvent
from contracts.refusal import Unknown
from contracts.rights import axes, vocabulary
from contracts.titles.tables import Share
from contracts.works import queries as works
from contracts.works.tables import Work

_RANGE = re.compile(r"\[(\d+),(\d+)\)")
_CODES = {right.number: right.code for right in vocabulary.RIGHTS.values()}


async def burdens(session: AsyncSession, root_id: UUID) -> list[Burden]:
    """Return every active encumbrance of a tree as it stands, oldest first, in one round trip.

    Events that have happened have moved their windows to instants; consents are cut out, so that an
    encumbrance may be several burdens with one `record_id`, or none.
    """
    found = await session.execute(_standing(), {"root": root_id})
    return [piece for row in found for piece in _burdens(row)]


async def get_encumbrance(
    session: AsyncSession, work_id: UUID, encumbrance_id: UUID, *, viewer: UUID | None
) -> Encumbrance:
    """Return an encumbrance declared on a work, as a party may see it (None: staff).

    Raises:
        Unknown: there is none of that id, or none that the party has to do with.
    """
    row = await session.get(Encumbrance, (work_id, encumbrance_id), populate_existing=True)
    if row is None:
        raise Unknown("There is no such encumbrance.")
    owners = await owners_of(session, await works.get_work(session, work_id))
    if viewer is not None and viewer not in (row.beneficiary_id, *owners):
        raise Unknown("There is no such encumbrance.")
    return row


async def page(
    session: AsyncSession, work_id: UUID, *, viewer: UUID | None, after: UUID, limit: int
) -> list[Encumbrance]:
    """Return a page of what is or was on a work, or on what stands above or below it, oldest first.

    Owners and staff (viewer None) see all, beneficiaries their own.

    Raises:
        Unknown: there is no such work, or none the party has to do with.
    """
    work = await works.get_work(session, work_id)
    block = func.int4range(work.unit_first, work.unit_after)
    wanted = select(Encumbrance).where(
        col(Encumbrance.root_id) == work.root_id, col(Encumbrance.units).op("&&")(block)
    )
    if viewer is not None and viewer not in await owners_of(session, work):
        wanted = wanted.where(col(Encumbrance.beneficiary_id) == viewer)
        if (await session.scalars(wanted.limit(1))).first() is None:
            raise Unknown("There is no such work.")
    listed = wanted.where(col(Encumbrance.id) > after).order_by(col(Encumbrance.id)).limit(limit)
    return list(await session.scalars(listed))


async def consents_page(
    session: AsyncSession, encumbrance: Encumbrance, *, after: UUID, limit: int
) -> list[EncumbranceConsent]:
    """Return a page of what the beneficiary of an encumbrance consented to, in order of ids."""
    wanted = select(EncumbranceConsent).where(
        col(EncumbranceConsent.work_id) == encumbrance.work_id,
        col(EncumbranceConsent.encumbrance_id) == encumbrance.id,
        col(EncumbranceConsent.id) > after,
    )
    return list(await session.scalars(wanted.order_by(col(EncumbranceConsent.id)).limit(limit)))


async def days(session: AsyncSession, rows: Sequence[Encumbrance]) -> dict[UUID, dict[str, date]]:
    """Return, by work, the days of the events that have happened to the works of encumbrances."""
    works_of = {row.work_id for row in rows if row.start_event or row.end_event}
    found: dict[UUID, dict[str, date]] = {work_id: {} for work_id in works_of}
    if works_of:
        wanted = select(WorkEvent).where(col(WorkEvent.work_id).in_(works_of))
        for event in await session.scalars(wanted):
            found[event.work_id][event.code] = event.happened_on
    return found


async def events(session: AsyncSession, work_id: UUID) -> list[WorkEvent]:
    """Return the events of a work that have a day, in the order of their days."""
    wanted = select(WorkEvent).where(col(WorkEvent.work_id) == work_id)
    ordered = wanted.order_by(col(WorkEvent.happened_on), col(WorkEvent.code))
    return list(await session.scalars(ordered.execution_options(populate_existing=True)))


async def waiting(session: AsyncSession, event: WorkEvent) -> list[UUID]:
    """Return the parties that active encumbrances serve whose windows are counted from an event."""
    wanted = select(col(Encumbrance.beneficiary_id)).where(
        col(Encumbrance.work_id) == event.work_id,
        col(Encumbrance.state) == ACTIVE,
        or_(col(Encumbrance.start_event) == event.code, col(Encumbrance.end_event) == event.code),
    )
    return sorted({party for party in await session.scalars(wanted) if party is not None})


async def need_owner(session: AsyncSession, work_id: UUID, *, viewer: UUID | None) -> None:
    """Let the owners of a work and staff (viewer None) pass.

    Raises:
        Unknown: there is no such work, or it is another's.
    """
    work = await works.get_work(session, work_id)
    if viewer is not None and viewer not in await owners_of(session, work):
        raise Unknown("There is no such work.")


async def owners_of(session: AsyncSession, work: Work) -> list[UUID]:
    """Return who owns a work: the declared owners of its tree, and its registrant."""
    wanted = select(col(Share.party_id)).where(col(Share.work_id) == work.root_id)
    return sorted({work.party_id, *await session.scalars(wanted)})


@cache  # built once: it is asked for each question of what is free
def _standing() -> Select[Any]:
    events = (
        select(func.jsonb_object_agg(col(WorkEvent.code), col(WorkEvent.happened_on)))
        .where(
            col(WorkEvent.work_id) == col(Encumbrance.work_id),
            col(WorkEvent.code).in_((col(Encumbrance.start_event), col(Encumbrance.end_event))),
        )
        .scalar_subquery()
    )
    agreed = (
        select(func.jsonb_agg(col(EncumbranceConsent.wire)))
        .where(
            col(EncumbranceConsent.work_id) == col(Encumbrance.work_id),
            col(EncumbranceConsent.encumbrance_id) == col(Encumbrance.id),
        )
        .scalar_subquery()
    )
    ranges = ("units", "rights", "media", "territories", "languages")
    return (
        select(
            col(Encumbrance.id),
            col(Encumbrance.kind),
            col(Encumbrance.beneficiary_id),
            col(Encumbrance.wire),
            *(cast(getattr(Encumbrance, name), Text).label(name) for name in ranges),
            events.label("events"),
            agreed.label("consents"),
        )
        .where(col(Encumbrance.root_id) == bindparam("root"), col(Encumbrance.state) == ACTIVE)
        .order_by(col(Encumbrance.id))
    )


def _burdens(row: Row[Any]) -> list[Burden]:
    days = {code: date.fromisoformat(day) for code, day in (row.events or {}).items()}
    when = moments.when(row.wire)
    (units,) = _pairs(row.units)
    whole = Burden(
        record_id=row.id,
        kind=row.kind,
        units=units,
        uses=_uses(row.rights, row.media),
        territories=_mask("territory", row.territories),
        languages=_mask("language", row.languages),
        span=when.span(days),
        waits_for=when.waits_for(days),
        beneficiary=row.beneficiary_id,
    )
    given = [consents.consent_of(wire) for wire in row.consents or ()]
    return [piece for piece in consents.without(whole, given) if not moments.is_never(piece.span)]


def _pairs(text: str) -> list[tuple[int, int]]:
    return [(int(low), int(high)) for low, high in _RANGE.findall(text)]


@lru_cache(maxsize=4096)
def _mask(axis: str, text: str) -> int:
    named = {one.name: one for one in (axes.TERRITORIES, axes.LANGUAGES, axes.MEDIA)}
    return named[axis].of_ranges(_pairs(text))


@lru_cache(maxsize=4096)
def _uses(rights: str, media: str) -> int:
    mask, held = 0, _mask("medium", media)
    for low, high in _pairs(rights):
        for number in range(low, high):
            mask |= axes.uses(_CODES[number], held)
    return mask
