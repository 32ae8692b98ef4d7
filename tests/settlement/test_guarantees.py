"""Letters of guarantee: accepted by another person, no money until the bank has paid."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given as drawn
from hypothesis import strategies as st
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import calendar, ids
from contracts.money import Money
from contracts.refusal import IdReused, InvalidContent
from settlement.approvals.rules import Decision
from settlement.cardholds.rules import Ask, DepositSecured
from settlement.deposits import carding, letters, service
from settlement.deposits import rules as deposits
from settlement.deposits.rules import DRAW, FORFEIT, DepositNotFree, Move, TriggerNotNamed
from settlement.deposits.tables import Deposit
from settlement.guarantees import rules
from settlement.guarantees.rules import (
    GuaranteeChanged,
    GuaranteeDecided,
    GuaranteeOtherPerson,
    GuaranteeTooShort,
    GuaranteeTooSmall,
    Letter,
    NoPdf,
)
from settlement.guarantees.tables import Guarantee
from tests.conftest import NOW
from tests.settlement.approvals_factory import decided
from tests.settlement.pledges_factory import REQUIRED, asked, letter, offered, staff
from tests.settlement.test_card_holds import moved
from tests.settlement.test_deposits_service import RETURN_BY, balance_of, committed, receipt


async def read(session: AsyncSession, row: Guarantee) -> Decision:
    by = await staff(session, now=NOW)
    return await decided(session, by, row.content_sha256, now=NOW)


async def accepted(session: AsyncSession, row: Guarantee) -> Guarantee:
    return await letters.accept(session, row.id, decision=await read(session, row), now=NOW)


@drawn(
    minor=st.integers(1, 3 * REQUIRED),
    valid_until=st.dates(date(2026, 1, 1), date(2028, 1, 1)),
    needed=st.dates(date(2026, 1, 1), date(2028, 1, 1)) | st.none(),
)
def test_a_letter_counts_exactly_if_it_covers_the_deposit_and_lasts(
    minor: int, valid_until: date, needed: date | None
) -> None:
    one = letter(amount=Money(minor, "CNY"), valid_until=valid_until)
    required = Money(REQUIRED, "CNY")
    if minor < REQUIRED:
        with pytest.raises(GuaranteeTooSmall):
            rules.check(one, required=required, needed_until=needed)
    elif needed is None or valid_until < needed:
        with pytest.raises(GuaranteeTooShort):
            rules.check(one, required=required, needed_until=needed)
    else:
        rules.check(one, required=required, needed_until=needed)


@pytest.mark.parametrize(
    "wrong",
    [
        {"issuer_bic": None, "issuer_cnaps": None},
        {"issuer_bic": "icbkcnbj"},
        {"issuer_cnaps": "12345"},
    ],
    ids=["no bank", "small letters", "too few digits"],
)
def test_a_letter_names_its_bank_by_a_code(wrong: dict[str, str | None]) -> None:
    one: Letter = letter(**wrong)
    with pytest.raises(InvalidContent):
        rules.check(one, required=Money(REQUIRED, "CNY"), needed_until=date(2026, 12, 31))


async def test_what_is_handed_in_is_kept_as_it_was_and_has_to_be_a_pdf(
    session: AsyncSession,
) -> None:
    deposit = await asked(session, now=NOW)
    row = await offered(session, deposit, now=NOW)
    assert (row.state, deposit.state, deposit.pledged_minor) == ("offered", "required", 0)
    again, is_new = await letters.offer(session, row.offer(), person_id=row.offered_by, now=NOW)
    assert (again.id, is_new) == (row.id, False)
    other = replace(row.offer(), letter=letter(number="LG-2"))
    with pytest.raises(IdReused):
        await letters.offer(session, other, person_id=row.offered_by, now=NOW)
    with pytest.raises(DepositSecured):  # one thing at a time is looked at
        await letters.offer(session, replace(other, id=ids.new(NOW)), person_id=row.offered_by,
                            now=NOW)  # fmt: skip
    second = await asked(session, now=NOW)
    text = replace(row.offer(), id=ids.new(NOW), auction_id=second.auction_id,
                   party_id=second.party_id, scan=b"a letter")  # fmt: skip
    with pytest.raises(NoPdf):
        await letters.offer(session, text, person_id=row.offered_by, now=NOW)
    row.number = "LG-3"
    with pytest.raises(DBAPIError, match="stays what it was"):
        await session.flush()


async def test_another_person_accepts_what_it_read_and_the_letter_counts_as_the_deposit(
    session: AsyncSession,
) -> None:
    deposit = await asked(session, now=NOW)
    row = await offered(session, deposit, now=NOW)
    own = Decision(person_id=row.offered_by, content_sha256=row.content_sha256, proof_id=row.id)
    with pytest.raises(GuaranteeOtherPerson):
        await letters.accept(session, row.id, decision=own, now=NOW)
    decision = await read(session, row)
    with pytest.raises(GuaranteeChanged):
        changed = replace(decision, content_sha256="0" * 64)
        await letters.accept(session, row.id, decision=changed, now=NOW)
    for _ in range(2):
        await letters.accept(session, row.id, decision=decision, now=NOW)
    assert (row.state, deposit.state, deposit.frozen_at) == ("accepted", "frozen", NOW)
    assert (deposit.pledged_minor, deposit.held_minor) == (REQUIRED, 0)
    assert deposit.pledged_until == calendar.end_of(row.valid_until)
    assert await balance_of(session, f"deposit:{deposit.auction_id}:{deposit.party_id}") == 0
    with pytest.raises(DepositSecured):  # it counts once
        await carding.give_card(
            session, ids.new(NOW), deposit.auction_id, deposit.party_id, ask=Ask("charge"),
            person_id=row.offered_by, now=NOW,
        )  # fmt: skip
    await committed(session)


async def test_a_refused_letter_makes_room_for_another(session: AsyncSession) -> None:
    deposit = await asked(session, now=NOW)
    first = await offered(session, deposit, now=NOW)
    decision = await read(session, first)
    for _ in range(2):
        await letters.refuse(session, first.id, decision=decision, reason="印章不清", now=NOW)
    assert (first.state, first.refused_reason) == ("refused", "印章不清")
    with pytest.raises(GuaranteeDecided):
        await letters.accept(session, first.id, decision=await read(session, first), now=NOW)
    second = await accepted(session, await offered(session, deposit, now=NOW, number="LG-2"))
    assert (second.state, deposit.state) == ("accepted", "frozen")
    await committed(session)


async def test_a_letter_goes_back_once_nobody_needs_it_and_not_before(
    session: AsyncSession,
) -> None:
    deposit = await asked(session, now=NOW)
    row = await accepted(session, await offered(session, deposit, now=NOW))
    by = await staff(session, now=NOW, role="operator")
    with pytest.raises(DepositNotFree):
        await letters.release(session, row.id, person_id=by, now=NOW)
    await service.set_free(session, deposit.auction_id, return_by=RETURN_BY, now=NOW)
    assert (row.state, deposit.pledged_minor, deposit.return_by) == (
        "accepted", REQUIRED, RETURN_BY,
    )  # fmt: skip
    for _ in range(2):
        await letters.release(session, row.id, person_id=by, now=NOW)
    assert (row.state, deposit.state, deposit.pledged_minor) == ("released", "released", 0)
    await committed(session)


async def demanded(session: AsyncSession, **changes: Any) -> tuple[Guarantee, UUID, UUID]:
    deposit = await asked(session, now=NOW)
    row = await accepted(session, await offered(session, deposit, now=NOW, **changes))
    for reason in ("collusion", "kept"):  # the notice names neither; a letter is no card
        with pytest.raises(TriggerNotNamed):
            await moved(session, deposit, Move(DRAW, REQUIRED, reason))
    movement = await moved(session, deposit, Move(DRAW, REQUIRED, "winner-refuses"))
    assert (row.state, row.demanded_minor, movement.state) == ("demanded", REQUIRED, "approved")
    assert deposit.held_minor == 0
    with pytest.raises(deposits.DepositTooSmall):
        await moved(session, deposit, Move(DRAW, REQUIRED, "winner-refuses"))
    await committed(session)
    return row, deposit.auction_id, deposit.party_id


async def test_what_the_bank_pays_under_a_demand_is_the_deposits_money_and_can_be_forfeited(
    session: AsyncSession,
) -> None:
    row, auction_id, party_id = await demanded(session)
    deposit = await session.get_one(Deposit, (auction_id, party_id))
    half = await receipt(session, deposit, REQUIRED // 2)
    await service.receive(session, half, currency="CNY")
    assert (row.state, deposit.held_minor) == ("demanded", REQUIRED // 2)
    rest = await receipt(session, deposit, REQUIRED // 2)
    await service.receive(session, rest, currency="CNY")
    assert (row.state, deposit.held_minor, deposit.pledged_minor) == ("paid", REQUIRED, 0)
    await committed(session)
    await moved(session, deposit, Move(FORFEIT, REQUIRED, "winner-refuses"))
    assert deposit.state == "forfeited"
    pool = f"forfeited:{auction_id}:{party_id}"
    assert await balance_of(session, pool) == -REQUIRED
    await committed(session)


async def test_what_the_bank_pays_to_the_seller_is_recorded_and_not_booked(
    session: AsyncSession,
) -> None:
    row, auction_id, party_id = await demanded(session, beneficiary="seller")
    deposit = await session.get_one(Deposit, (auction_id, party_id))
    by = await staff(session, now=NOW, role="operator")
    for _ in range(2):
        await letters.record_payment(session, row.id, reference="LG-9", person_id=by, now=NOW)
    assert (row.state, row.paid_reference, deposit.state) == ("paid", "LG-9", "forfeited")
    assert (deposit.paid_in_minor, deposit.pledged_minor) == (0, 0)
    assert await balance_of(session, f"deposit:{auction_id}:{party_id}") == 0
    await committed(session)


async def test_a_letter_is_no_deposit_any_more_once_its_last_day_is_over(
    session: AsyncSession,
) -> None:
    deposit = await asked(session, now=NOW)
    row = await accepted(session, await offered(session, deposit, now=NOW))
    over = calendar.end_of(row.valid_until)
    await letters.expire_due(session, now=over - timedelta(seconds=1))
    assert (row.state, deposit.state) == ("accepted", "frozen")
    await letters.expire_due(session, now=over)
    assert (row.state, deposit.state, deposit.frozen_at) == ("expired", "required", None)
    await committed(session)
