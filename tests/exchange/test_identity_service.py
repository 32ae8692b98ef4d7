from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import ids
from contracts.parties.rules import EXCHANGE_PARTY_ID
from exchange.identity import service as identity
from exchange.identity.rules import EmailTaken, Role, SignInFailed, SignInNeeded
from tests.conftest import NOW
from tests.contracts.parties_factory import party
from tests.exchange.identity_factory import PASSWORD, person


async def test_a_session_lasts_twelve_hours(session: AsyncSession) -> None:
    home = await party(session, now=NOW)
    who = await person(session, party_id=home.id, now=NOW)
    token, _, _ = await identity.sign_in(session, email=who.email, password=PASSWORD, now=NOW)
    last = NOW + timedelta(hours=12) - timedelta(microseconds=1)
    caller = await identity.caller_by_session(session, token, csrf_token=None, now=last)
    assert caller.person_id == who.id
    with pytest.raises(SignInNeeded):
        await identity.caller_by_session(
            session, token, csrf_token=None, now=NOW + timedelta(hours=12)
        )


async def test_neither_token_nor_password_is_stored(session: AsyncSession) -> None:
    home = await party(session, now=NOW)
    who = await person(session, party_id=home.id, now=NOW)
    token, _, _ = await identity.sign_in(session, email=who.email, password=PASSWORD, now=NOW)
    kept = []
    for table in ("sign_in", "person"):
        rows = await session.execute(text(f"SELECT to_jsonb(it)::text FROM {table} it"))
        kept += rows.scalars().all()
    assert not any(token in row or PASSWORD in row for row in kept)


async def test_those_who_come_later_sweep_what_has_ended(session: AsyncSession) -> None:
    home = await party(session, now=NOW)
    who = await person(session, party_id=home.id, now=NOW)
    with pytest.raises(SignInFailed):
        await identity.sign_in(session, email=f"{who.id}@x.cn", password="no", now=NOW)
    await identity.sign_in(session, email=who.email, password=PASSWORD, now=NOW)
    later = NOW + timedelta(hours=13)
    await identity.sign_in(session, email=who.email, password=PASSWORD, now=later)
    sessions = text("SELECT count(*) FROM sign_in WHERE person_id = :id")
    assert (await session.execute(sessions, {"id": who.id})).scalar_one() == 1
    failures = text("SELECT count(*) FROM sign_in_failures WHERE since <= :now")
    assert (await session.execute(failures, {"now": NOW})).scalar_one() == 0


async def test_staff_are_added_once_to_the_exchanges_own_party(session: AsyncSession) -> None:
    email = f"{ids.new(NOW).hex}@exchange.test"
    added = [
        await identity.add_staff(
            session, email=email, name="经办", password=PASSWORD, role=Role.OPERATOR, now=NOW
        )
        for _ in range(2)
    ]
    assert added[0].id == added[1].id
    assert added[0].party_id == EXCHANGE_PARTY_ID
    with pytest.raises(EmailTaken):
        await identity.add_staff(
            session, email=email, name="复核", password=PASSWORD, role=Role.APPROVER, now=NOW
        )


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE person SET role = 'owner'",
        "UPDATE person SET state = 'gone'",
        "UPDATE person SET email = 'A@B.CN'",
        "UPDATE party SET kind = 'exchange'",
        "UPDATE party SET state = 'trusted'",
        "UPDATE party SET uscc = '91110000600037341I'",
        "UPDATE party SET name_zh = ''",
    ],
)
async def test_the_database_refuses_what_the_rules_refuse(
    session: AsyncSession, change: str
) -> None:
    home = await party(session, now=NOW)
    who = await person(session, party_id=home.id, now=NOW)
    target = home.id if "UPDATE party" in change else who.id
    with pytest.raises(IntegrityError, match="violates check constraint"):
        await session.execute(text(f"{change} WHERE id = :id"), {"id": target})
