"""Shares in a work against a real database: declared, agreed to and settled."""

from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from contracts import ids
from contracts.facts.tables import Fact
from contracts.parties.tables import Party
from contracts.refusal import Unknown
from contracts.titles import holds, queries, rules, service
from contracts.works.tables import Work
from tests.conftest import NOW
from tests.contracts.parties_factory import party
from tests.contracts.rights_factory import wire
from tests.contracts.test_titles_service import owned, reserved


async def shared(session: AsyncSession) -> tuple[Party, Party, Work]:
    owner, subject = await owned(session)
    other = await party(session, now=NOW)
    await service.declare_shares(
        session, subject.id, party_id=owner.id, shares={owner.id: 7_000, other.id: 3_000}, now=NOW
    )
    return owner, other, subject


async def count(session: AsyncSession, kind: str, subject: UUID) -> int:
    found = await session.scalar(
        select(func.count()).where(col(Fact.kind) == kind, col(Fact.subject) == subject)
    )
    return found or 0


async def test_a_declarer_agrees_by_declaring_and_the_co_owner_by_consent(
    session: AsyncSession,
) -> None:
    _, other, subject = await shared(session)
    assert await queries.consents_missing(session, subject.id) == [other.id]
    for _ in range(2):
        await service.consent(session, subject.id, party_id=other.id, now=NOW)
    assert await queries.consents_missing(session, subject.id) == []
    assert await count(session, "shares.consented", subject.id) == 1


async def test_the_same_shares_declared_again_change_nothing(session: AsyncSession) -> None:
    owner, other, subject = await shared(session)
    await service.consent(session, subject.id, party_id=other.id, now=NOW)
    again = await service.declare_shares(
        session, subject.id, party_id=owner.id, shares={owner.id: 7_000, other.id: 3_000}, now=NOW
    )
    assert all(share.consented_at for share in again)
    assert await count(session, "shares.declared", subject.id) == 1


async def test_shares_can_be_corrected_until_a_co_owner_agrees(session: AsyncSession) -> None:
    owner, other, subject = await shared(session)
    split = {owner.id: 6_000, other.id: 4_000}
    await service.declare_shares(session, subject.id, party_id=owner.id, shares=split, now=NOW)
    assert {s.party_id: s.share_bp for s in await queries.shares(session, subject.id)} == split
    await service.consent(session, subject.id, party_id=other.id, now=NOW)
    with pytest.raises(rules.SharesSettled):
        await service.declare_shares(
            session, subject.id, party_id=owner.id, shares={owner.id: 10_000}, now=NOW
        )


async def test_shares_stay_while_rights_are_live(session: AsyncSession) -> None:
    owner, other, subject = await shared(session)
    await reserved(session, owner, subject, "lot", wire(exclusivity="non-exclusive"))
    with pytest.raises(rules.SharesSettled):
        await service.declare_shares(
            session,
            subject.id,
            party_id=owner.id,
            shares={owner.id: 9_000, other.id: 1_000},
            now=NOW,
        )


async def test_only_the_registrant_declares_and_only_owners_consent(session: AsyncSession) -> None:
    owner, other, subject = await shared(session)
    with pytest.raises(Unknown):
        await service.declare_shares(
            session, subject.id, party_id=other.id, shares={other.id: 10_000}, now=NOW
        )
    stranger = await party(session, now=NOW)
    with pytest.raises(Unknown):
        await service.consent(session, subject.id, party_id=stranger.id, now=NOW)
    with pytest.raises(Unknown):
        await service.declare_shares(
            session, subject.id, party_id=owner.id,
            shares={owner.id: 5_000, ids.new(NOW): 5_000}, now=NOW,
        )  # fmt: skip


async def test_a_co_owner_may_grant_what_the_work_holds(session: AsyncSession) -> None:
    _, other, subject = await shared(session)
    await reserved(session, other, subject, "lot", wire(exclusivity="non-exclusive"))


async def test_who_is_an_owner_no_more_is_told(session: AsyncSession) -> None:
    owner, other, subject = await shared(session)
    await service.declare_shares(
        session, subject.id, party_id=owner.id, shares={owner.id: 10_000}, now=NOW
    )
    kind = "shares.declared"
    wanted = select(Fact).where(col(Fact.kind) == kind, col(Fact.subject) == subject.id)
    facts = (await session.scalars(wanted.order_by(col(Fact.id)))).all()
    assert [fact.parties for fact in facts] == [sorted([owner.id, other.id])] * 2


async def test_a_hold_that_ran_out_does_not_settle_the_shares(session: AsyncSession) -> None:
    owner, _, subject = await shared(session)
    friend, later = await party(session, now=NOW), NOW + timedelta(days=1)
    await holds.place_hold(
        session, subject.id, ids.new(NOW), grantor_id=owner.id, grantee_id=friend.id,
        boxes=[wire(exclusivity="non-exclusive")], expires_at=later, now=NOW,
    )  # fmt: skip
    sole = {owner.id: 10_000}
    with pytest.raises(rules.SharesSettled):
        await service.declare_shares(
            session, subject.id, party_id=owner.id, shares=sole, now=later - timedelta(seconds=1)
        )
    (share,) = await service.declare_shares(
        session, subject.id, party_id=owner.id, shares=sole, now=later
    )
    assert (share.party_id, share.share_bp) == (owner.id, 10_000)
