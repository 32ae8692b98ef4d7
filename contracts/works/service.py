"""Registering works."""

from dataclasses import asdict
from datetime import datetime
from typing import Unpack
from uuid import UUID

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.facts import service as facts
from contracts.parties import queries as parties
from contracts.parties.rules import need_verified
from contracts.refusal import IdReused
from contracts.works import queries, rules
from contracts.works.rules import Description, WorkFields
from contracts.works.tables import Work


async def register(
    session: AsyncSession,
    work_id: UUID,
    *,
    party_id: UUID,
    now: datetime,
    **fields: Unpack[WorkFields],
) -> Work:
    """Register a work (作品) of a verified rights holder; the same again changes nothing.

    Raises:
        IdReused: the id belongs to a work with other content, or of another party.
        NotAllowed: the party is no rights holder.
        PartyNotVerified: the exchange has not verified the party yet.
        BadName: a title is empty, too long, or holds characters that cannot be seen.
        BadYear: the year is not possible.
        UnknownCountry: the country is no ISO 3166-1 code.
        BadEidr: the EIDR does not check.
        BadIsan: the ISAN does not check.
        BadPermit: the permit number has none of the known forms.
        InvalidContent: the kind is not known.
    """
    wanted = rules.describe(fields)
    known = await queries.find_work(session, work_id)
    if known is not None:
        return _same(known, party_id=party_id, wanted=wanted)
    party = await parties.get_party(session, party_id)
    rules.need_rights_holder(party.kind)
    need_verified(party.state)
    rules.check_year(wanted.year, now=now)
    work = Work(id=work_id, root_id=work_id, party_id=party_id, created_at=now, **asdict(wanted))
    made = await session.execute(
        insert(Work).values(**work.model_dump()).on_conflict_do_nothing().returning(Work)
    )
    row = made.scalar_one_or_none()
    if row is None:
        rival = await queries.get_work(session, work_id)
        return _same(rival, party_id=party_id, wanted=wanted)
    await facts.record(
        session,
        "work.registered",
        row.id,
        {"work": str(row.id), "party": str(party_id), "title_sha256": wanted.title_sha256()},
        parties=[party_id],
        now=now,
    )
    return row


def _same(work: Work, *, party_id: UUID, wanted: Description) -> Work:
    given = Description(**work.model_dump(include=set(WorkFields.__annotations__)))
    if (work.party_id, given) != (party_id, wanted):
        raise IdReused("This id belongs to a work with other content.", work=str(work.id))
    return work
