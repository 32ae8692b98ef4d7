"""Deposits on a card: when they count, when they are money, and that each happens once."""

import random
from datetime import timedelta

import pytest
from hypothesis import given as drawn
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from contracts import ids
from contracts.money import Money
from contracts.refusal import IdReused
from settlement.cardholds import queries, rules
from settlement.cardholds.rules import (
    Ask,
    CardHoldTooShort,
    DepositModeNotAccepted,
    DepositSecured,
)
from settlement.deposits import carding, moving, service
from settlement.deposits import rules as deposits
from settlement.deposits.rules import DRAW, FORFEIT, RETURN, Move, TriggerNotNamed
from settlement.deposits.tables import Deposit, DepositMovement
from settlement.outbound import rules as outbound
from settlement.outbound.tables import Outbound
from tests.conftest import NOW
from tests.settlement.approvals_factory import decided
from tests.settlement.pledges_factory import REQUIRED, asked, given, held, seen, staff
from tests.settlement.test_deposits_service import RETURN_BY, balance_of, committed, receipt

LATER = NOW + timedelta(hours=2)


async def instructions(session: AsyncSession, deposit: Deposit) -> list[str]:
    """The instructions about a deposit's cards and returns, in order."""
    cards = [one.id for one in await queries.of_deposit(session, *whose(deposit))]
    moves = await session.scalars(
        select(DepositMovement.id).where(col(DepositMovement.auction_id) == deposit.auction_id)
    )
    rows = await session.scalars(
        select(Outbound)
        .where(col(Outbound.object_id).in_([*cards, *moves.all()]))
        .order_by(col(Outbound.created_at), col(Outbound.id))
    )
    return [row.op for row in rows]


def whose(deposit: Deposit) -> tuple[ids.UUID, ids.UUID]:
    return deposit.auction_id, deposit.party_id


async def moved(session: AsyncSession, deposit: Deposit, move: Move) -> DepositMovement:
    movement, _ = await moving.prepare(
        session, ids.new(NOW), *whose(deposit),
        move=move, person_id=await staff(session, now=NOW), now=NOW,
    )  # fmt: skip
    by = await staff(session, now=NOW)
    decision = await decided(session, by, movement.content_sha256, now=NOW)
    return await moving.approve(session, movement.id, decision=decision, now=NOW)


@drawn(needed=st.integers(0, 10**6) | st.none(), held=st.integers(0, 10**6) | st.none())
def test_a_hold_counts_exactly_if_it_outlasts_what_it_is_needed_for(
    needed: int | None, held: int | None
) -> None:
    until = None if needed is None else NOW + timedelta(seconds=needed)
    holds = None if held is None else NOW + timedelta(seconds=held)
    lasts = needed is not None and held is not None and held > needed
    if lasts:
        rules.check_lasts(until, held_until=holds)
        return
    with pytest.raises(CardHoldTooShort) as no:
        rules.check_lasts(until, held_until=holds)
    assert "wire" in no.value.hint


async def test_a_card_that_holds_counts_as_the_deposit_and_is_no_money(
    session: AsyncSession,
) -> None:
    deposit = await asked(session, now=NOW)
    hold = await given(session, deposit, now=NOW, method="pm_card_visa")
    assert (hold.state, hold.client_secret, deposit.frozen_at) == ("ready", "secret", None)
    for _ in range(2):
        await carding.apply_seen(session, seen(hold, "requires_capture", now=NOW), now=LATER)
    assert (hold.state, hold.capture_before) == (rules.HELD, NOW + timedelta(days=7))
    assert (deposit.state, deposit.pledged_minor, deposit.held_minor) == ("frozen", REQUIRED, 0)
    assert (deposit.frozen_at, deposit.pledged_until) == (LATER, hold.capture_before)
    assert await balance_of(session, f"deposit:{deposit.auction_id}:{deposit.party_id}") == 0
    told = await instructions(session, deposit)
    assert sorted(told) == [outbound.CONFIRM_PAYMENT, outbound.HOLD_PAYMENT]
    await committed(session)


async def test_a_deposit_counts_once_whatever_is_given_for_it(session: AsyncSession) -> None:
    deposit = await asked(session, now=NOW)
    hold = await given(session, deposit, now=NOW)
    by = await staff(session, now=NOW)
    other = ids.new(NOW)
    for state in (rules.READY, rules.HELD):
        assert hold.state == state
        with pytest.raises(DepositSecured):
            await carding.give_card(
                session, other, *whose(deposit), ask=Ask("charge"), person_id=by, now=NOW
            )
        await carding.apply_seen(session, seen(hold, "requires_capture", now=NOW), now=NOW)
    again, is_new = await carding.give_card(
        session, hold.id, *whose(deposit), ask=Ask("card_hold"), person_id=by, now=NOW
    )
    assert (again.id, is_new) == (hold.id, False)
    with pytest.raises(IdReused):
        await carding.give_card(
            session, hold.id, *whose(deposit), ask=Ask("charge"), person_id=by, now=NOW
        )
    deposit.pledged_minor, deposit.pledged_until = 0, None
    with pytest.raises(DBAPIError, match="counts 0 pledged, 1 stand"):
        await session.flush()
        await session.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))


async def test_a_hold_that_would_end_too_early_is_refused_before_and_after_the_card_said_yes(
    session: AsyncSession,
) -> None:
    by = await staff(session, now=NOW)
    for ends_by in (NOW + timedelta(days=6, hours=1), None):
        deposit = await asked(session, now=NOW, ends_by=ends_by)
        with pytest.raises(CardHoldTooShort):
            await carding.give_card(
                session, ids.new(NOW), *whose(deposit), ask=Ask("card_hold"), person_id=by, now=NOW
            )
        await given(session, deposit, now=NOW, mode="charge")  # as the hint says
    deposit = await asked(session, now=NOW)
    hold = await given(session, deposit, now=NOW)
    short = seen(hold, "requires_capture", now=NOW, capture_before=NOW + timedelta(hours=48))
    await carding.apply_seen(session, short, now=NOW)
    assert (hold.state, hold.fault) == (rules.RELEASING, "card-hold-too-short")
    assert (deposit.state, deposit.pledged_minor, deposit.frozen_at) == ("required", 0, None)
    assert outbound.CANCEL_PAYMENT in await instructions(session, deposit)
    await committed(session)


async def test_only_what_the_rulebook_accepts_is_taken(session: AsyncSession) -> None:
    deposit = await asked(session, now=NOW, modes=("wire", "charge"))
    with pytest.raises(DepositModeNotAccepted) as no:
        await carding.give_card(
            session, ids.new(NOW), *whose(deposit), ask=Ask("card_hold"),
            person_id=await staff(session, now=NOW), now=NOW,
        )  # fmt: skip
    assert no.value.data["accepted"] == ["wire", "charge"]


async def test_a_losers_hold_is_let_go_and_no_money_ever_moved(session: AsyncSession) -> None:
    deposit = await asked(session, now=NOW)
    hold = await held(session, deposit, now=NOW)
    await service.set_free(session, deposit.auction_id, return_by=RETURN_BY, now=NOW)
    assert (hold.state, deposit.pledged_minor, deposit.state) == ("releasing", 0, "released")
    await carding.made(
        session, hold.id, outbound.CANCEL_PAYMENT, provider_id="x", client_secret=None, now=NOW
    )
    await carding.apply_seen(session, seen(hold, "canceled", now=NOW), now=NOW)
    assert (hold.state, deposit.state, deposit.paid_in_minor) == ("released", "released", 0)
    await committed(session)


async def test_the_winners_hold_is_captured_by_rule_once_and_is_money_then(
    session: AsyncSession,
) -> None:
    deposit = await asked(session, now=NOW)
    hold = await held(session, deposit, now=NOW)
    for _ in range(2):
        await carding.draw_kept(session, *whose(deposit), now=NOW)
    assert (hold.state, deposit.pledged_minor, deposit.held_minor) == ("drawing", REQUIRED, 0)
    paid = seen(hold, "succeeded", now=NOW, fee=Money(61, "CNY"))
    for _ in range(3):
        await carding.apply_seen(session, paid, now=LATER)
    assert (hold.state, hold.captured_minor) == (rules.DRAWN, REQUIRED)
    assert (deposit.state, deposit.held_minor, deposit.pledged_minor) == ("frozen", REQUIRED, 0)
    held_on = f"deposit:{deposit.auction_id}:{deposit.party_id}"
    assert await balance_of(session, held_on) == -REQUIRED
    ops = await instructions(session, deposit)
    assert ops.count(outbound.CAPTURE_PAYMENT) == 1
    await committed(session)


async def test_two_people_draw_on_a_card_for_a_named_reason_and_forfeit_what_came_in(
    session: AsyncSession,
) -> None:
    deposit = await asked(session, now=NOW)
    hold = await held(session, deposit, now=NOW)
    with pytest.raises(TriggerNotNamed) as no:
        await moved(session, deposit, Move(DRAW, REQUIRED, "collusion"))
    assert no.value.data["named"] == ["non-payment", "winner-refuses", "kept"]
    with pytest.raises(deposits.DepositTooSmall):
        await moved(session, deposit, Move(FORFEIT, REQUIRED, "non-payment"))
    movement = await moved(session, deposit, Move(DRAW, REQUIRED, "non-payment"))
    assert (movement.state, hold.state) == (deposits.APPROVED, rules.DRAWING)
    with pytest.raises(deposits.DepositTooSmall):
        await moved(session, deposit, Move(DRAW, REQUIRED, "non-payment"))
    await carding.apply_seen(session, seen(hold, "succeeded", now=NOW), now=NOW)
    assert movement.state == deposits.DONE
    await moved(session, deposit, Move(FORFEIT, REQUIRED, "non-payment"))
    assert (deposit.state, deposit.forfeited_minor) == ("forfeited", REQUIRED)
    await committed(session)


async def test_what_a_card_paid_goes_back_to_the_card_by_two_people(
    session: AsyncSession,
) -> None:
    deposit = await asked(session, now=NOW)
    hold = await given(session, deposit, now=NOW, mode="charge")
    await carding.apply_seen(session, seen(hold, "succeeded", now=NOW), now=NOW)
    assert (hold.state, deposit.state, deposit.frozen_at) == ("drawn", "frozen", NOW)
    await service.set_free(session, deposit.auction_id, return_by=RETURN_BY, now=NOW)
    movement = await moved(session, deposit, Move(RETURN, REQUIRED, "未成交"))
    assert (movement.state, hold.returned_minor) == (deposits.APPROVED, REQUIRED)
    assert outbound.CREATE_REFUND in await instructions(session, deposit)
    with pytest.raises(deposits.DepositMoveDecided):
        await moving.record_return(
            session, movement.id, reference="BANK-1", person_id=await staff(session, now=NOW),
            now=NOW,
        )  # fmt: skip
    await committed(session)
    for _ in range(2):
        await moving.refunded(session, movement.id, provider_id=f"re_{hold.id.hex}", now=NOW)
    assert (movement.state, movement.reference) == (deposits.DONE, f"re_{hold.id.hex}")
    assert await balance_of(session, f"deposit:{deposit.party_id}:returning") == 0
    await committed(session)


@pytest.mark.parametrize("way", ("by the provider", "by the clock"))
async def test_a_hold_that_runs_out_is_a_deposit_no_more(session: AsyncSession, way: str) -> None:
    deposit = await asked(session, now=NOW)
    hold = await held(session, deposit, now=NOW)
    deposit.free_at = None
    assert hold.capture_before is not None
    if way == "by the provider":
        await carding.apply_seen(session, seen(hold, "canceled", now=NOW), now=LATER)
    else:
        await carding._gone(session, deposit, hold, now=hold.capture_before)
    assert (hold.state, deposit.pledged_minor) == (rules.EXPIRED, 0)
    assert (deposit.state, deposit.frozen_at) == ("required", None)
    await committed(session)
    # The bidder may still wire it, or give another card.
    await service.receive(session, await receipt(session, deposit, REQUIRED), currency="CNY")
    assert (deposit.state, deposit.held_minor) == ("frozen", REQUIRED)
    await committed(session)


async def test_a_capture_that_came_too_late_fails_its_movement_and_books_nothing(
    session: AsyncSession,
) -> None:
    deposit = await asked(session, now=NOW)
    hold = await held(session, deposit, now=NOW)
    movement = await moved(session, deposit, Move(DRAW, REQUIRED, "winner-refuses"))
    await committed(session)
    await carding.refused(session, hold.id, outbound.CAPTURE_PAYMENT, now=NOW)
    await carding.apply_seen(session, seen(hold, "canceled", now=NOW), now=NOW)
    assert (movement.state, hold.state, deposit.held_minor) == ("failed", "expired", 0)
    await committed(session)


async def test_a_card_kept_beyond_the_auction_is_captured_before_it_runs_out(
    session: AsyncSession,
) -> None:
    kept, freed = await asked(session, now=NOW), await asked(session, now=NOW)
    holds = [await held(session, one, now=NOW) for one in (kept, freed)]
    await service.set_free(session, freed.auction_id, return_by=RETURN_BY, now=NOW)
    early = NOW + timedelta(days=6) - timedelta(seconds=1)
    for now, states in (
        (early, ["held", "releasing"]), (NOW + timedelta(days=6), ["drawing", "releasing"]),
    ):  # fmt: skip
        await carding.watch_due(session, now=now)
        assert [one.state for one in holds] == states


async def test_money_in_the_bank_takes_the_place_of_a_card(session: AsyncSession) -> None:
    deposit = await asked(session, now=NOW)
    hold = await held(session, deposit, now=NOW)
    await service.receive(session, await receipt(session, deposit, REQUIRED), currency="CNY")
    assert (hold.state, deposit.pledged_minor, deposit.state) == ("releasing", 0, "frozen")
    assert deposit.frozen_at is not None
    await committed(session)


async def test_a_card_confirmed_after_it_was_given_up_is_let_go(session: AsyncSession) -> None:
    deposit = await asked(session, now=NOW)
    hold = await given(session, deposit, now=NOW, method="pm_card_chargeDeclined")
    await carding.refused(session, hold.id, outbound.CONFIRM_PAYMENT, now=NOW)
    assert (hold.state, hold.fault) == (rules.FAILED, "card-declined")
    second = await held(session, deposit, now=NOW)  # another card may be given at once
    await carding.apply_seen(session, seen(hold, "requires_capture", now=NOW), now=NOW)
    assert (hold.state, second.state) == (rules.RELEASING, rules.HELD)
    await committed(session)


async def test_nobody_captures_a_card_that_nobody_decided_to_capture(
    session: AsyncSession,
) -> None:
    """Whatever writes it, the database keeps no capture without its cause."""
    deposit = await asked(session, now=NOW)
    hold = await held(session, deposit, now=NOW)
    session.add(
        Outbound(
            id=ids.new(NOW), op=outbound.CAPTURE_PAYMENT, object_key=f"hold:{hold.id}:capture",
            object_id=hold.id, payload=b'{"amount_to_capture":20000,"payment_intent":"pi_1"}',
            payload_sha256="0" * 64, state="intent", attempt=1, idem_key=str(hold.id), tries=0,
            ever_unknown=False, next_at=NOW, created_at=NOW,
        )
    )  # fmt: skip
    await session.flush()
    with pytest.raises(DBAPIError, match="nobody approved to move"):
        await session.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))


@pytest.mark.parametrize("seed", range(12))
async def test_invariant_28_any_order_and_number_of_what_is_told_ends_the_same(
    session: AsyncSession, seed: int
) -> None:
    """The provider is asked again for each event, so late news never undo what came of a card."""
    rng = random.Random(seed)
    deposit = await asked(session, now=NOW)
    hold = await held(session, deposit, now=NOW)
    ends_in_money = bool(seed % 2)
    if ends_in_money:
        await carding.draw_kept(session, *whose(deposit), now=NOW)
    else:
        await service.set_free(session, deposit.auction_id, return_by=RETURN_BY, now=NOW)
    last = seen(hold, "succeeded" if ends_in_money else "canceled", now=NOW)
    told = [last] + [
        rng.choice([last, seen(hold, "requires_capture", now=NOW)]) for _ in range(rng.randrange(8))
    ]
    for one in rng.sample(told, len(told)):
        await carding.apply_seen(session, one, now=NOW + timedelta(seconds=rng.randrange(10**5)))
    money = REQUIRED if ends_in_money else 0
    assert (hold.state, hold.captured_minor) == ("drawn" if money else "released", money)
    assert (deposit.held_minor, deposit.paid_in_minor, deposit.pledged_minor) == (money, money, 0)
    assert await balance_of(session, f"deposit:{deposit.auction_id}:{deposit.party_id}") == -money
    await committed(session)
