"""One suite for every engine: the scan on this machine and ClickHouse give equal candidates."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import numpy as np
import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from listings.index import clickhouse, gateway, keeping, queries, service
from listings.index.clickhouse import ClickHouse, IndexAway
from listings.index.gateway import ClickHouseEngine, Engine, LocalEngine
from listings.index.rules import Candidate, Question
from tests.conftest import NOW
from tests.listings.clickhouse_embedded import Embedded
from tests.listings.index_factory import clip, film, indexed


@dataclass
class Installed:
    """An engine, and how the worker brings it up to date."""

    engine: Engine
    keep_up: Callable[[], Awaitable[int]]

    async def search(self, question: Question, *, since: int = 0) -> list[Candidate]:
        return await self.engine.search(question.codes, question.at_ms, most=5, since=since)


@pytest.fixture(scope="session")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Embedded]:
    server = Embedded(tmp_path_factory.mktemp("clickhouse"))
    yield server
    server.close()


@pytest.fixture
async def warehouse(embedded: Embedded) -> AsyncIterator[ClickHouse]:
    async with httpx.AsyncClient(transport=embedded, base_url="http://clickhouse.test") as client:
        made = ClickHouse(client)
        await made.create()
        await made.clear()
        yield made


@pytest.fixture
def here(session: AsyncSession, tmp_path: Path) -> Installed:
    async def keep_up() -> int:
        return await keeping.keep_up(session, folder=tmp_path, most_waiting=0)

    return Installed(LocalEngine(tmp_path, session), keep_up)


@pytest.fixture
def there(session: AsyncSession, warehouse: ClickHouse) -> Installed:
    async def keep_up() -> int:
        return await keeping.copy_up(session, warehouse)

    return Installed(ClickHouseEngine(warehouse, session), keep_up)


@pytest.fixture(params=["here", "there"])
def installed(request: pytest.FixtureRequest) -> Installed:
    found: Installed = request.getfixturevalue(request.param)
    return found


COPIES = {
    "as it is": {},
    "a part": {"first_s": 31.4, "seconds": 25},
    "noisy": {"noise": 0.2},
    "mirrored": {"mirrored": True, "noise": 0.05},
    "faster": {"speed": 1.04, "noise": 0.05},
    "slower": {"speed": 0.96, "first_s": 10},
    "a tenth faster": {"speed": 1.1},
}


async def test_a_copy_is_found_where_it_was_taken(
    session: AsyncSession, installed: Installed
) -> None:
    original = film(201, 80)
    await indexed(session, film(202, 80), now=NOW)
    master_id = await indexed(session, original, now=NOW)
    await installed.keep_up()
    for name, how in COPIES.items():
        (best,) = await installed.search(clip(original, **how))
        assert best.master_id == master_id, name
        assert best.mirrored == how.get("mirrored", False), name
        middle = best.here_ms + best.length_ms // 2
        true_ms = 1000 * how.get("first_s", 0) + middle * how.get("speed", 1)
        assert abs(best.offset_ms + best.slope * middle - true_ms) <= 2000, name
        assert best.votes >= best.asked // 3, name


async def test_nothing_is_found_of_what_is_not_there(
    session: AsyncSession, installed: Installed
) -> None:
    await indexed(session, film(203, 200), now=NOW)
    await installed.keep_up()
    assert await installed.search(clip(film(204, 70))) == []


async def test_a_minute_of_bars_does_not_hide_what_was_copied(
    session: AsyncSession, installed: Installed
) -> None:
    """Many masters begin with the same bars; the clip has them and a quarter of a film."""
    bars = film(220, 30)
    bars[:] = bars[0]
    original = np.concatenate([bars, film(221, 40)])
    for seed in range(222, 228):
        await indexed(session, np.concatenate([bars, film(seed, 40)]), now=NOW)
    master_id = await indexed(session, original, now=NOW)
    await installed.keep_up()
    question = clip(np.concatenate([bars, original[500:]]), seconds=50)
    assert (await installed.search(question))[0].master_id == master_id


async def test_what_waits_to_be_copied_is_found_in_its_rows(
    session: AsyncSession, installed: Installed
) -> None:
    first, second = film(205, 70), film(206, 70)
    one = await indexed(session, first, now=NOW)
    await installed.keep_up()
    seen = (await queries.head(session)).entries
    other = await indexed(session, second, now=NOW)
    for _ in ("waiting", "copied"):
        assert [each.master_id for each in await installed.search(clip(first))] == [one]
        assert [each.master_id for each in await installed.search(clip(second))] == [other]
        assert await installed.search(clip(first), since=seen) == []
        assert await installed.search(clip(second), since=seen)
        await installed.keep_up()


async def test_what_is_dropped_is_gone_at_once(session: AsyncSession, installed: Installed) -> None:
    original = film(207, 70)
    master_id = await indexed(session, original, now=NOW)
    await installed.keep_up()
    await service.drop(session, master_id, now=NOW)
    assert await installed.search(clip(original)) == []
    await installed.keep_up()
    assert await installed.search(clip(original)) == []


async def test_another_past_is_not_believed_and_is_replaced(
    session: AsyncSession, installed: Installed
) -> None:
    other, original = film(208, 70), film(209, 70)
    before = await session.begin_nested()
    await indexed(session, other, now=NOW)
    await installed.keep_up()
    await before.rollback()
    master_id = await indexed(session, original, now=NOW)
    for _ in range(2):
        assert [each.master_id for each in await installed.search(clip(original))] == [master_id]
        assert await installed.search(clip(other)) == []
        await installed.keep_up()


async def test_both_engines_give_equal_candidates(
    session: AsyncSession, here: Installed, there: Installed
) -> None:
    films = [film(seed, 80) for seed in range(210, 214)]
    for each in films[:2]:
        await indexed(session, each, now=NOW)
    await here.keep_up()
    await there.keep_up()
    await indexed(session, films[2], now=NOW)
    found = 0
    for number, each in enumerate(films):
        for how in list(COPIES.values())[number % 2 :: 2]:
            question = clip(each, **{**how, "seed": number})
            answer = await here.search(question)
            assert answer == await there.search(question)
            found += len(answer)
    assert found == sum(len(list(COPIES)[number % 2 :: 2]) for number in range(3))


async def test_an_entry_that_was_cut_off_on_its_way_is_begun_anew(
    session: AsyncSession, warehouse: ClickHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    await indexed(session, film(217, 70), now=NOW)
    await keeping.copy_up(session, warehouse)
    codes = await warehouse.count()
    await indexed(session, film(218, 70), now=NOW)
    entry = (await queries.head(session)).entries
    monkeypatch.setattr(clickhouse, "_END", "SELECT nonsense, {entry}, '{chain}'")
    with pytest.raises(IndexAway):
        await keeping.copy_up(session, warehouse)
    monkeypatch.undo()
    assert await warehouse.count() == codes + 70
    assert await gateway.copied_to(session, warehouse) == entry - 1
    assert await keeping.copy_up(session, warehouse) == 1
    assert await warehouse.count() == codes + 70


async def test_a_server_that_is_away_is_told(
    session: AsyncSession, there: Installed, embedded: Embedded
) -> None:
    original = film(219, 70)
    await indexed(session, original, now=NOW)
    embedded.away = True
    with pytest.raises(IndexAway):
        await there.search(clip(original))
    embedded.away = False
    assert await there.search(clip(original))
