"""Works in their trees, against a real PostgreSQL."""

import asyncio
import json
from datetime import date
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from contracts import ids
from contracts.facts.tables import Fact
from contracts.refusal import IdReused, Unknown
from contracts.works import queries, service, tree
from contracts.works.protection import BadDates, DatesSettled
from contracts.works.tables import Work
from contracts.works.tree import WorkCannotNest, WorkNeedsParent, WorkTreeFull
from exchange.db import Database
from tests.conftest import NOW
from tests.contracts.parties_factory import party
from tests.contracts.works_factory import child, work


async def register(session: AsyncSession, owner: UUID, **change: Any) -> Work:
    fields = {
        "title_zh": "珠江之花", "title_en": "Flower", "kind": "series", "year": 2026,
        "country": "CN", "eidr": None, "isan": None, "permit_no": None, **change,
    }  # fmt: skip
    work_id = fields.pop("work_id", ids.new(NOW))
    return await service.register(session, work_id, party_id=owner, now=NOW, **fields)


async def facts(session: AsyncSession, subject: UUID) -> dict[str, Any]:
    found = await session.scalars(select(Fact).where(col(Fact.subject) == subject))
    return {fact.kind: json.loads(fact.record) for fact in found}


async def test_a_work_without_a_parent_is_a_root_with_the_whole_block(
    session: AsyncSession,
) -> None:
    owner = await party(session, now=NOW)
    root = await register(session, owner.id)
    assert (root.parent_id, root.root_id, tree.units(root)) == (None, root.id, (0, 2**30))
    assert set(await facts(session, root.id)) == {"work.registered"}


async def test_a_series_with_seasons_episodes_and_edits_is_one_tree(session: AsyncSession) -> None:
    owner = (await party(session, now=NOW)).id
    series = await register(session, owner)
    season = await register(session, owner, kind="season", parent_id=series.id)
    episode = await register(session, owner, kind="episode", parent_id=season.id)
    edit = await register(session, owner, kind="edit", parent_id=episode.id)
    special = await register(session, owner, kind="episode", parent_id=series.id)
    nodes = await queries.tree(session, series.id)
    assert [node.id for node in nodes] == [
        node.id for node in (series, season, episode, edit, special)
    ]
    assert [tree.units(node) for node in nodes] == [
        (0, 2**30),
        (2**20, 2 * 2**20),
        (2**20 + 2**10, 2**20 + 2 * 2**10),
        (2**20 + 2**10 + 1, 2**20 + 2**10 + 2),
        (2 * 2**20, 3 * 2**20),
    ]
    assert {node.root_id for node in nodes} == {series.id}
    assert await queries.tree(session, season.id) == []
    assert (await facts(session, edit.id))["work.placed"] == {
        "work": str(edit.id), "parent": str(episode.id), "root": str(series.id),
        "unit_first": 2**20 + 2**10 + 1, "unit_after": 2**20 + 2**10 + 2,
    }  # fmt: skip


async def test_children_come_in_pages_in_the_order_they_were_added(session: AsyncSession) -> None:
    owner = await party(session, now=NOW)
    series = await work(session, party_id=owner.id, kind="series", now=NOW)
    made = [await child(session, series, kind="episode", now=NOW) for _ in range(3)]
    await child(session, made[0], kind="edit", now=NOW)
    page = await queries.children(session, series.id, after=None, limit=2)
    assert [row.id for row in page] == [row.id for row in made[:2]]
    rest = await queries.children(session, series.id, after=page[-1].id, limit=2)
    assert [row.id for row in rest] == [made[2].id]
    assert await queries.children(session, series.id, after=ids.new(NOW), limit=2) == []


async def test_the_same_child_again_keeps_its_place(session: AsyncSession) -> None:
    owner = (await party(session, now=NOW)).id
    series, other = await register(session, owner), await register(session, owner)
    season = await register(session, owner, kind="season", parent_id=series.id)
    again = {"work_id": season.id, "kind": "season"}
    assert await register(session, owner, **again, parent_id=series.id) is season
    with pytest.raises(IdReused):
        await register(session, owner, **again, parent_id=other.id)
    assert len(await queries.tree(session, series.id)) == 2


async def test_anothers_work_is_no_parent(session: AsyncSession) -> None:
    owner, other = await party(session, now=NOW), await party(session, now=NOW)
    series = await register(session, owner.id)
    for parent_id in (series.id, ids.new(NOW)):
        with pytest.raises(Unknown):
            await register(session, other.id, kind="season", parent_id=parent_id)


async def test_a_work_stands_only_where_its_kind_may(session: AsyncSession) -> None:
    owner = (await party(session, now=NOW)).id
    film = await register(session, owner, kind="film")
    with pytest.raises(WorkCannotNest):
        await register(session, owner, kind="episode", parent_id=film.id)
    with pytest.raises(WorkNeedsParent):
        await register(session, owner, kind="edit")


async def test_the_1024th_child_is_refused(session: AsyncSession) -> None:
    owner = (await party(session, now=NOW)).id
    series = await register(session, owner)
    for number in (1, 1022):
        first, after = tree.part((0, tree.WHOLE), number)
        fields = series.model_dump() | {"id": ids.new(NOW), "parent_id": series.id}
        session.add(Work(**fields | {"unit_first": first, "unit_after": after, "kind": "episode"}))
    await session.flush()
    last = await register(session, owner, kind="episode", parent_id=series.id)
    assert tree.units(last) == tree.part((0, tree.WHOLE), 1023)
    with pytest.raises(WorkTreeFull):
        await register(session, owner, kind="episode", parent_id=series.id)


async def test_many_who_add_children_at_once_get_places_of_their_own(db: Database) -> None:
    async with db.transaction() as session:
        owner = (await party(session, now=NOW)).id
        series = await register(session, owner)
        season = await register(session, owner, kind="season", parent_id=series.id)

    async def add(number: int) -> None:
        parent = (series, season)[number % 2]
        async with db.transaction() as own:
            await register(own, owner, kind="episode", parent_id=parent.id)

    async with asyncio.timeout(30):
        await asyncio.gather(*(add(number) for number in range(20)))
    async with db.transaction() as session:
        nodes = await queries.tree(session, series.id)
    for parent, others in ((series, 1), (season, 0)):
        blocks = [tree.units(node) for node in nodes if node.parent_id == parent.id]
        assert blocks == [tree.part(tree.units(parent), number) for number in range(1, 11 + others)]


def misplaced(series: Work, season: Work, other: Work) -> dict[str, dict[str, Any]]:
    first, after = tree.part(tree.units(series), 7)
    good = season.model_dump() | {"unit_first": first, "unit_after": after, "kind": "episode"}
    taken, within = tree.units(season), first + 2**10
    return {
        "a block another has": good | dict(zip(("unit_first", "unit_after"), taken, strict=True)),
        "the parent's own part": good | {"unit_first": 0, "unit_after": 2**20},
        "a smaller block": good | {"unit_after": first + 2**10},
        "two parts": good | {"unit_after": first + 2 * 2**20},
        "a block across two parts": good | {"unit_first": within, "unit_after": within + 2**20},
        "a block beyond the whole": good | {"unit_first": 2**30, "unit_after": 2**30 + 2**20},
        "another tree": good | {"root_id": other.id},
        "another registrant": good | {"party_id": other.party_id},
        "a child of itself": good | {"parent_id": None, "root_id": series.id},
        "a root with a part": good | {"parent_id": None, "root_id": None},
    }  # fmt: skip


async def test_the_database_refuses_every_misplaced_work(session: AsyncSession) -> None:
    owner, stranger = await party(session, now=NOW), await party(session, now=NOW)
    series = await register(session, owner.id)
    season = await register(session, owner.id, kind="season", parent_id=series.id)
    other = await work(session, party_id=stranger.id, kind="series", now=NOW)
    for fault, fields in misplaced(series, season, other).items():
        new = fields | {"id": ids.new(NOW)}
        row = Work(**new | {"root_id": new["root_id"] or new["id"]})
        with pytest.raises(DBAPIError):
            async with session.begin_nested():
                session.add(row)
                await session.flush()
        assert fault and row not in session


@pytest.mark.parametrize(
    "change",
    [
        "parent_id = NULL, root_id = id, unit_first = 0, unit_after = 1073741824",
        "unit_first = 3145728, unit_after = 4194304",
        "root_id = id",
        "completed_on = '2026-01-02'",
        "completed_on = NULL",
    ],
)
async def test_the_database_keeps_place_and_dates(session: AsyncSession, change: str) -> None:
    owner = (await party(session, now=NOW)).id
    series = await register(session, owner)
    season = await register(
        session, owner, kind="season", parent_id=series.id, completed_on=date(2026, 1, 1)
    )
    with pytest.raises(DBAPIError, match="keeps its place"):
        async with session.begin_nested():
            changed = text(f"UPDATE work SET {change} WHERE id = :id")
            await session.execute(changed, {"id": season.id})


async def test_a_work_is_never_deleted(session: AsyncSession) -> None:
    made = await register(session, (await party(session, now=NOW)).id)
    with pytest.raises(DBAPIError):
        async with session.begin_nested():
            await session.execute(text("DELETE FROM work WHERE id = :id"), {"id": made.id})


async def test_each_date_is_given_once_and_made_known(session: AsyncSession) -> None:
    owner = (await party(session, now=NOW)).id
    made = await register(session, owner)
    done, shown = date(2026, 3, 31), date(2026, 10, 1)

    async def say(completed_on: date | None, published_on: date | None) -> Work:
        return await service.settle_dates(
            session, made.id, party_id=owner, completed_on=completed_on,
            published_on=published_on, now=NOW,
        )  # fmt: skip

    await say(done, None)
    first = await facts(session, made.id)
    assert first["work.dated"]["completed_on"] == "2026-03-31"
    settled = await say(None, shown)
    assert (settled.completed_on, settled.published_on) == (done, shown)
    assert await say(done, shown) is settled
    count = select(Fact).where(col(Fact.subject) == made.id, col(Fact.kind) == "work.dated")
    assert len((await session.scalars(count)).all()) == 2
    with pytest.raises(DatesSettled):
        await say(date(2026, 4, 1), None)
    with pytest.raises(BadDates):
        await say(None, None)
    assert await register(session, owner, work_id=made.id) is made
    with pytest.raises(IdReused):
        await register(session, owner, work_id=made.id, completed_on=date(2026, 4, 1))


async def test_a_second_date_must_fit_the_first(session: AsyncSession) -> None:
    owner = (await party(session, now=NOW)).id
    made = await register(session, owner, completed_on=date(2026, 3, 31))
    with pytest.raises(BadDates):
        await service.settle_dates(
            session, made.id, party_id=owner, completed_on=None,
            published_on=date(2026, 3, 30), now=NOW,
        )  # fmt: skip


async def test_only_the_registrant_settles_dates(session: AsyncSession) -> None:
    owner, other = await party(session, now=NOW), await party(session, now=NOW)
    made = await register(session, owner.id)
    with pytest.raises(Unknown):
        await service.settle_dates(
            session, made.id, party_id=other.id, completed_on=date(2026, 1, 1),
            published_on=None, now=NOW,
        )  # fmt: skip
