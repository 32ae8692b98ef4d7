"""Registering works, placing them in their tree, and saying when they were made and published."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import date, datetime
from typing import Unpack
from uuid import UUID

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from contracts import locking
from contracts.facts import service as facts
from contracts.parties import queries as parties
from contracts.parties.rules import need_verified
from contracts.refusal import IdReused, Unknown
from contracts.works import protection, queries, rules, tree
from contracts.works.rules import Description, WorkFields
from contracts.works.tables import Work

_DESCRIBED = set(Description.__dataclass_fields__)


async def register(
    session: AsyncSession,
    work_id: UUID,
    *,
    party_id: UUID,
    completed_on: date | None = None,
    published_on: date | None = None,
    now: datetime,
    **fields: Unpack[WorkFields],
) -> Work:
    """Register a work (作品) of a verified rights holder; the same again changes nothing.

    With `parent_id` the work takes the next free place below another of the same registrant. Dates
    that a repetition leaves out say nothing: they may have been given since (`settle_dates`).

    Raises:
        IdReused: the id belongs to a work with other content, or of another party.
        NotAllowed: the party is no rights holder.
        PartyNotVerified: the exchange has not verified the party yet.
        Unknown: the party registered no work with the parent's id.
        WorkNeedsParent: a season or an edit without a parent.
        WorkCannotNest: a work of this kind does not stand below the parent.
        WorkTreeTooDeep: the parent's block is a single number.
        WorkTreeFull: the parent has as many children as it can have.
        IdentifierTaken: another work is registered under the EIDR or ISAN.
        BadDates: the dates have not come, or do not stand in order.
        BadYear: the year is not possible.
        Refusal: another field breaks its rule, as `rules.describe` says.
    """
    wanted, dates = rules.describe(fields), (completed_on, published_on)
    known = await queries.find_work(session, work_id)
    if known is not None:
        return _same(known, party_id=party_id, wanted=wanted, dates=dates)
    await _need_registrant(session, party_id)
    rules.check_year(wanted.year, now=now)
    protection.check_dates(*dates, now=now)
    root_id, (first, after) = await _place(session, work_id, wanted=wanted, party_id=party_id)
    work = Work(
        id=work_id, party_id=party_id, root_id=root_id, unit_first=first, unit_after=after,
        completed_on=completed_on, published_on=published_on, created_at=now, **asdict(wanted),
    )  # fmt: skip
    row = await _add(session, work)
    if row is None:
        rival = await queries.find_work(session, work_id)
        if rival is None:
            raise rules.IdentifierTaken("Another work has this EIDR or ISAN.")
        return _same(rival, party_id=party_id, wanted=wanted, dates=dates)
    await _make_known(session, row, title_sha256=wanted.title_sha256(), now=now)
    return row


async def settle_dates(
    session: AsyncSession,
    work_id: UUID,
    *,
    party_id: UUID,
    completed_on: date | None,
    published_on: date | None,
    now: datetime,
) -> Work:
    """Say when a work was completed (创作完成) or first published (首次发表); once, for each.

    None says nothing of that date. What stands already may be said again.

    Raises:
        Unknown: the party registered no work of that id.
        BadDates: the dates have not come, do not stand in order, or neither was given.
        DatesSettled: another date was given before.
    """
    found = await queries.get_work_of(session, work_id, party_id)
    await _lock(session, found.root_id)  # grants of the tree are decided by its dates
    work = await _lock(session, work_id)
    protection.need_a_date(completed_on, published_on)
    before = (work.completed_on, work.published_on)
    completed = protection.settled(work.completed_on, completed_on)
    published = protection.settled(work.published_on, published_on)
    protection.check_dates(completed, published, now=now)
    if (completed, published) != before:
        work.completed_on, work.published_on = completed, published
        await session.flush()
        await _record_dates(session, work, now=now)
    return work


async def _need_registrant(session: AsyncSession, party_id: UUID) -> None:
    party = await parties.get_party(session, party_id)
    rules.need_rights_holder(party.kind)
    need_verified(party.state)


async def _add(session: AsyncSession, work: Work) -> Work | None:
    """Return the new row, or None when another has its id, its EIDR or its ISAN."""
    wanted = insert(Work).values(**work.model_dump())
    made = await session.execute(wanted.on_conflict_do_nothing().returning(Work))
    return made.scalar_one_or_none()


async def _place(
    session: AsyncSession, work_id: UUID, *, wanted: Description, party_id: UUID
) -> tuple[UUID, tree.Block]:
    """Return the root and the block of a new work; places of one tree are given one at a time."""
    if wanted.parent_id is None:
        return work_id, (0, tree.WHOLE)
    parent = await queries.get_work_of(session, wanted.parent_id, party_id)
    tree.check_nesting(wanted.kind, parent_kind=parent.kind)
    await _lock(session, parent.root_id)
    last = await queries.last_child(session, parent.id)
    return parent.root_id, tree.next_part(
        tree.units(parent), None if last is None else tree.units(last)
    )


async def _lock(session: AsyncSession, work_id: UUID) -> Work:
    work = await locking.find_locked(session, Work, col(Work.id) == work_id)
    if work is None:
        raise Unknown("There is no such work.", work=str(work_id))
    return work


def _same(work: Work, *, party_id: UUID, wanted: Description, dates: Sequence[date | None]) -> Work:
    given = Description(**work.model_dump(include=_DESCRIBED))
    known = (work.completed_on, work.published_on)
    other = any(day not in (None, stands) for day, stands in zip(dates, known, strict=True))
    if other or (work.party_id, given) != (party_id, wanted):
        raise IdReused("This id belongs to a work with other content.", work=str(work.id))
    return work


async def _make_known(
    session: AsyncSession, work: Work, *, title_sha256: str, now: datetime
) -> None:
    who = [work.party_id]
    record = {"work": str(work.id), "party": str(work.party_id), "title_sha256": title_sha256}
    await facts.record(session, "work.registered", work.id, record, parties=who, now=now)
    if work.parent_id is not None:
        placed = {
            "work": str(work.id), "parent": str(work.parent_id), "root": str(work.root_id),
            "unit_first": work.unit_first, "unit_after": work.unit_after,
        }  # fmt: skip
        await facts.record(session, "work.placed", work.id, placed, parties=who, now=now)
    if work.completed_on or work.published_on:
        await _record_dates(session, work, now=now)


async def _record_dates(session: AsyncSession, work: Work, *, now: datetime) -> None:
    record = {
        "work": str(work.id),
        "completed_on": work.completed_on and work.completed_on.isoformat(),
        "published_on": work.published_on and work.published_on.isoformat(),
    }
    await facts.record(session, "work.dated", work.id, record, parties=[work.party_id], now=now)
