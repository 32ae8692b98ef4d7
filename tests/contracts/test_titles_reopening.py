"""What changes in the register changes the answer at once: nothing of it is stored."""

from datetime import date, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from contracts import ids
from contracts.encumbrances import service as encumbrances
from contracts.runs import service as runs
from contracts.titles import availability, judging, recording
from contracts.titles.availability import Place
from contracts.titles.judging import Match, Outcome, Severity
from contracts.works.rules import units
from contracts.works.tables import Work
from tests.conftest import NOW
from tests.contracts.encumbrances_factory import terms, undated
from tests.contracts.parties_factory import party
from tests.contracts.rights_factory import wire
from tests.contracts.titles_factory import granted, owned


async def asked(session: AsyncSession, subject: Work, **changes: object) -> judging.Answer:
    place = Place(subject.root_id, units(subject))
    grantor = changes.pop("grantor", None)
    question = availability.question_of([wire(**changes)], place, grantor=grantor)
    return await availability.check(session, question, now=NOW)


def codes(answer: judging.Answer) -> set[str]:
    return {r.code for r in answer.reasons if r.severity is not Severity.NOTICE}


async def test_a_grant_that_comes_back_leaves_its_rights_free_and_those_under_it_too(
    session: AsyncSession,
) -> None:
    owner, subject = await owned(session)
    holder, last = await party(session, now=NOW), await party(session, now=NOW)
    said = wire(sublicence_depth=1, runs_max=None)
    (grant,) = await granted(session, subject, said, grantor=owner, licensee=holder)
    await granted(session, subject, wire(territories=["CN-GD"]), grantor=holder, licensee=last)
    assert codes(await asked(session, subject)) == {"exclusive-out"}
    assert codes(await asked(session, subject, grantor=holder.id)) == {"exclusive-out"}
    await recording.revert(
        session, subject.id, grant.id, reason="default", note="逾期未付", by=owner.id, now=NOW
    )
    assert (await asked(session, subject)).outcome is Outcome.FREE
    assert codes(await asked(session, subject, grantor=holder.id)) == {"no-rights-in"}


async def test_a_pledge_stands_in_the_way_until_the_pledgee_consents(session: AsyncSession) -> None:
    owner, subject = await owned(session)
    bank, made = await party(session, now=NOW), ids.new(NOW)
    await encumbrances.declare(
        session, subject.id, made, by=owner.id, now=NOW, kind="pledge", wire=terms(),
        beneficiary_id=bank.id, reference="著质登字-2026-0001",
    )  # fmt: skip
    before = await asked(session, subject, last_day="2027-12-31")
    assert (before.outcome, codes(before)) == (Outcome.NO, {"pledge"})
    await encumbrances.give_consent(
        session, subject.id, made, ids.new(NOW), by=bank.id, now=NOW,
        wire=terms(last_day="2027-06-30"),
    )  # fmt: skip
    assert (await asked(session, subject, last_day="2027-06-30")).outcome is Outcome.FREE
    rest = await asked(session, subject, last_day="2027-12-31")
    assert (rest.outcome, codes(rest)) == (Outcome.PARTLY, {"pledge"})


async def test_an_event_that_gets_its_day_settles_what_was_not_known(session: AsyncSession) -> None:
    owner, subject = await owned(session)
    await encumbrances.declare(
        session, subject.id, ids.new(NOW), by=owner.id, now=NOW, kind="blackout", wire=undated()
    )
    open_ = await asked(session, subject)
    assert (open_.outcome, codes(open_)) == (Outcome.UNKNOWN, {"event-undated"})
    assert open_.reasons[0].about["event"] == "theatrical-release"
    await encumbrances.record_event(
        session, subject.id, "theatrical-release", by=owner.id,
        happened_on=date(2026, 11, 1), reason=None, now=NOW,
    )  # fmt: skip
    settled = await asked(session, subject)
    assert (settled.outcome, codes(settled)) == (Outcome.PARTLY, {"blackout"})
    later = await asked(session, subject, first_day="2027-06-01")
    assert later.outcome is Outcome.FREE


async def test_what_was_shown_is_no_longer_in_the_budget(session: AsyncSession) -> None:
    owner, subject = await owned(session)
    holder = await party(session, kind="broadcaster", now=NOW)
    said = wire(first_day="2026-01-01", sublicence_depth=1, runs_max=3)
    (grant,) = await granted(session, subject, said, grantor=owner, licensee=holder)
    two = {"exclusivity": "non-exclusive", "runs_max": 2, "grantor": holder.id}
    assert (await asked(session, subject, **two)).outcome is Outcome.FREE
    for days in (1, 3):
        await runs.log_telecast(
            session, subject.id, grant.id, ids.new(NOW), by=holder.id, now=NOW,
            channel="示范卫视", started_at=NOW - timedelta(days=days), zone="Asia/Shanghai",
        )  # fmt: skip
    spent = await asked(session, subject, **two)
    assert (spent.outcome, codes(spent)) == (Outcome.NO, {"run-budget-spent"})
    assert (await asked(session, subject, **{**two, "runs_max": 1})).outcome is Outcome.FREE


async def test_asked_for_all_a_part_is_no_answer(session: AsyncSession) -> None:
    owner, subject = await owned(session)
    await encumbrances.declare(
        session, subject.id, ids.new(NOW), by=owner.id, now=NOW, kind="blackout", wire=terms()
    )
    place = Place(subject.root_id, units(subject))
    question = availability.question_of([wire()], place)
    part = await availability.check(session, question, now=NOW)
    whole = await availability.check(session, question, now=NOW, match=Match.ALL)
    long = await availability.check(session, question, now=NOW, minimum=timedelta(days=400))
    assert (part.outcome, whole.outcome) == (Outcome.PARTLY, Outcome.NO)
    assert (whole.free, long.outcome) == (part.free, Outcome.NO)
