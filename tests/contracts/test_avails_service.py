"""Importing avails into a real register: whole or not at all, matched with works, once."""

import hashlib
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from contracts import ids
from contracts.avails import files, offers, queries, service
from contracts.avails.model import Document
from contracts.avails.rules import AvailsHaveErrors
from contracts.avails.tables import AvailImport, AvailLine
from contracts.facts.tables import Fact
from contracts.parties.tables import Party
from contracts.refusal import IdReused, Unknown
from contracts.works.tables import Work
from tests.conftest import NOW
from tests.contracts import parties_factory, works_factory
from tests.contracts.avails_factory import document, movie, offer, sample
from tests.contracts.rights_factory import wire

EIDR, ISAN = works_factory.new_eidr(), works_factory.new_isan()
LATER = NOW + timedelta(days=1)


async def lines_of(session: AsyncSession, work: Work) -> list[AvailLine]:
    """The lines that offer a work and stand."""
    mine, stands = col(AvailLine.work_id) == work.id, col(AvailLine.state) == "offered"
    return list(await session.scalars(select(AvailLine).where(mine, stands)))


@pytest.fixture
async def holder(session: AsyncSession) -> Party:
    return await parties_factory.party(session, now=NOW)


async def put(
    session: AsyncSession, content: bytes, *, of: Party, id: UUID | None = None, now: Any = NOW
) -> tuple[AvailImport, bool]:
    return await service.import_(
        session,
        id or ids.new(NOW),
        party_id=of.id,
        read=files.read(content),
        sha256=hashlib.sha256(content).hexdigest(),
        now=now,
    )


async def kept(session: AsyncSession, of: Party) -> list[AvailLine]:
    wanted = select(AvailLine).where(col(AvailLine.party_id) == of.id)
    ordered = wanted.order_by(col(AvailLine.alid), col(AvailLine.key))
    found = await session.scalars(ordered.execution_options(populate_existing=True))
    return list(found)


def xml(*avails: Any) -> bytes:
    return files.to_xml(document(*avails))


async def test_every_transaction_of_a_sample_becomes_a_line(
    session: AsyncSession, holder: Party
) -> None:
    row, new = await put(session, sample("TV_v1.8.xlsx"), of=holder)
    lines = await kept(session, holder)
    assert new
    assert row.counts == {"created": 38, "changed": 0, "unchanged": 0, "withdrawn": 0}
    assert len(lines) == 38
    assert {line.state for line in lines} == {"offered"}
    assert (row.report["errors"], row.report["warnings"]) == (0, 216)


async def test_the_same_file_again_changes_nothing(session: AsyncSession, holder: Party) -> None:
    await put(session, sample("Movies_v1.9.xlsx"), of=holder)
    before = [line.model_dump() for line in await kept(session, holder)]
    row, new = await put(session, sample("Movies_v1.9.xlsx"), of=holder, now=LATER)
    assert new
    assert row.counts == {"created": 0, "changed": 0, "unchanged": 26, "withdrawn": 0}
    assert row.changes == []
    assert [line.model_dump() for line in await kept(session, holder)] == before


async def test_an_import_whose_answer_was_lost_is_answered_again(
    session: AsyncSession, holder: Party
) -> None:
    id = ids.new(NOW)
    first, new = await put(session, xml(), of=holder, id=id)
    again, anew = await put(session, xml(), of=holder, id=id, now=LATER)
    assert (new, anew) == (True, False)
    assert again == first


async def test_an_id_is_of_one_file_and_one_party(session: AsyncSession, holder: Party) -> None:
    id, other = ids.new(NOW), await parties_factory.party(session, now=NOW)
    await put(session, xml(), of=holder, id=id)
    with pytest.raises(IdReused):
        await put(session, xml(movie(licensor="Another")), of=holder, id=id)
    with pytest.raises(IdReused):
        await put(session, xml(), of=other, id=id)
    with pytest.raises(Unknown):
        await queries.get_import_of(session, id, other.id)


async def test_a_file_with_an_error_leaves_nothing(session: AsyncSession, holder: Party) -> None:
    with pytest.raises(AvailsHaveErrors) as refused:
        await put(session, sample("Avails_Volume_error_v2.5.xml"), of=holder)
    assert refused.value.data["errors"] == 3
    assert [one["code"] for one in refused.value.data["findings"]] == [
        "vocabulary",
        "volume-overlap",
        "volume-overlap",
    ]
    assert await kept(session, holder) == []


async def test_a_plan_writes_nothing(session: AsyncSession, holder: Party) -> None:
    facts = await session.scalar(select(func.count()).select_from(Fact))
    plan = await service.plan(session, files.read(sample("Movies_v1.9.xlsx")), party_id=holder.id)
    assert len(plan.told()) == 26
    assert not (session.new or session.dirty or session.deleted)
    assert await kept(session, holder) == []
    assert await session.scalar(select(func.count()).select_from(Fact)) == facts


async def test_a_line_that_a_full_extract_leaves_out_is_withdrawn_and_kept(
    session: AsyncSession, holder: Party
) -> None:
    await put(session, xml(movie(offer(id="a"), offer(id="b"))), of=holder)
    row, _ = await put(session, xml(movie(offer(id="b"))), of=holder, now=LATER)
    assert row.counts == {"created": 0, "changed": 0, "unchanged": 1, "withdrawn": 1}
    assert [(line.key, line.state) for line in await kept(session, holder)] == [
        ("a", "withdrawn"),
        ("b", "offered"),
    ]
    assert row.changes[0]["fields"] == {"state": ["offered", "withdrawn"]}


async def test_the_same_alid_of_two_parties_is_two_offers(
    session: AsyncSession, holder: Party
) -> None:
    other = await parties_factory.party(session, now=NOW)
    await put(session, xml(movie(offer(id="a"))), of=holder)
    row, _ = await put(session, xml(movie(offer(id="b"))), of=other)
    assert row.counts["withdrawn"] == 0
    assert [line.key for line in await kept(session, holder)] == ["a"]


def described(work: Work) -> offers.Described:
    return offers.Described(
        work.id, "film", work.title_zh, work.title_en, 2026, eidr=work.eidr, isan=work.isan
    )


@pytest.mark.parametrize("form", ["xlsx", "xml"])
async def test_what_the_exchange_wrote_finds_its_work_and_its_rights(
    session: AsyncSession, holder: Party, form: str
) -> None:
    work = await works_factory.work(session, party_id=holder.id, now=NOW)
    said = Document((offers.avail_of(described(work), [("t1", wire())], licensor="X"),))
    row, _ = await put(
        session, files.to_workbook(said) if form == "xlsx" else files.to_xml(said), of=holder
    )
    (line,) = await lines_of(session, work)
    assert row.report["findings"] == []
    assert line.wire is not None
    assert {**wire(), "media": ["satellite"]} == line.wire


@pytest.mark.parametrize("column", ["TitleID", "AltID"])
async def test_a_work_is_known_by_its_eidr_or_isan(
    session: AsyncSession, holder: Party, column: str
) -> None:
    work = await works_factory.work(session, party_id=holder.id, now=NOW)
    work.eidr, work.isan = EIDR, ISAN
    await session.flush()
    value = EIDR if column == "TitleID" else f"urn:isan:{work.isan}"
    asset = movie().assets[0]
    named = movie(assets=(type(asset)("Movie", "md:cid:x", (*asset.facts, (column, value))),))
    await put(session, xml(named), of=holder)
    assert len(await lines_of(session, work)) == 1


async def test_a_work_of_somebody_else_is_not_matched(session: AsyncSession, holder: Party) -> None:
    other = await parties_factory.party(session, now=NOW)
    work = await works_factory.work(session, party_id=other.id, now=NOW)
    said = Document((offers.avail_of(described(work), [("t1", wire())], licensor="X"),))
    row, _ = await put(session, files.to_xml(said), of=holder)
    assert [one["code"] for one in row.report["findings"]] == ["work-unmatched"]
    assert await lines_of(session, work) == []


async def test_a_line_finds_its_work_once_the_work_has_its_identifier(
    session: AsyncSession, holder: Party
) -> None:
    work = await works_factory.work(session, party_id=holder.id, now=NOW)
    content = xml(movie(alid=f"md:alid:eidr-s:{EIDR.removeprefix('10.5240/')}"))
    await put(session, content, of=holder)
    assert await lines_of(session, work) == []
    work.eidr = EIDR
    await session.flush()
    row, _ = await put(session, content, of=holder, now=LATER)
    assert row.counts["changed"] == 1
    assert row.changes[0]["fields"] == {"work": [None, str(work.id)]}
    assert len(await lines_of(session, work)) == 1


async def test_an_episode_says_its_season_and_series(session: AsyncSession, holder: Party) -> None:
    series = await works_factory.work(session, party_id=holder.id, kind="series", now=NOW)
    season = await works_factory.child(session, series, kind="season", now=NOW)
    first = await works_factory.child(session, season, kind="episode", now=NOW)
    second = await works_factory.child(session, season, kind="episode", now=NOW)
    for work in (series, season, first, second):
        told = await queries.described(session, work)
        said = Document((offers.avail_of(told, [("t1", wire())], licensor="X"),))
        for content in (files.to_workbook(said), files.to_xml(said, version="2.5")):
            read = files.read(content)
            assert (read.report.errors, read.report.warnings) == (0, 0), read.report
            row, _ = await put(session, content, of=holder)
        assert [line.work_id for line in await lines_of(session, work)] == [work.id]
        assert row.counts["unchanged"] == 1
    assert read.document.avails[0].assets[0].fact("EpisodeNumber") == "2"


async def test_an_import_is_a_fact_for_its_party(session: AsyncSession, holder: Party) -> None:
    row, _ = await put(session, xml(), of=holder)
    fact = (await session.scalars(select(Fact).where(col(Fact.subject) == row.id))).one()
    assert (fact.kind, fact.parties) == ("avails.imported", [holder.id])
