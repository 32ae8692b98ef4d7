"""Telecasts against a real database: the budget, corrections, who may log, and races."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from contracts import ids
from contracts.facts.tables import Fact
from contracts.parties.rules import BadName
from contracts.refusal import IdReused, Unknown
from contracts.runs import queries, rules, service
from contracts.runs.rules import Rule
from contracts.runs.tables import RunRule
from contracts.titles.tables import RightsGrant
from exchange.db import Database
from tests.conftest import NOW
from tests.contracts.parties_factory import party
from tests.contracts.rights_factory import wire
from tests.contracts.runs_factory import licensed, shown
from tests.contracts.titles_factory import offered, owned

TWO_IN_48 = Rule(1, 48)


async def used(session: AsyncSession, grant: RightsGrant) -> int:
    return (await queries.runs_used(session, [grant.id]))[grant.id]


async def test_each_showing_is_a_run_until_the_budget_is_spent(session: AsyncSession) -> None:
    _, licensee, grant = await licensed(session)
    logged = [await shown(session, grant, licensee, hours=hours) for hours in (0, 1, 2)]
    assert await used(session, grant) == 3
    with pytest.raises(rules.RunBudgetSpent) as refused:
        await shown(session, grant, licensee, hours=3)
    assert refused.value.data == {
        "runs_max": 3, "runs_used": 3, "runs_given": 0,
        "runs": [[str(one.id)] for one in logged],
    }  # fmt: skip
    assert (await queries.ledger(session, grant)).left == 0


async def test_repeats_within_their_validity_use_no_run(session: AsyncSession) -> None:
    owner, licensee, grant = await licensed(session, runs_max=1)
    await service.agree_rule(session, grant.work_id, grant.id, by=owner.id, rule=TWO_IN_48, now=NOW)
    await shown(session, grant, licensee)
    await shown(session, grant, licensee, hours=48)
    assert await used(session, grant) == 1
    with pytest.raises(rules.RunBudgetSpent):
        await shown(session, grant, licensee, hours=47)


async def test_any_number_of_runs_has_no_budget(session: AsyncSession) -> None:
    _, licensee, grant = await licensed(session, runs_max=None)
    for hours in range(5):
        await shown(session, grant, licensee, hours=hours)
    ledger = await queries.ledger(session, grant)
    assert (len(ledger.runs), ledger.left) == (5, None)


async def test_a_telecast_whose_answer_was_lost_is_logged_once(session: AsyncSession) -> None:
    _, licensee, grant = await licensed(session, runs_max=1)
    first = await shown(session, grant, licensee)
    assert await shown(session, grant, licensee, id=first.id) is first
    assert await used(session, grant) == 1
    others: list[dict[str, Any]] = [{"hours": 1}, {"channel": "别的频道"}, {"zone": "UTC"}]
    for other in others:
        with pytest.raises(IdReused):
            await shown(session, grant, licensee, id=first.id, **other)


async def test_a_showing_that_was_cancelled_uses_no_run_and_stays_in_the_log(
    session: AsyncSession,
) -> None:
    _, licensee, grant = await licensed(session, runs_max=1)
    wrong = await shown(session, grant, licensee)

    async def cancel(reason: str) -> None:
        await service.cancel_telecast(
            session, grant.work_id, grant.id, wrong.id, by=licensee.id, reason=reason, now=NOW
        )

    with pytest.raises(BadName):
        await cancel("")
    await cancel("当日改播其他节目")
    await cancel("当日改播其他节目")
    with pytest.raises(IdReused):
        await cancel("另有原因")
    assert await used(session, grant) == 0
    await shown(session, grant, licensee, hours=24)
    page = await queries.telecasts_page(
        session, grant, after=ids.new(NOW.replace(year=2020)), limit=9
    )
    assert {(one.id == wrong.id, gone is not None) for one, gone in page} == {
        (True, True), (False, False)
    }  # fmt: skip
    kinds = list(
        await session.scalars(
            select(Fact.kind).where(col(Fact.subject) == grant.id).order_by(col(Fact.id))
        )
    )
    assert sorted(kinds).count("telecast.cancelled") == 1
    assert sorted(kinds).count("telecast.logged") == 2


async def test_the_licensee_or_the_exchange_logs_and_nobody_else(session: AsyncSession) -> None:
    owner, licensee, grant = await licensed(session)
    await shown(session, grant, licensee)
    await shown(session, grant, None, hours=1)
    for by in (owner, await party(session, now=NOW)):
        with pytest.raises(Unknown):
            await shown(session, grant, by, hours=2)
    with pytest.raises(Unknown):
        await service.cancel_telecast(
            session, grant.work_id, grant.id, ids.new(NOW), by=licensee.id, reason="x", now=NOW
        )


async def test_nothing_is_shown_under_what_is_not_granted(session: AsyncSession) -> None:
    owner, subject = await owned(session)
    (reserved,) = await offered(session, subject, wire(), grantor=owner)
    with pytest.raises(Unknown):
        await shown(session, reserved, None)


@pytest.mark.parametrize(
    ("shows", "refusal"),
    [
        ({"hours": -24 * 365}, rules.OutsideGrant),
        ({"hours": 24 * 300}, rules.TelecastAhead),
        ({"zone": "Asia/Nowhere"}, rules.UnknownZone),
        ({"channel": ""}, BadName),
        ({"channel": "\u0000"}, BadName),
    ],
)
async def test_a_showing_that_cannot_be_is_refused(
    session: AsyncSession, shows: dict[str, Any], refusal: type[Exception]
) -> None:
    _, licensee, grant = await licensed(session)
    with pytest.raises(refusal):
        await shown(session, grant, licensee, **shows)
    assert await used(session, grant) == 0


async def test_how_showings_make_runs_is_agreed_once_by_who_granted(session: AsyncSession) -> None:
    owner, licensee, grant = await licensed(session)

    async def agree(by: Any, rule: Rule = TWO_IN_48) -> RunRule:
        return await service.agree_rule(
            session, grant.work_id, grant.id, by=by and by.id, rule=rule, now=NOW
        )

    for by in (licensee, await party(session, now=NOW)):
        with pytest.raises(Unknown):
            await agree(by)
    with pytest.raises(rules.BadRunRule):
        await agree(owner, Rule(1))
    assert await agree(owner) is await agree(None)
    with pytest.raises(rules.RunRuleSettled):
        await agree(owner, Rule(2, 48))
    assert await queries.rule_of(session, grant) == TWO_IN_48


async def test_the_sides_of_a_grant_and_the_owners_see_its_runs(session: AsyncSession) -> None:
    owner, licensee, grant = await licensed(session)
    for viewer in (owner.id, licensee.id, None):
        found = await queries.get_grant(session, grant.work_id, grant.id, viewer=viewer)
        assert found.id == grant.id
    stranger = await party(session, now=NOW)
    for work_id, grant_id in ((grant.work_id, grant.id), (grant.work_id, ids.new(NOW))):
        with pytest.raises(Unknown):
            await queries.get_grant(session, work_id, grant_id, viewer=stranger.id)


async def test_runs_of_many_grants_are_counted_at_once(session: AsyncSession) -> None:
    _, licensee, first = await licensed(session)
    owner, other, second = await licensed(session)
    await service.agree_rule(
        session, second.work_id, second.id, by=owner.id, rule=TWO_IN_48, now=NOW
    )
    for hours in (0, 1):
        await shown(session, first, licensee, hours=hours)
        await shown(session, second, other, hours=hours)
    nothing = ids.new(NOW)
    assert await queries.runs_used(session, [first.id, second.id, nothing]) == {
        first.id: 2, second.id: 1, nothing: 0
    }  # fmt: skip
    assert await queries.runs_used(session, []) == {}


async def test_telecasts_logged_at_once_do_not_overspend_the_budget(db: Database) -> None:
    async with db.transaction() as session:
        _, licensee, grant = await licensed(session, runs_max=3)

    async def log(place: int) -> bool:
        try:
            async with db.transaction() as session:
                await shown(session, grant, licensee, hours=place)
        except rules.RunBudgetSpent:
            return False
        return True

    logged = await asyncio.gather(*(log(place) for place in range(12)))
    assert sum(logged) == 3
    async with db.transaction() as session:
        assert await used(session, grant) == 3


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE telecast SET channel = 'x' WHERE grant_id = :id",
        "DELETE FROM telecast WHERE grant_id = :id",
        "UPDATE run_rule SET repeats_max = 9 WHERE grant_id = :id",
        "DELETE FROM run_rule WHERE grant_id = :id",
        "INSERT INTO telecast SELECT work_id, grant_id, gen_random_uuid(), '', started_at, zone, "
        "logged_by, logged_at FROM telecast WHERE grant_id = :id",
        "INSERT INTO run_rule SELECT work_id, gen_random_uuid(), 1, NULL, NULL, true, 0, NULL, "
        "agreed_at FROM run_rule WHERE grant_id = :id",
        "INSERT INTO run_rule SELECT work_id, gen_random_uuid(), 0, NULL, NULL, true, 721, NULL, "
        "agreed_at FROM run_rule WHERE grant_id = :id",
    ],
)
async def test_the_log_is_only_added_to(session: AsyncSession, change: str) -> None:
    owner, licensee, grant = await licensed(session)
    await shown(session, grant, licensee)
    await service.agree_rule(session, grant.work_id, grant.id, by=owner.id, rule=TWO_IN_48, now=NOW)
    with pytest.raises(DBAPIError, match=r"check constraint|permission denied"):
        await session.execute(text(change), {"id": grant.id})
