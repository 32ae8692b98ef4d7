"""Encumbrances for tests: as they come over the wire."""

from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from contracts import ids
from contracts.encumbrances import service
from contracts.encumbrances.tables import Encumbrance
from contracts.parties.tables import Party
from contracts.works.tables import Work
from tests.conftest import NOW

SHA256 = "ab" * 32


def terms(**changes: Any) -> dict[str, Any]:
    """What a holdback says: no satellite broadcast in Mainland China during 2027.

    A change to None leaves the key out.
    """
    said = {
        "right": "broadcasting",
        "media": ["satellite"],
        "territories": ["CN"],
        "languages": ["zh"],
        "first_day": "2027-01-01",
        "last_day": "2027-12-31",
        "tz": "Asia/Shanghai",
        **changes,
    }
    return {key: value for key, value in said.items() if value is not None}


def undated(**changes: Any) -> dict[str, Any]:
    """The same from a theatrical release, which has no day yet, until six months later."""
    start, end = {"event": "theatrical-release"}, {"event": "theatrical-release", "lag": "P6M"}
    return terms(first_day=None, last_day=None, start=start, end=end, **changes)


async def declared(
    session: AsyncSession, subject: Work, owner: Party | None, **said: Any
) -> Encumbrance:
    """A blackout by its owner, unless said otherwise; owner None is the exchange."""
    wanted = {"kind": "blackout", "wire": terms(), **said}
    return await service.declare(
        session, subject.id, wanted.pop("id", ids.new(NOW)),
        by=owner and owner.id, now=NOW, **wanted,
    )  # fmt: skip
