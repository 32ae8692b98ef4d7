"""Loading a row under its lock, against a real PostgreSQL."""

import asyncio

import pytest
from sqlalchemy.exc import NoResultFound
from sqlmodel import col

from contracts import ids, locking
from contracts.titles.tables import Share
from contracts.works.tables import Work
from exchange.db import Database
from tests.conftest import NOW
from tests.contracts.parties_factory import party
from tests.contracts.works_factory import work


async def test_two_who_refer_to_a_row_and_then_lock_it_do_not_wait_in_a_circle(
    db: Database,
) -> None:
    async with db.transaction() as session:
        owners = [await party(session, kind="rights_holder", now=NOW) for _ in range(2)]
        subject = await work(session, party_id=owners[0].id, now=NOW)
    both_refer = asyncio.Barrier(2)

    async def refer_then_lock(place: int) -> None:
        async with db.transaction() as session:
            session.add(Share(work_id=subject.id, party_id=owners[place].id, share_bp=5_000))
            await session.flush()
            await both_refer.wait()
            assert await locking.find_locked(session, Work, col(Work.id) == subject.id)

    async with asyncio.timeout(20):
        await asyncio.gather(refer_then_lock(0), refer_then_lock(1))


async def test_a_locked_row_is_read_afresh(db: Database) -> None:
    async with db.transaction() as session:
        owner = await party(session, kind="rights_holder", now=NOW)
        subject = await work(session, party_id=owner.id, now=NOW)
    async with db.transaction() as reader:
        before = await reader.get_one(Work, subject.id)
        async with db.transaction() as writer:
            (await writer.get_one(Work, subject.id)).title_en = "Another Title"
        assert before.title_en != "Another Title"
        after = await locking.find_locked(reader, Work, col(Work.id) == subject.id)
        assert after is before and after.title_en == "Another Title"


async def test_a_row_that_is_named_and_not_there_is_a_bug_and_no_refusal(db: Database) -> None:
    async with db.transaction() as session:
        owner = await party(session, kind="rights_holder", now=NOW)
        subject = await work(session, party_id=owner.id, now=NOW)
        assert await locking.get_locked(session, Work, col(Work.id) == subject.id) is subject
        with pytest.raises(NoResultFound):
            await locking.get_locked(session, Work, col(Work.id) == ids.new(NOW))
