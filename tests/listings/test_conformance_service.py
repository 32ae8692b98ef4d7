from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import canonical
from contracts.facts.tables import Fact
from contracts.refusal import Unknown
from listings.masters.conformance import profiles, queries, service
from listings.masters.conformance.declared import BadDeclaration
from listings.masters.conformance.tables import ConformanceReport
from listings.masters.tables import Master
from tests.conftest import NOW
from tests.contracts.parties_factory import party
from tests.listings.conformance_factory import DECLARED, DRAMA, MASTER, MEASURES, RECORD, changed
from tests.listings.masters_factory import ready_master

LATER = NOW + timedelta(minutes=5)


async def master(session: AsyncSession) -> Master:
    """A ready master whose record passes every check."""
    made = await ready_master(
        session, party_id=(await party(session, now=NOW)).id, work_id=None, now=NOW
    )
    made.probe = dict(RECORD)
    await session.flush()
    return made


async def judged(session: AsyncSession, of: Master) -> list[dict[str, Any]]:
    """The records of facts that it was judged."""
    found = await session.scalars(
        select(Fact).where(Fact.subject == of.id, Fact.kind == "master.judged")
    )
    return [canonical.loads(fact.record) for fact in found]


async def test_an_examined_master_is_judged_by_its_usual_profile(session: AsyncSession) -> None:
    made = await master(session)
    report = await service.record(session, made, measures=MEASURES, now=NOW)
    assert (report.profile, report.tier, report.uhd_label) == (MASTER, "full", True)
    kept = await queries.find_report(session, made.id, MASTER)
    assert kept is not None and kept.document == report.document
    assert kept.sha256 == canonical.sha256_hex(canonical.dumps(kept.document))
    (fact,) = await judged(session, made)
    assert fact == {
        "master": str(made.id), "profile": MASTER, "tier": "full", "verdict": "conforms",
        "report_sha256": report.sha256,
    }  # fmt: skip
    subject = report.document["subject"]
    measured = await queries.find_measures(session, made.id)
    assert measured is not None and subject["measures_sha256"] == measured.sha256
    assert (subject["sha256"], subject["probe_sha256"]) == (made.sha256, made.probe_sha256)


async def test_the_same_outcome_again_is_the_same_report_and_no_fact(session: AsyncSession) -> None:
    made = await master(session)
    first = await service.record(session, made, measures=MEASURES, now=NOW)
    again = await service.record(session, made, measures=MEASURES, now=LATER)
    assert again.sha256 == first.sha256
    assert len(await judged(session, made)) == 1


async def test_another_examination_stands_beside_the_first(session: AsyncSession) -> None:
    made = await master(session)
    await service.record(session, made, measures=changed(MEASURES, {"tier": "sampled"}), now=NOW)
    second = await service.record(
        session, made, measures=changed(MEASURES, {"decode_errors": 3}), now=LATER
    )
    newest = await queries.find_report(session, made.id, MASTER)
    assert newest is not None and newest.sha256 == second.sha256 and newest.uhd_label is False
    facts = await judged(session, made)
    assert {(fact["tier"], fact["verdict"]) for fact in facts} == {
        ("sampled", "conforms"),
        ("full", "fails"),
    }


async def test_a_master_that_nothing_could_decode_is_judged_by_its_headers(
    session: AsyncSession,
) -> None:
    made = await master(session)
    made.probe = changed(RECORD, {"video.decodable": False, "video.undecodable": "no-decoder"})
    report = await service.record(session, made, measures=None, now=NOW)
    assert (report.tier, report.uhd_label) == ("probe", None)
    assert report.document["counts"]["UNSUPPORTED"] > 10


async def test_what_is_declared_is_judged_again_in_every_report(session: AsyncSession) -> None:
    made = await master(session)
    await service.record(session, made, measures=MEASURES, now=NOW)
    await service.judge(session, made, profile=DRAMA, now=NOW)
    await service.declare(session, made.id, party_id=made.party_id, declared=DECLARED, now=LATER)
    for report in await queries.newest_reports(session, made.id):
        found = {each["id"]: each["result"] for each in report.document["findings"]}
        assert found["C01"] == found["C02"] == "PASS"
        assert report.document["subject"]["declared"] == DECLARED
    await service.declare(
        session, made.id, party_id=made.party_id, declared={"textless": False}, now=LATER
    )
    assert await queries.declared(session, made.id) == {"textless": False}
    assert len(await judged(session, made)) == 6


async def test_only_the_holder_declares_and_only_what_is_known(session: AsyncSession) -> None:
    made = await master(session)
    other = (await party(session, now=NOW)).id
    with pytest.raises(Unknown):
        await service.declare(session, made.id, party_id=other, declared={}, now=NOW)
    with pytest.raises(BadDeclaration):
        await service.declare(
            session, made.id, party_id=made.party_id, declared={"head_ms": -1}, now=NOW
        )


async def test_a_master_is_judged_once_it_was_examined(session: AsyncSession) -> None:
    made = await master(session)
    made.probe, made.state = None, "examining"
    with pytest.raises(service.MasterNotExamined):
        await service.judge(session, made, profile=MASTER, now=NOW)
    with pytest.raises(profiles.UnknownProfile):
        await service.draft(session, await master(session), profile="NTSC_1953", now=NOW)


@pytest.mark.parametrize(
    "change", ["tier = 'deep'", "sha256 = 'x'", "document = '[]'", "profile = NULL"]
)
async def test_the_database_keeps_a_report_sound(session: AsyncSession, change: str) -> None:
    made = await master(session)
    await service.record(session, made, measures=MEASURES, now=NOW)
    with pytest.raises(IntegrityError):
        await session.execute(
            text(f"UPDATE conformance_report SET {change}"),
        )


async def test_reports_go_with_their_master(session: AsyncSession) -> None:
    made = await master(session)
    await service.record(session, made, measures=MEASURES, now=NOW)
    await session.execute(
        text("DELETE FROM fingerprint_segment WHERE master_id = :id"), {"id": made.id}
    )
    await session.execute(text("DELETE FROM master WHERE id = :id"), {"id": made.id})
    left = await session.scalars(
        select(ConformanceReport).where(ConformanceReport.master_id == made.id)
    )
    assert left.all() == []
