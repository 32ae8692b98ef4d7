"""Availability from the register: what is called free can be reserved, and nothing else can."""

from datetime import timedelta
from random import Random
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import ids
from contracts.encumbrances import service as encumbrances
from contracts.parties.tables import Party
from contracts.refusal import Refusal, Unknown
from contracts.rights import axes, region
from contracts.rights import rules as rights
from contracts.rights.algebra import Exclusivity
from contracts.titles import availability, explaining, judging
from contracts.titles import service as titles
from contracts.titles.availability import Place
from contracts.titles.explaining import RightsNotAvailable
from contracts.titles.judging import Outcome
from contracts.titles.rules import RightsAlreadyGranted
from contracts.window import Window
from contracts.works import service as works
from contracts.works.rules import units
from contracts.works.tables import Work
from tests.conftest import NOW
from tests.contracts.encumbrances_factory import terms, undated
from tests.contracts.parties_factory import party
from tests.contracts.rights_factory import wire
from tests.contracts.titles_factory import granted, offered, owned
from tests.contracts.works_factory import child

KINDS = ("holdback", "blackout", "option", "first-refusal", "mandate", "clearance")
YEARS = Window.of_days(NOW.date().replace(month=1, day=1), NOW.date().replace(year=2035), "UTC")


def place(subject: Work) -> Place:
    return Place(subject.root_id, units(subject))


async def asked(
    session: AsyncSession, subject: Work, said: dict[str, Any], *, grantor: UUID | None = None
) -> judging.Answer:
    question = availability.question_of([said], place(subject), grantor=grantor)
    return await availability.check(session, question, now=NOW)


async def part_of(session: AsyncSession, parent: Work, *, kind: str = "episode") -> Work:
    return await child(session, parent, kind=kind, now=NOW)


async def declared(
    session: AsyncSession, subject: Work, owner: Party, *, kind: str, said: dict[str, Any],
    beneficiary: UUID | None = None,
) -> UUID:  # fmt: skip
    made = ids.new(NOW)
    await encumbrances.declare(
        session, subject.id, made, by=owner.id, now=NOW, kind=kind, wire=said,
        beneficiary_id=beneficiary,
        **({"beneficiary_name": "他方"} if beneficiary is None and kind != "clearance" else {}),
    )  # fmt: skip
    return made


def codes(answer: judging.Answer) -> set[str]:
    return {reason.code for reason in answer.reasons}


async def test_what_is_called_free_can_be_reserved_and_nothing_else(session: AsyncSession) -> None:
    """Random registers, random questions: the engine and the register never differ."""
    random, outcomes = Random(20261122), []
    for _ in range(25):
        owner, series = await owned(session)
        subjects = [series, *[await part_of(session, series) for _ in range(2)]]
        for _ in range(random.randrange(1, 6)):
            await tried(session, random.choice(subjects), drawn(random), grantor=owner)
        for _ in range(random.randrange(3)):
            await promised(session, random.choice(subjects), owner, random)
        for _ in range(6):
            subject, said = random.choice(subjects), drawn(random)
            answer = await asked(session, subject, said, grantor=owner.id)
            free = await tried(session, subject, said, grantor=owner)
            assert free == (answer.outcome is Outcome.FREE), (said, codes(answer))
            outcomes.append(free)
    assert 20 < sum(outcomes) < len(outcomes) - 20


async def test_a_licensee_may_license_on_what_is_called_free(session: AsyncSession) -> None:
    random, outcomes = Random(7), []
    for _ in range(10):
        owner, series = await owned(session)
        holder = await party(session, now=NOW)
        episode = await part_of(session, series)
        said = wire(
            sublicence_depth=2, runs_max=random.choice([None, 5]), media=["satellite", "cable"]
        )
        await granted(session, random.choice([series, episode]), said, grantor=owner,
                      licensee=holder)  # fmt: skip
        for _ in range(6):
            subject = random.choice([series, episode])
            said = drawn(random, runs_max=random.choice([None, 2, 3]))
            answer = await asked(session, subject, said, grantor=holder.id)
            free = await tried(session, subject, said, grantor=holder)
            assert free == (answer.outcome is Outcome.FREE), (said, codes(answer))
            outcomes.append(free)
    assert 5 < sum(outcomes) < len(outcomes) - 5


def drawn(random: Random, **changes: Any) -> dict[str, Any]:
    first = random.choice([2027, 2028, 2029])
    return wire(
        media=random.choice([["satellite"], ["cable"], ["satellite.pay"], ["satellite", "cable"]]),
        territories=random.choice([["CN"], ["CN-GD"], ["US", "CA"], ["WRD"]]),
        excluded=[],
        languages=random.choice([["zh"], ["zh:dubbed"], ["*"]]),
        first_day=f"{first}-01-01",
        last_day=f"{first + random.randrange(2)}-12-31",
        exclusivity=random.choice(["exclusive", "sole", "non-exclusive", "non-exclusive"]),
    ) | changes  # fmt: skip


async def tried(
    session: AsyncSession, subject: Work, said: dict[str, Any], *, grantor: Party
) -> bool:
    try:
        await offered(session, subject, said, grantor=grantor)
    except Refusal:
        return False
    return True


async def promised(session: AsyncSession, subject: Work, owner: Party, random: Random) -> None:
    build = undated if random.random() < 0.4 else terms
    said = build(
        media=random.choice([["satellite"], ["cable"]]),
        territories=random.choice([["CN"], ["CN-GD"], ["US"]]),
    )
    try:
        await declared(session, subject, owner, kind=random.choice(KINDS), said=said)
    except Refusal:  # it is broken by a grant already
        return


async def test_a_clash_keeps_its_own_refusal(session: AsyncSession) -> None:
    owner, subject = await owned(session)
    (first,) = await offered(session, subject, wire(), grantor=owner)
    answer = await asked(session, subject, wire())
    assert (answer.outcome, codes(answer)) == (Outcome.NO, {"hold"})
    record = answer.reasons[0].record
    assert record is not None
    assert record.id == first.id
    with pytest.raises(RightsAlreadyGranted):
        await offered(session, subject, wire(), grantor=owner)


async def test_a_promise_refuses_with_its_reason_and_what_is_free_instead(
    session: AsyncSession,
) -> None:
    owner, subject = await owned(session)
    made = await declared(session, subject, owner, kind="blackout", said=terms())
    with pytest.raises(RightsNotAvailable) as refused:
        await offered(session, subject, wire(), grantor=owner)
    told = refused.value.data
    assert told["outcome"] == "partly"
    (reason,) = told["reasons"]
    assert (reason["code"], reason["record"]["id"]) == ("blackout", str(made))
    assert (reason["box"]["first_day"], reason["box"]["last_day"]) == ("2027-01-01", "2027-12-31")
    (free,) = told["free"]
    assert (free["first_day"], free["last_day"]) == ("2028-01-01", "2028-12-31")
    assert free["rights"] == [{"right": "broadcasting", "media": ["satellite"]}]
    assert free["works"][0]["work_id"] == str(subject.id)


async def test_a_licence_made_elsewhere_is_recorded_in_spite_of_a_promise(
    session: AsyncSession,
) -> None:
    owner, subject = await owned(session)
    licensee = await party(session, kind="broadcaster", now=NOW)
    await declared(session, subject, owner, kind="blackout", said=terms())
    rows = await granted(session, subject, wire(), grantor=owner, licensee=licensee)
    assert [row.state for row in rows] == ["effective"]


async def test_an_expired_hold_is_no_reason(session: AsyncSession) -> None:
    owner, subject = await owned(session)
    (row,) = await offered(session, subject, wire(), grantor=owner)
    row.expires_at = NOW + timedelta(hours=1)
    await session.flush()
    question = availability.question_of([wire()], place(subject))
    before = await availability.check(session, question, now=NOW)
    after = await availability.check(session, question, now=NOW + timedelta(hours=1))
    assert (before.outcome, after.outcome) == (Outcome.NO, Outcome.FREE)


async def test_the_first_questions_answer_is_cut_from_the_whole(session: AsyncSession) -> None:
    """What is free of everything, cut to a question, is what is free of the question."""
    random = Random(3)
    owner, series = await owned(session)
    subjects = [series, *[await part_of(session, series) for _ in range(2)]]
    for _ in range(12):
        await tried(session, random.choice(subjects), drawn(random), grantor=owner)
    for _ in range(10):
        said = drawn(random)
        exclusivity = Exclusivity(said["exclusivity"])
        whole = await availability.free(
            session, series.id, grantor=None, window=YEARS, exclusivity=exclusivity, now=NOW
        )
        part = await asked(session, random.choice(subjects), said)
        assert region.meet(whole.free, region.of([part.asked])) == part.free


async def test_nothing_is_free_beyond_fifty_years(session: AsyncSession) -> None:
    owner, subject = await owned(session)
    await works.settle_dates(
        session, subject.id, party_id=owner.id, completed_on=None,
        published_on=NOW.date().replace(year=1977), now=NOW,
    )  # fmt: skip
    episode = await part_of(session, subject)
    for work in (subject, episode):
        answer = await asked(session, work, wire())
        assert (answer.outcome, codes(answer)) == (Outcome.PARTLY, {"beyond-protection"})
        (free,) = explaining.answer_out(answer, availability.tree_of([work]), viewer=None)["free"]
        assert free["last_day"] == "2027-12-31"


async def test_runs_given_on_are_no_longer_in_the_budget(session: AsyncSession) -> None:
    owner, subject = await owned(session)
    holder = await party(session, now=NOW)
    held = wire(sublicence_depth=1, runs_max=3, exclusivity="exclusive")
    await granted(session, subject, held, grantor=owner, licensee=holder)
    part = wire(exclusivity="non-exclusive", runs_max=2)
    assert (await asked(session, subject, part, grantor=holder.id)).outcome is Outcome.FREE
    await offered(session, subject, part, grantor=holder)
    answer = await asked(session, subject, part, grantor=holder.id)
    assert (answer.outcome, codes(answer)) == (Outcome.NO, {"run-budget-spent"})
    assert answer.reasons[0].about == {"runs_left": 1}


async def test_a_stranger_has_nothing_to_grant(session: AsyncSession) -> None:
    _, subject = await owned(session)
    answer = await asked(session, subject, wire(), grantor=ids.new(NOW))
    assert (answer.outcome, codes(answer)) == (Outcome.NO, {"no-rights-in"})


async def test_an_episode_added_later_is_taken_with_its_series(session: AsyncSession) -> None:
    owner, series = await owned(session)
    await offered(session, series, wire(), grantor=owner)
    later = await part_of(session, series)
    answer = await asked(session, later, wire())
    assert (answer.outcome, codes(answer)) == (Outcome.NO, {"hold"})


async def test_an_exclusive_licence_waits_for_every_co_owner(session: AsyncSession) -> None:
    owner, subject = await owned(session)
    other = await party(session, now=NOW)
    shares = {owner.id: 5000, other.id: 5000}
    await titles.declare_shares(session, subject.id, party_id=owner.id, shares=shares, now=NOW)
    answer = await asked(session, subject, wire())
    assert (answer.outcome, codes(answer)) == (Outcome.NO, {"co-owner-missing"})
    assert not await tried(session, subject, wire(), grantor=owner)
    await titles.consent(session, subject.id, party_id=other.id, now=NOW)
    assert (await asked(session, subject, wire())).outcome is Outcome.FREE


async def test_a_work_that_is_not_there_is_unknown(session: AsyncSession) -> None:
    with pytest.raises(Unknown):
        await availability.locate(session, ids.new(NOW))
    question = availability.question_of([wire()], Place(ids.new(NOW), (0, 1)))
    with pytest.raises(Unknown):
        await availability.check(session, question, now=NOW)


def test_a_question_means_what_the_wire_says() -> None:
    said = wire(runs_max=3, sublicence_depth=2)
    question = availability.question_of([said], Place(UUID(int=1), (0, 1)))
    box = rights.resolve(said)
    assert question.uses == axes.uses(box.right, box.media)
    assert (question.territories, question.languages) == (box.territories, box.languages)
    assert (question.window, question.runs, question.depth) == (box.window, 3, 2)
    both = rights.expand({**said, "right": "", "media": [], "bundle": "telecast"})
    bundle = availability.question_of(both, Place(UUID(int=1), (0, 1)))
    assert len(axes.media_of_uses(bundle.uses)) == len(both)
