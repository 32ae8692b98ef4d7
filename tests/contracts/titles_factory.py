"""Grants for tests: through the register, and straight into the table past every rule."""

from typing import Any
from uuid import UUID

from sqlalchemy.dialects.postgresql import Range
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import ids
from contracts.parties.tables import Party
from contracts.rights import rules as rights
from contracts.titles import recording, service
from contracts.titles.recording import Licensee
from contracts.titles.tables import LANES, RightsGrant, columns
from contracts.works.rules import units
from contracts.works.tables import Work
from tests.conftest import NOW
from tests.contracts.parties_factory import party
from tests.contracts.works_factory import work


async def owned(session: AsyncSession, *, kind: str = "series") -> tuple[Party, Work]:
    """A rights holder with a work."""
    owner = await party(session, now=NOW)
    return owner, await work(session, party_id=owner.id, kind=kind, now=NOW)


async def granted(
    session: AsyncSession, subject: Work, *wires: dict[str, Any], grantor: Party, licensee: Party
) -> list[RightsGrant]:
    """Licences recorded as effective."""
    return await recording.record_grant(
        session, subject.id, ids.new(NOW),
        grantor_id=grantor.id, licensee=Licensee(licensee.id), boxes=wires, documents=[], now=NOW,
    )  # fmt: skip


async def offered(
    session: AsyncSession, subject: Work, *wires: dict[str, Any], grantor: Party
) -> list[RightsGrant]:
    """Rights reserved for an offer."""
    return await service.reserve(
        session, subject.id,
        grantor_id=grantor.id, boxes=wires, source=str(ids.new(NOW)), now=NOW,
    )  # fmt: skip


async def raw(
    session: AsyncSession, subject: Work, said: dict[str, Any], *, grantor: Party, **changes: Any
) -> UUID:
    """A grant put straight into the table; the id of its row."""
    lane = await session.scalar(LANES)
    assert lane is not None
    grant = RightsGrant(
        work_id=subject.id, root_id=subject.root_id, units=Range(*units(subject)),
        id=ids.new(NOW), grantor_id=grantor.id, source="raw", wire=said, created_at=NOW,
        sublicence_depth=rights.sublicence_depth(said),
        **columns(rights.resolve(said), lane=lane),
    )  # fmt: skip
    for name, value in changes.items():
        setattr(grant, name, value)
    async with session.begin_nested():
        session.add(grant)
    return grant.id
