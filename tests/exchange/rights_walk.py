"""A work whose rights are partly out, for tests of the pages of rights."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from contracts import ids
from contracts.encumbrances import service as encumbrances
from contracts.parties.tables import Party
from contracts.titles import holds, recording
from contracts.titles.recording import Licensee
from contracts.works.tables import Work
from tests.contracts.rights_factory import wire
from tests.contracts.works_factory import work

FAR = {"first_day": "2028-01-01", "last_day": "2029-06-30", "runs_max": None}


def satellite(*territories: str, **changes: Any) -> dict[str, Any]:
    """Satellite in some territories from 2028 to the middle of 2029, exclusively."""
    return wire(**{**FAR, "territories": list(territories), "excluded": [], **changes})


async def burdened(session: AsyncSession, *, owner: Party, friend: Party, now: datetime) -> Work:
    """A series of which Guangdong is sold, Beijing held, Hainan black, and Xizang undecided.

    Guangdong is out to the friend by a recorded licence, until June 2029; Beijing is held for it.
    """
    subject = await work(session, party_id=owner.id, kind="series", now=now)
    await recording.record_grant(
        session, subject.id, ids.new(now), grantor_id=owner.id, licensee=Licensee(friend.id),
        boxes=[satellite("CN-GD", runs_max=2)], documents=[], now=now,
    )  # fmt: skip
    await holds.place_hold(
        session, subject.id, ids.new(now), grantor_id=owner.id, grantee_id=friend.id,
        boxes=[satellite("CN-BJ")], expires_at=now + timedelta(days=7), now=now,
    )  # fmt: skip
    where = {"right": "broadcasting", "media": ["*"], "languages": ["zh"], "tz": "Asia/Shanghai"}
    days = {"first_day": "2028-03-01", "last_day": "2028-08-31"}
    await encumbrances.declare(
        session, subject.id, ids.new(now), by=owner.id, now=now,
        kind="blackout", wire={**where, **days, "territories": ["CN-HI"]},
    )  # fmt: skip
    waiting = {
        "start": {"event": "theatrical-release"},
        "end": {"event": "theatrical-release", "lag": "P6M"},
    }
    await encumbrances.declare(
        session, subject.id, ids.new(now), by=owner.id, now=now,
        kind="holdback", beneficiary_name="示范院线",
        wire={**where, **waiting, "territories": ["CN-XZ"]},
    )  # fmt: skip
    return subject
