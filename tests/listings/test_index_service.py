"""The index in the listing's transaction, on a real PostgreSQL."""

import asyncio
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from exchange.db import Database
from listings.index import gateway, keeping, queries, service
from listings.index.rules import Candidate, Question
from tests.conftest import NOW
from tests.listings.index_factory import clip, film, indexed, mastered


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "index"


def files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.scan"))


async def found(
    session: AsyncSession, folder: Path, question: Question, *, since: int = 0
) -> list[Candidate]:
    engine = gateway.open_engine(session, folder=folder)
    return await engine.search(question.codes, question.at_ms, most=5, since=since)


async def test_a_transaction_finds_what_it_added_itself(
    session: AsyncSession, folder: Path
) -> None:
    original = film(101, 200)
    await indexed(session, film(102, 200), now=NOW)
    master_id = await indexed(session, original, now=NOW)
    (best,) = await found(session, folder, clip(original, first_s=80, noise=0.1))
    assert best.master_id == master_id
    assert abs(best.offset_ms - 80_000) <= 1_000
    assert (best.mirrored, best.slope_bp, best.window) == (False, 10_000, 0)
    assert best.votes > best.asked * 0.8


async def test_what_was_rolled_back_was_never_there(db: Database, folder: Path) -> None:
    original = film(103, 120)
    async with db.sessions() as session:
        before = (await queries.head(session)).entries
        await indexed(session, original, now=NOW)
        assert await found(session, folder, clip(original))
        await session.rollback()
        assert (await queries.head(session)).entries == before
        assert await found(session, folder, clip(original)) == []


async def test_what_is_not_listed_is_not_found(session: AsyncSession, folder: Path) -> None:
    for seed in range(104, 107):
        await indexed(session, film(seed, 300), now=NOW)
    assert await found(session, folder, clip(film(107, 120), seconds=100)) == []


async def test_adding_again_is_the_same_as_once(session: AsyncSession) -> None:
    master_id = await mastered(session, film(108, 70), now=NOW)
    entry = await service.add(session, master_id, now=NOW)
    assert await service.add(session, master_id, now=NOW) == entry
    assert (await queries.head(session)).entries == entry


async def test_a_dropped_master_is_found_no_more_whoever_holds_its_codes(
    session: AsyncSession, folder: Path
) -> None:
    original = film(109, 120)
    master_id = await indexed(session, original, now=NOW)
    assert await keeping.keep_up(session, folder=folder, most_waiting=0)
    assert await found(session, folder, clip(original))
    assert await service.drop(session, master_id, now=NOW)
    assert await found(session, folder, clip(original)) == []
    assert not await service.drop(session, master_id, now=NOW)
    again = await service.add(session, master_id, now=NOW)
    assert again == (await queries.head(session)).entries
    assert [one.master_id for one in await found(session, folder, clip(original))] == [master_id]


async def test_only_what_came_later_is_looked_at_when_that_is_asked(
    session: AsyncSession, folder: Path
) -> None:
    first, second = film(110, 120), film(111, 120)
    await indexed(session, first, now=NOW)
    seen = (await queries.head(session)).entries
    await indexed(session, second, now=NOW)
    for _ in ("from rows", "from a file"):
        assert await found(session, folder, clip(first), since=seen) == []
        assert await found(session, folder, clip(second), since=seen)
        await keeping.rebuild(session, folder=folder)


async def test_of_two_publishers_at_once_the_second_sees_the_first(
    db: Database, folder: Path
) -> None:
    """Each searches, then adds, then looks at what came between: one of them finds the other."""
    original = film(112, 90)
    question = clip(original)
    meet = asyncio.Barrier(2)

    async def publish(seed: int) -> int:
        async with db.transaction() as session:
            master_id = await mastered(session, original, now=NOW, seed=seed)
            seen = (await queries.head(session)).entries
            before = len(await found(session, folder, question, since=seen))
            await meet.wait()
            entry = await service.add(session, master_id, now=NOW)
            later = [
                one
                for one in await found(session, folder, question, since=seen)
                if one.master_id != master_id
            ]
            assert (entry == seen + 1) == (not later)
            return before + len(later)

    async with asyncio.TaskGroup() as tasks:
        both = [tasks.create_task(publish(seed)) for seed in (1, 2)]
    assert sorted(task.result() for task in both) == [0, 1]


async def test_answers_are_the_same_from_rows_and_from_files(
    session: AsyncSession, folder: Path
) -> None:
    films = [film(seed, 150) for seed in range(120, 126)]
    questions = [
        clip(each, first_s=20, noise=0.15, mirrored=bool(number % 2), seed=number)
        for number, each in enumerate(films)
    ]
    for each in films[:4]:
        await indexed(session, each, now=NOW)

    async def answers() -> list[list[Candidate]]:
        return [await found(session, folder, question) for question in questions]

    from_rows = await answers()
    assert [len(each) for each in from_rows] == [1, 1, 1, 1, 0, 0]
    assert await keeping.keep_up(session, folder=folder, most_waiting=0)
    assert await answers() == from_rows
    for each in films[4:]:
        await indexed(session, each, now=NOW)
    assert [len(each) for each in await answers()] == [1] * 6
    with_rest = await answers()
    assert await keeping.keep_up(session, folder=folder, most_waiting=0)
    assert await answers() == with_rest
    assert await keeping.rebuild(session, folder=folder)
    assert await answers() == with_rest
    assert (await keeping.state(session, folder=folder)).waiting == 0


def flipped(whole: bytes, place: int) -> bytes:
    return whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :]


async def test_a_damaged_file_changes_no_answer_and_is_written_anew(
    session: AsyncSession, folder: Path
) -> None:
    original = film(130, 150)
    await indexed(session, original, now=NOW)
    await keeping.rebuild(session, folder=folder)
    question = clip(original, first_s=10)
    right = await found(session, folder, question)
    (path,) = files(folder)
    whole = path.read_bytes()
    for harm in (
        *(flipped(whole, place) for place in (50, 60_000, 70_000, len(whole) - 1)),
        whole[:-100],
        whole[:100],
        b"",
    ):
        path.unlink()
        path.write_bytes(harm)
        assert await found(session, folder, question) == right
        assert (await keeping.state(session, folder=folder)).damaged == (path.name,)
    assert await keeping.keep_up(session, folder=folder, most_waiting=10**9)
    assert (await keeping.state(session, folder=folder)).damaged == ()
    assert await found(session, folder, question) == right


async def test_a_file_of_another_past_is_not_believed(session: AsyncSession, folder: Path) -> None:
    """As after a backup was restored: the same numbers, other masters."""
    other, original = film(131, 100), film(132, 100)
    before = await session.begin_nested()
    await indexed(session, other, now=NOW)
    await keeping.rebuild(session, folder=folder)
    await before.rollback()
    master_id = await indexed(session, original, now=NOW)
    assert [one.master_id for one in await found(session, folder, clip(original))] == [master_id]
    assert await found(session, folder, clip(other)) == []


async def test_one_process_writes_at_a_time(session: AsyncSession, folder: Path) -> None:
    await indexed(session, film(133, 70), now=NOW)
    scans = await gateway.open_scans(folder)
    with scans.writing() as mine:
        assert mine
        assert await keeping.keep_up(session, folder=folder, most_waiting=0) == 0
        assert await keeping.rebuild(session, folder=folder) == 0
    assert await keeping.keep_up(session, folder=folder, most_waiting=0) >= 70


async def test_many_small_files_become_few(session: AsyncSession, folder: Path) -> None:
    for seed in range(140, 152):
        await indexed(session, film(seed, 20), now=NOW)
        await keeping.keep_up(session, folder=folder, most_waiting=0)
    state = await keeping.state(session, folder=folder)
    assert len(state.files) <= 4
    assert state.waiting == 0
    assert len(files(folder)) == len(state.files)
