"""Grants with runs, and telecasts under them, for tests."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from contracts import ids
from contracts.parties.tables import Party
from contracts.runs import service
from contracts.runs.tables import Telecast
from contracts.titles.tables import RightsGrant
from tests.conftest import NOW
from tests.contracts.parties_factory import party
from tests.contracts.rights_factory import wire
from tests.contracts.titles_factory import granted, owned

EVENING = datetime.fromisoformat("2026-03-01T19:30+08:00")
SHANGHAI = "Asia/Shanghai"


async def licensed(session: AsyncSession, **changes: Any) -> tuple[Party, Party, RightsGrant]:
    """An owner, a licensee, and a licence for 2026 with three runs, unless changed."""
    owner, subject = await owned(session)
    licensee = await party(session, kind="broadcaster", now=NOW)
    said = wire(**{"first_day": "2026-01-01", "last_day": "2026-12-31", **changes})
    (grant,) = await granted(session, subject, said, grantor=owner, licensee=licensee)
    return owner, licensee, grant


async def shown(
    session: AsyncSession,
    grant: RightsGrant,
    by: Party | None,
    *,
    hours: float = 0,
    channel: str = "示范卫视",
    zone: str = SHANGHAI,
    id: UUID | None = None,
) -> Telecast:
    """A telecast so many hours after EVENING."""
    return await service.log_telecast(
        session, grant.work_id, grant.id, id or ids.new(NOW),
        by=by and by.id, now=NOW,
        channel=channel, started_at=EVENING + timedelta(hours=hours), zone=zone,
    )  # fmt: skip
