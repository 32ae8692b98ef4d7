import asyncio
import secrets
from dataclasses import replace

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import canonical
from contracts.deals import publishing, templates
from contracts.deals.publishing import TextChanged
from contracts.deals.tables import PublishedText
from contracts.facts import queries as facts
from exchange.db import Database
from tests.conftest import NOW


async def published(session: AsyncSession) -> dict[str, PublishedText]:
    rows = (await session.execute(select(PublishedText))).scalars()
    return {row.name: row for row in rows}


async def test_a_template_is_published_once_with_all_that_its_text_is(db: Database) -> None:
    async with db.transaction() as session:
        await publishing.publish(session, now=NOW)
    async with db.transaction() as session:
        assert await publishing.publish(session, now=NOW) == 0
        rows = await published(session)
        template = templates.current(templates.NETWORK)
        row = rows[publishing.name_of(template)]
        said = await facts.all_of(session, row.id, "template.published")
    assert [canonical.loads(one.record) for one in said] == [publishing.record_of(template)]
    assert row.sha256 == template.sha256
    assert rows.keys() >= {publishing.name_of(one) for one in templates.TEMPLATES}


async def test_workers_that_start_together_publish_a_text_once(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with db.transaction() as session:
        await publishing.publish(session, now=NOW)
    newer = replace(templates.current(templates.NETWORK), version=secrets.token_hex(8))
    monkeypatch.setattr(templates, "TEMPLATES", (*templates.TEMPLATES, newer))

    async def worker() -> int:
        async with db.transaction() as session:
            return await publishing.publish(session, now=NOW)

    assert sorted(await asyncio.gather(*(worker() for _ in range(4)))) == [0, 0, 0, 1]


async def test_a_text_that_changed_under_its_version_is_refused_at_the_start(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with db.transaction() as session:
        await publishing.publish(session, now=NOW)
    whole = templates.current(templates.NETWORK)
    others = tuple(one for one in templates.TEMPLATES if one is not whole)
    monkeypatch.setattr(templates, "TEMPLATES", (*others, replace(whole, sha256="0" * 64)))
    async with db.transaction() as session:
        for verb in (publishing.check(session), publishing.publish(session, now=NOW)):
            with pytest.raises(TextChanged) as refusal:
                await verb
            assert refusal.value.data["changed"] == [publishing.name_of(whole)]


@pytest.mark.parametrize(
    "change",
    ["UPDATE published_text SET sha256 = repeat('0', 64)", "DELETE FROM published_text"],
)
async def test_what_was_published_cannot_be_changed_in_the_database(
    db: Database, change: str
) -> None:
    async with db.transaction() as session:
        await publishing.publish(session, now=NOW)
    with pytest.raises(DBAPIError):
        async with db.transaction() as session:
            await session.execute(text(change))
