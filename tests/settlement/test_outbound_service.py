from datetime import timedelta

import pytest
from sqlalchemy import delete, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from contracts import ids
from exchange.db import Database
from settlement.outbound import rules, service
from settlement.outbound.rules import CREATE_TRANSFER, LEASE, Lost, Made, Rejected
from settlement.outbound.service import Claim
from settlement.outbound.tables import Outbound
from tests.conftest import NOW

LATER = NOW + LEASE + timedelta(seconds=1)


async def two_turns(session: AsyncSession) -> tuple[Outbound, Claim, Claim]:
    """An instruction that one worker took up, was slow with, and another took up since."""
    others = update(Outbound).where(col(Outbound.state).in_(rules.OPEN))
    await session.execute(others.values(next_at=NOW + timedelta(days=1)))  # only ours is due
    intent_id = ids.new(NOW)
    await service.intend(
        session, intent_id,
        op=CREATE_TRANSFER, object_key=f"test:{intent_id}", object_id=ids.new(NOW), params={},
        now=NOW,
    )  # fmt: skip
    row = await session.get_one(Outbound, intent_id)
    first = await service.claim(session, now=NOW)
    assert first is not None and first.id == intent_id
    assert await service.claim(session, now=NOW + timedelta(seconds=1)) is None
    second = await service.claim(session, now=LATER)
    assert second is not None and second.tries == first.tries + 1
    return row, first, second


@pytest.mark.parametrize("answer", [Lost("cut off"), Rejected("no", final=True)])
async def test_the_late_answer_of_a_slow_worker_changes_nothing(
    session: AsyncSession, answer: rules.Answer
) -> None:
    row, first, _ = await two_turns(session)
    before = (row.state, row.next_at, row.fault)
    assert await service.conclude(session, first, answer, now=LATER) is None
    assert (row.state, row.next_at, row.fault) == before


async def test_a_late_answer_that_the_object_was_made_counts(session: AsyncSession) -> None:
    row, first, second = await two_turns(session)
    assert await service.conclude(session, first, Made("tr_1"), now=LATER) is row
    assert (row.state, row.provider_id) == ("done", "tr_1")
    assert await service.conclude(session, second, Made("tr_1"), now=LATER) is None
    assert row.fault is None


async def test_a_second_object_is_never_taken_over_and_its_fault_is_kept(
    session: AsyncSession,
) -> None:
    row, first, second = await two_turns(session)
    await service.conclude(session, first, Made("tr_1"), now=LATER)
    assert await service.conclude(session, second, Made("tr_2"), now=LATER) is None
    assert (row.state, row.provider_id) == ("done", "tr_1")
    assert row.fault is not None and "tr_2" in row.fault


async def test_a_slow_worker_does_not_repeat_what_another_has_taken_up(
    session: AsyncSession,
) -> None:
    row, first, second = await two_turns(session)
    assert await service.repeat(session, first, now=LATER) is None
    assert row.state == "unknown"
    again = await service.repeat(session, second, now=LATER)
    assert again is not None and again.idem_key == first.idem_key


MONEY = {
    rules.CREATE_TRANSFER: {"amount": 1, "destination": "acct_1", "currency": "cny"},
    rules.CREATE_REFUND: {"amount": 1, "payment_intent": "pi_1"},
    rules.REVERSE_TRANSFER: {"amount": 1, "transfer": "tr_1"},
}


@pytest.mark.parametrize("op", sorted(MONEY))
async def test_invariant_31_no_instruction_moves_money_that_nobody_approved_to_move(
    db: Database, op: str
) -> None:
    """Whatever writes it, the database keeps no instruction without what was decided."""
    intent_id = ids.new(NOW)
    with pytest.raises(DBAPIError, match="nobody approved to move"):
        async with db.transaction() as session:
            await service.intend(
                session, intent_id,
                op=op, object_key=f"test:{intent_id}", object_id=ids.new(NOW), params=MONEY[op],
                now=NOW,
            )  # fmt: skip
    async with db.sessions() as session:
        assert await session.get(Outbound, intent_id) is None


async def test_invariant_31_what_is_asked_of_the_provider_stays_what_was_decided(
    session: AsyncSession,
) -> None:
    row, _, _ = await two_turns(session)
    for change in (
        update(Outbound).where(col(Outbound.id) == row.id).values(payload=b"[]"),
        update(Outbound).where(col(Outbound.id) == row.id).values(object_id=ids.new(NOW)),
        delete(Outbound).where(col(Outbound.id) == row.id),
    ):
        with pytest.raises(DBAPIError, match=r"stays what was decided|permission denied"):
            async with session.begin_nested():
                await session.execute(change)
