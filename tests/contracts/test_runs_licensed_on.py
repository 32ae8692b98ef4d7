"""Runs between licences: one and all under it never show more than was licensed, whoever logs."""

import asyncio
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import ids
from contracts.refusal import NotAllowed, Refusal
from contracts.runs import queries, rules, service
from contracts.titles import recording
from contracts.titles.explaining import RightsNotAvailable
from contracts.titles.sublicence import ExceedsHolding
from contracts.titles.tables import RightsGrant
from contracts.works.tables import Work
from exchange.db import Database
from tests.conftest import NOW
from tests.contracts.parties_factory import Party, party
from tests.contracts.rights_factory import wire
from tests.contracts.runs_factory import licensed, shown
from tests.contracts.titles_factory import granted, offered, owned

YEAR = {"first_day": "2026-01-01", "last_day": "2026-12-31"}


async def licensed_on(
    session: AsyncSession, *, runs: int, given: int
) -> tuple[Work, Party, RightsGrant, Party, RightsGrant]:
    """A dealer with so many runs, and a station with those of them that it was given."""
    owner, subject = await owned(session)
    dealer, station = await party(session, now=NOW), await party(session, now=NOW)
    said = wire(**YEAR, sublicence_depth=1, runs_max=runs)
    (held,) = await granted(session, subject, said, grantor=owner, licensee=dealer)
    said = wire(**YEAR, runs_max=given)
    (under,) = await granted(session, subject, said, grantor=dealer, licensee=station)
    return subject, dealer, held, station, under


async def test_runs_that_were_licensed_on_cannot_be_shown_by_the_licensor(
    session: AsyncSession,
) -> None:
    _, dealer, held, _, _ = await licensed_on(session, runs=3, given=2)
    assert (await queries.ledger(session, held)).left == 1
    await shown(session, held, dealer)
    with pytest.raises(rules.RunBudgetSpent) as refused:
        await shown(session, held, dealer, hours=1)
    told = refused.value.data
    assert (told["runs_max"], told["runs_used"], told["runs_given"]) == (3, 1, 2)
    ledger = await queries.ledger(session, held)
    assert (ledger.left, ledger.given, len(ledger.runs)) == (0, 2, 1)


async def test_runs_shown_under_a_licence_that_ended_do_not_come_back(
    session: AsyncSession,
) -> None:
    subject, dealer, held, station, under = await licensed_on(session, runs=3, given=3)
    for hours in (0, 1):
        await shown(session, under, station, hours=hours)
    await recording.revert(
        session, subject.id, under.id,
        reason="agreement", note="Given back.", by=ids.new(NOW), now=NOW,
    )  # fmt: skip
    assert (await queries.ledger(session, held)).left == 1
    with pytest.raises(ExceedsHolding):
        await offered(session, subject, wire(**YEAR, runs_max=2), grantor=dealer)
    await offered(session, subject, wire(**YEAR, runs_max=1), grantor=dealer)
    with pytest.raises(rules.RunBudgetSpent):
        await shown(session, held, dealer, hours=2)


async def test_runs_that_were_shown_cannot_be_licensed_on(session: AsyncSession) -> None:
    subject, dealer, held, station, _ = await licensed_on(session, runs=10, given=1)
    for hours in range(5):
        await shown(session, held, dealer, hours=hours)
    # Two licences of three runs would be two too many, however each of them looks by itself.
    two = [
        wire(**YEAR, runs_max=3, exclusivity="non-exclusive", media=[medium])
        for medium in ("satellite.free", "satellite.pay")
    ]
    with pytest.raises((ExceedsHolding, RightsNotAvailable)):
        await offered(session, subject, *two, grantor=dealer)
    with pytest.raises(ExceedsHolding):
        await granted(session, subject, wire(**YEAR, runs_max=5), grantor=dealer, licensee=station)


@pytest.mark.parametrize("_", range(3))
async def test_the_last_run_is_either_shown_or_licensed_on(db: Database, _: int) -> None:
    async with db.transaction() as session:
        owner, subject = await owned(session)
        dealer, station = await party(session, now=NOW), await party(session, now=NOW)
        said = wire(**YEAR, sublicence_depth=1, runs_max=1)
        (held,) = await granted(session, subject, said, grantor=owner, licensee=dealer)

    async def show() -> None:
        async with db.transaction() as session:
            await shown(session, held, dealer)

    async def license_on() -> None:
        async with db.transaction() as session:
            said = wire(**YEAR, runs_max=1)
            await granted(session, subject, said, grantor=dealer, licensee=station)

    answers = await asyncio.gather(show(), license_on(), return_exceptions=True)
    assert sorted(isinstance(answer, Refusal) for answer in answers) == [False, True], answers


@pytest.mark.parametrize(
    ("above", "wider"),
    [
        (rules.Rule(), rules.Rule(1, 24)),
        (rules.Rule(), rules.Rule(day_starts_min=1)),
        (rules.Rule(1, 24), rules.Rule(2, 24)),
        (rules.Rule(1, 24), rules.Rule(1, 25)),
        (rules.Rule(1, 24), rules.Rule(1, None, 1)),
        (rules.Rule(1, 24), rules.Rule(1, 24, same_channel=False)),
        (rules.Rule(1, None, 2), rules.Rule(1, None, 3)),
    ],
)
async def test_a_licence_under_another_lets_no_more_showings_into_a_run(
    session: AsyncSession, above: rules.Rule, wider: rules.Rule
) -> None:
    subject, dealer, held, _, under = await licensed_on(session, runs=3, given=1)
    owner = held.grantor_id
    if above != queries.PLAIN:
        await service.agree_rule(session, subject.id, held.id, by=owner, rule=above, now=NOW)
    with pytest.raises(rules.BadRunRule):
        await service.agree_rule(session, subject.id, under.id, by=dealer.id, rule=wider, now=NOW)
    row = await service.agree_rule(session, subject.id, under.id, by=dealer.id, rule=above, now=NOW)
    assert row.rule() == above


async def test_what_the_exchange_logged_no_licensee_cancels(session: AsyncSession) -> None:
    _, licensee, grant = await licensed(session, runs_max=1)
    seen = await shown(session, grant, None)
    said: dict[str, Any] = {"reason": "误登", "now": NOW}
    with pytest.raises(NotAllowed):
        await service.cancel_telecast(
            session, grant.work_id, grant.id, seen.id, by=licensee.id, **said
        )
    with pytest.raises(rules.RunBudgetSpent):
        await shown(session, grant, licensee, hours=1)
    await service.cancel_telecast(session, grant.work_id, grant.id, seen.id, by=None, **said)
