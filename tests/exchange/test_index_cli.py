"""The index as its operator meets it: the worker's step, `exchange index`, and the doctor."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import anyio.to_thread
import pytest
from sqlalchemy.ext.asyncio import AsyncSession
from typer.testing import CliRunner

from exchange import clock, doctor, index_cli, index_verbs
from exchange.context import Context
from exchange.db import Database
from exchange.settings import Settings
from listings.index import keeping, queries, service
from listings.index.tables import IndexEntry
from tests.contracts.parties_factory import party
from tests.listings.catalogue_factory import published_listing
from tests.listings.index_factory import film, indexed


@pytest.fixture
async def mine(context: Context, tmp_path: Path) -> AsyncIterator[Context]:
    """The context with an index folder of its own, and one master in the index for good."""
    settings = Settings(home=context.settings.home, index_dir=tmp_path / "index")
    made = replace(context, settings=settings)
    async with made.db.transaction() as session:
        await indexed(session, film(301, 70), now=clock.now())
    yield made


def run(mine: Context, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> tuple[int, str]:
    """Run a command as in a process of its own: with connections of its own."""
    monkeypatch.setattr(index_cli, "Settings", lambda: mine.settings)
    monkeypatch.setattr(
        index_cli, "open_context", lambda _: replace(mine, db=Database(mine.db.url, pool_size=1))
    )
    result = CliRunner().invoke(index_cli.app, list(arguments))
    return result.exit_code, result.output


async def test_status_rebuild_and_status_again(
    mine: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def said(*arguments: str) -> tuple[int, str]:
        return await anyio.to_thread.run_sync(lambda: run(mine, monkeypatch, *arguments))

    code, text = await said("status", "--json")
    before = json.loads(text)
    assert code == 0
    assert before["waiting"] == before["codes"] >= 70
    assert before["files"] == []
    code, text = await said("rebuild")
    assert code == 0 and f"{before['codes']:,} codes" in text
    code, text = await said("status", "--json")
    after = json.loads(text)
    assert (code, after["waiting"], len(after["files"])) == (0, 0, 1)
    code, text = await said("status")
    assert code == 0 and "read from rows" in text


async def test_a_damaged_file_is_told_by_status_and_doctor(
    mine: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with mine.db.transaction() as session:
        await keeping.rebuild(session, folder=mine.settings.index)
    (path,) = mine.settings.index.glob("*.scan")
    path.write_bytes(path.read_bytes()[:-1])
    code, text = await anyio.to_thread.run_sync(lambda: run(mine, monkeypatch, "status"))
    assert code == 3 and "damaged" in text
    async with mine.db.transaction() as session:
        finding = await doctor._index(session, mine.settings)
    assert (finding.state, path.name in finding.detail) == ("warning", True)
    assert await index_verbs.keep_index(mine, clock.now()) > 0
    async with mine.db.transaction() as session:
        assert (await doctor._index(session, mine.settings)).state == "ok"


async def test_what_was_listed_before_there_was_an_index_is_added(session: AsyncSession) -> None:
    now = clock.now()
    listing = await published_listing(session, seller=await party(session, now=now), now=now)
    entry = await queries.find_entry(session, listing.master_id)
    if entry is not None:  # as the database was before the index came
        await session.delete(await session.get_one(IndexEntry, entry.entry))
        await session.flush()
    assert listing.master_id in await queries.missing(session, limit=1000)
    assert await service.add_missing(session, limit=1000, now=now) >= 1
    assert await queries.find_entry(session, listing.master_id) is not None
    assert listing.master_id not in await queries.missing(session, limit=1000)
