"""Holds: kept for a party until an instant, then free again, and no deal left hanging."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from contracts import canonical, ids
from contracts.deals import queries as deals
from contracts.facts.rules import SealedFact
from contracts.facts.tables import Fact
from contracts.parties.tables import Party
from contracts.refusal import IdReused, InvalidContent, Unknown
from contracts.titles import holds, queries, rules, service
from contracts.titles.tables import RightsGrant
from contracts.works.tables import Work
from exchange import deal_verbs
from exchange.context import Context
from exchange.db import Database
from tests.conftest import NOW
from tests.contracts.deals_factory import opened_deal
from tests.contracts.parties_factory import party
from tests.contracts.rights_factory import wire
from tests.contracts.titles_factory import offered, owned

WEEK = NOW + timedelta(days=7)
LATER = WEEK + timedelta(seconds=1)


async def placed(
    session: AsyncSession, subject: Work, *, owner: Party, buyer: Party, **changes: Any
) -> list[RightsGrant]:
    asked: dict[str, Any] = {
        "hold_id": ids.new(NOW), "grantor_id": owner.id, "grantee_id": buyer.id,
        "boxes": [wire()], "expires_at": WEEK, "now": NOW, **changes,
    }  # fmt: skip
    return await holds.place_hold(session, subject.id, asked.pop("hold_id"), **asked)


async def told(session: AsyncSession, kind: str, work: Work) -> list[dict[str, Any]]:
    found = await session.scalars(select(col(Fact.record)).where(col(Fact.kind) == kind))
    records = [canonical.loads(record) for record in found]
    return [record for record in records if record["work"] == str(work.id)]


async def test_a_hold_keeps_others_out_until_it_ends(session: AsyncSession) -> None:
    owner, subject = await owned(session)
    buyer = await party(session, now=NOW)
    (grant,) = await placed(session, subject, owner=owner, buyer=buyer)
    assert (grant.state, grant.expires_at) == ("held", WEEK)
    with pytest.raises(rules.RightsAlreadyGranted) as refused:
        await offered(session, subject, wire(), grantor=owner)
    assert refused.value.data["state"] == "held"
    await service.reserve(
        session, subject.id, grantor_id=owner.id, boxes=[wire()], source="later", now=WEEK
    )
    assert (grant.state, grant.ended_reason) == ("released", "expired")
    (record,) = await told(session, "hold.expired", subject)
    assert (record["grants"], record["deal"]) == ([str(grant.id)], None)


async def test_a_hold_asked_for_again_is_the_same_and_with_other_content_refused(
    session: AsyncSession,
) -> None:
    owner, subject = await owned(session)
    buyer, other = await party(session, now=NOW), await party(session, now=NOW)
    hold_id = ids.new(NOW)
    first = await placed(session, subject, owner=owner, buyer=buyer, hold_id=hold_id)
    again = await placed(session, subject, owner=owner, buyer=buyer, hold_id=hold_id)
    assert [grant.id for grant in again] == [grant.id for grant in first]
    assert len(await told(session, "hold.placed", subject)) == 1
    for changes in (
        {"grantee_id": other.id},
        {"boxes": [wire(runs_max=1)]},
        {"expires_at": LATER},
    ):
        with pytest.raises(IdReused):
            await placed(session, subject, owner=owner, buyer=buyer, hold_id=hold_id, **changes)


@pytest.mark.parametrize("end", [NOW, NOW - timedelta(days=1), NOW + timedelta(days=367)])
async def test_a_hold_ends_in_the_year_ahead(session: AsyncSession, end: datetime) -> None:
    owner, subject = await owned(session)
    with pytest.raises(rules.BadHoldExpiry):
        await placed(
            session, subject, owner=owner, buyer=await party(session, now=NOW), expires_at=end
        )


async def test_nobody_holds_for_itself_nor_for_a_party_that_is_not_there(
    session: AsyncSession,
) -> None:
    owner, subject = await owned(session)
    with pytest.raises(InvalidContent):
        await placed(session, subject, owner=owner, buyer=owner)
    with pytest.raises(Unknown):
        await placed(session, subject, owner=owner, buyer=owner, grantee_id=ids.new(NOW))


@pytest.mark.parametrize("number", [0, 51])
async def test_a_hold_names_between_one_and_fifty_rights(
    session: AsyncSession, number: int
) -> None:
    owner, subject = await owned(session)
    buyer = await party(session, now=NOW)
    with pytest.raises(rules.TooManyLots):
        await placed(session, subject, owner=owner, buyer=buyer, boxes=[wire()] * number)


async def test_either_side_lifts_a_hold_and_a_stranger_does_not_know_it(
    session: AsyncSession,
) -> None:
    owner, subject = await owned(session)
    buyer, stranger = await party(session, now=NOW), await party(session, now=NOW)
    for side in (owner, buyer):
        hold_id = ids.new(NOW)
        await placed(session, subject, owner=owner, buyer=buyer, hold_id=hold_id)
        with pytest.raises(Unknown):
            await holds.lift_hold(session, subject.id, hold_id, party_id=stranger.id, now=NOW)
        for _ in range(2):
            (grant,) = await holds.lift_hold(
                session, subject.id, hold_id, party_id=side.id, now=NOW
            )
            assert (grant.state, grant.ended_reason) == ("released", "lifted")
    assert len(await told(session, "hold.lifted", subject)) == 2


async def test_what_is_due_is_given_back_once_and_what_is_not_stays(db: Database) -> None:
    async with db.transaction() as session:
        owner, subject = await owned(session)
        buyer = await party(session, now=NOW)
        boxes = [wire(), wire(media=["cable"])]
        await placed(session, subject, owner=owner, buyer=buyer, boxes=boxes)
        await placed(
            session, subject, owner=owner, buyer=buyer, boxes=[wire(media=["iptv"])],
            expires_at=WEEK + timedelta(days=1),
        )  # fmt: skip
    async with db.transaction() as holding:
        await service.release(holding, subject.id, source="none", now=NOW)  # the tree is locked
        async with db.transaction() as session:
            await holds.expire_due(session, now=LATER)
            assert len(await queries.taken(session, subject.id)) == 3
    async with db.transaction() as session:
        assert await holds.expire_due(session, now=LATER) >= 2
        await holds.expire_due(session, now=LATER)
        assert [one.box.media for one in await queries.taken(session, subject.id)] == [
            rules.lots([wire(media=["iptv"])], units=rules.WHOLE)[0].box.media
        ]
        (record,) = await told(session, "hold.expired", subject)
        assert len(record["grants"]) == 2


async def test_a_deal_that_nobody_signed_in_a_month_is_voided_and_its_rights_are_free(
    session: AsyncSession, context: Context
) -> None:
    licensor = await party(session, now=NOW)
    licensee = await party(session, kind="broadcaster", now=NOW)
    deal = await opened_deal(session, licensor=licensor, licensee=licensee, now=NOW)
    (grant,) = await queries.grants_of_work(session, deal.work_id)
    assert grant.expires_at == NOW + timedelta(days=30)
    late = NOW + timedelta(days=30)
    with pytest.raises(rules.HoldExpired):
        await service.make_effective(session, deal.work_id, deal_id=deal.id, now=late)
    await holds.expire_due(session, now=late)
    (fact,) = (
        await session.scalars(
            select(Fact).where(col(Fact.kind) == "hold.expired", col(Fact.subject) == deal.id)
        )
    ).all()
    for _ in range(2):
        await deal_verbs.void_expired_deal(context, session, sealed(fact), late)
    assert (await deals.get_deal(session, deal.id)).signing == "expired"
    assert await queries.taken(session, deal.work_id) == []
    with pytest.raises(rules.RightsNotReserved):
        await service.make_effective(session, deal.work_id, deal_id=deal.id, now=late)


async def test_a_deal_signed_a_moment_before_its_hold_ends_takes_effect(
    session: AsyncSession,
) -> None:
    licensor = await party(session, now=NOW)
    licensee = await party(session, kind="broadcaster", now=NOW)
    deal = await opened_deal(session, licensor=licensor, licensee=licensee, now=NOW)
    just = NOW + timedelta(days=30) - timedelta(microseconds=1)
    (grant,) = await service.make_effective(session, deal.work_id, deal_id=deal.id, now=just)
    assert (grant.state, grant.expires_at) == ("effective", None)


def sealed(fact: Fact) -> SealedFact:
    return SealedFact(
        seq=0, id=fact.id, kind=fact.kind, subject=fact.subject, parties=tuple(fact.parties),
        record=canonical.loads(fact.record), recorded_at=fact.recorded_at,
    )  # fmt: skip
