import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from listings.masters import queries
from listings.masters.tables import FingerprintSegment
from tests.conftest import NOW
from tests.contracts.parties_factory import party
from tests.listings.masters_factory import CODES, ready_master


@pytest.mark.parametrize(
    "change",
    [
        "state = 'lost'",
        "stage = 'lost'",
        "done_bp = 10001",
        "declared_bytes = 0",
        "received_bytes = declared_bytes + 1",
        "received_bytes = declared_bytes - 1",
        "sha256 = 'not hex'",
        "fingerprint = NULL",
        "state = 'refused'",
    ],
)
async def test_the_database_keeps_a_master_sound(session: AsyncSession, change: str) -> None:
    master = await ready_master(
        session, party_id=(await party(session, now=NOW)).id, work_id=None, now=NOW
    )
    with pytest.raises(IntegrityError):
        await session.execute(
            text(f"UPDATE master SET {change} WHERE id = :id"),
            {"id": master.id},
        )


async def test_the_codes_of_a_track_come_back_in_order(session: AsyncSession) -> None:
    master = await ready_master(
        session, party_id=(await party(session, now=NOW)).id, work_id=None, now=NOW
    )
    before = await queries.codes(session, master.id, "video")
    assert len(before) == CODES * 40
    for seg, codes in ((2, b"last"), (1, b"next")):
        session.add(
            FingerprintSegment(master_id=master.id, track="video", seg=seg, codes=codes * 10)
        )
        await session.flush()
    after = await queries.codes(session, master.id, "video")
    assert after == before + b"next" * 10 + b"last" * 10
