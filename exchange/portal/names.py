"""Names beside ids: parties, people and works as the visitor's language writes them."""

from collections.abc import Collection
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from contracts.parties import queries as parties
from contracts.works import queries as works
from exchange.identity.tables import Person
from exchange.portal.language import Language
from settlement.ledger.rules import owner_of


async def party(session: AsyncSession, party_id: UUID, *, spoken: Language) -> str:
    """Return the name of an organisation; its id when there is none of that id."""
    found = await parties.find_party(session, party_id)
    return str(party_id) if found is None else spoken.pick(found.name_zh, found.name_en)


async def parties_named(
    session: AsyncSession, party_ids: Collection[UUID], *, spoken: Language
) -> dict[UUID, str]:
    """Return the names of organisations by their ids, those that there are."""
    found = await parties.parties_of(session, party_ids)
    return {one: spoken.pick(party.name_zh, party.name_en) for one, party in found.items()}


async def owners(
    session: AsyncSession, codes: Collection[str], *, spoken: Language
) -> dict[str, str]:
    """Return the names of those whom accounts are about, by code; other accounts are left out."""
    about = {code: owner for code in codes if (owner := owner_of(code)) is not None}
    named = await parties_named(session, set(about.values()), spoken=spoken)
    return {code: named[owner] for code, owner in about.items() if owner in named}


async def work(session: AsyncSession, work_id: UUID, *, spoken: Language) -> str:
    """Return the title of a work; its id when there is none of that id."""
    found = await works.find_work(session, work_id)
    return str(work_id) if found is None else spoken.pick(found.title_zh, found.title_en)


async def person(session: AsyncSession, person_id: UUID | None) -> str:
    """Return the name of a person; a dash for nobody."""
    found = None if person_id is None else await session.get(Person, person_id)
    return "–" if found is None else found.name
