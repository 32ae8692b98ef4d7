"""Encumbrances between those they bind and those they serve: co-owners, and who is told."""

from datetime import date
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from contracts.encumbrances import rules, service
from contracts.facts.tables import Fact
from contracts.refusal import InvalidContent
from contracts.titles import service as titles
from tests.conftest import NOW
from tests.contracts.encumbrances_factory import declared, undated
from tests.contracts.parties_factory import party
from tests.contracts.rights_factory import wire
from tests.contracts.titles_factory import granted, owned


@pytest.mark.parametrize("kind", ["holdback", "option", "first-refusal", "mandate", "blackout"])
async def test_a_co_owner_alone_promises_nobody_what_the_others_could_not_lift(
    session: AsyncSession, kind: str
) -> None:
    owner, subject = await owned(session)
    co_owner, friend = await party(session, now=NOW), await party(session, now=NOW)
    await titles.declare_shares(
        session, subject.id,
        party_id=owner.id, shares={owner.id: 9999, co_owner.id: 1}, now=NOW,
    )  # fmt: skip
    said: dict[str, Any] = {"kind": kind, "beneficiary_id": friend.id}
    with pytest.raises(rules.OwnersDisagree):
        await declared(session, subject, co_owner, **said)
    await declared(session, subject, None, **said)
    await titles.consent(session, subject.id, party_id=co_owner.id, now=NOW)
    await declared(session, subject, co_owner, **said)


async def test_whose_window_an_event_sets_is_told_of_its_day(session: AsyncSession) -> None:
    owner, subject = await owned(session)
    served, other = await party(session, now=NOW), await party(session, now=NOW)
    held = await declared(
        session, subject, owner, kind="holdback", beneficiary_id=served.id, wire=undated()
    )
    await declared(session, subject, owner, kind="holdback", beneficiary_id=other.id)
    await service.record_event(
        session, subject.id, "theatrical-release",
        by=owner.id, happened_on=date(2026, 3, 1), reason=None, now=NOW,
    )  # fmt: skip
    kind = "event.recorded"
    wanted = select(Fact).where(col(Fact.kind) == kind, col(Fact.subject) == subject.id)
    fact = (await session.execute(wanted)).scalar_one()
    assert held.start_event == "theatrical-release"
    assert fact.parties == sorted([owner.id, served.id])


@pytest.mark.parametrize("kind", ["blackout", "clearance"])
async def test_what_the_exchange_declared_no_owner_lifts(session: AsyncSession, kind: str) -> None:
    owner, subject = await owned(session)
    ordered = await declared(session, subject, None, kind=kind)
    own = await declared(session, subject, owner, kind=kind)
    with pytest.raises(rules.NotYoursToLift):
        await service.lift(session, subject.id, ordered.id, by=owner.id, reason="撤销", now=NOW)
    for row, by in ((ordered, None), (own, owner.id)):
        await service.lift(session, subject.id, row.id, by=by, reason="撤销", now=NOW)


async def test_what_belongs_to_a_licence_serves_its_licensee(session: AsyncSession) -> None:
    owner, subject = await owned(session)
    licensee, other = await party(session, now=NOW), await party(session, now=NOW)
    (grant,) = await granted(session, subject, wire(), grantor=owner, licensee=licensee)
    said: dict[str, Any] = {"kind": "holdback", "grant_id": grant.id}
    with pytest.raises(InvalidContent):
        await declared(session, subject, owner, beneficiary_id=other.id, **said)
    row = await declared(session, subject, owner, **said)
    assert row.beneficiary_id == licensee.id
