from datetime import date, timedelta
from uuid import UUID

import pytest
from sqlalchemy import TextClause, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import ids
from contracts.facts import queries as facts
from contracts.money import Money, WrongCurrency
from contracts.refusal import IdReused, Unknown
from settlement.approvals.rules import Decision
from settlement.deposits import moving, queries, rules, service
from settlement.deposits.rules import (
    DISTRIBUTE,
    FORFEIT,
    RETURN,
    DepositMoveChanged,
    DepositMoveDecided,
    DepositMovePending,
    DepositNotFree,
    DepositOtherPerson,
    Move,
    ReceiptKnown,
    Terms,
)
from settlement.deposits.tables import Deposit, DepositMovement, DepositReceipt
from settlement.invoices import queries as invoices
from settlement.invoices.service import credit_deposit
from settlement.ledger import queries as books
from settlement.payouts import service as payouts
from settlement.plans import queries as plans
from tests.conftest import NOW
from tests.contracts.parties_factory import party
from tests.exchange.identity_factory import person
from tests.settlement.approvals_factory import decided
from tests.settlement.settlement_factory import Trade, invoiced, paid, with_accounts

RETURN_BY = date(2026, 11, 25)
LATER = NOW + timedelta(days=1)


async def staff(session: AsyncSession) -> UUID:
    home = await party(session, now=NOW)
    return (await person(session, party_id=home.id, role="approver", now=NOW)).id


async def required(session: AsyncSession, *, of: UUID | None = None, minor: int = 1_000) -> Deposit:
    whose = of or (await party(session, kind="broadcaster", now=NOW)).id
    seller = (await party(session, now=NOW)).id
    terms = Terms(
        auction_id=ids.new(NOW), party_id=whose, seller_id=seller, required=Money(minor, "CNY"),
        until=LATER, forfeits=("non-payment", rules.CLAIM_BEYOND),
    )  # fmt: skip
    return await service.require(session, terms, now=NOW)


async def receipt(session: AsyncSession, deposit: Deposit, minor: int) -> DepositReceipt:
    id = ids.new(NOW)
    return DepositReceipt(
        id=id, auction_id=deposit.auction_id, party_id=deposit.party_id, amount_minor=minor,
        reference=f"BANK-{id}", credited_at=NOW, recorded_by=await staff(session), recorded_at=NOW,
    )  # fmt: skip


async def received(session: AsyncSession, minor: int = 1_000, *, of: UUID | None = None) -> Deposit:
    deposit = await required(session, of=of)
    await service.receive(session, await receipt(session, deposit, minor), currency="CNY")
    return deposit


async def prepared(session: AsyncSession, deposit: Deposit, move: Move) -> DepositMovement:
    movement, _ = await moving.prepare(
        session, ids.new(NOW), deposit.auction_id, deposit.party_id,
        move=move, person_id=await staff(session), now=NOW,
    )  # fmt: skip
    return movement


async def read(session: AsyncSession, movement: DepositMovement) -> Decision:
    """The decision of another person who read the movement."""
    return await decided(session, await staff(session), movement.content_sha256, now=NOW)


async def moved(session: AsyncSession, deposit: Deposit, move: Move) -> DepositMovement:
    movement = await prepared(session, deposit, move)
    decision = await read(session, movement)
    return await moving.approve(session, movement.id, decision=decision, now=NOW)


async def balance_of(session: AsyncSession, code: str) -> int:
    rows = {row["code"]: row["balance_minor"] for row in await books.trial_balance(session)}
    return int(rows.get(f"{code}:CNY", 0))


async def committed(session: AsyncSession) -> None:
    """Run what the database checks at a commit."""
    await session.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))
    await session.execute(text("SET CONSTRAINTS ALL DEFERRED"))
    assert await books.check(session) == []


async def test_a_deposit_is_frozen_once_the_bank_has_credited_all_of_it(
    session: AsyncSession,
) -> None:
    deposit = await required(session)
    assert (deposit.state, deposit.frozen_at) == (rules.REQUIRED, None)
    for minor, state in ((400, rules.RECEIVED), (600, rules.FROZEN), (50, rules.FROZEN)):
        await service.receive(session, await receipt(session, deposit, minor), currency="CNY")
        assert deposit.state == state
    assert deposit.frozen_at == NOW
    held = await balance_of(session, f"deposit:{deposit.auction_id}:{deposit.party_id}")
    assert held == -1_050
    await committed(session)


async def test_a_line_of_the_statement_counts_once_under_whatever_id(
    session: AsyncSession,
) -> None:
    deposit = await required(session)
    first = await receipt(session, deposit, 400)
    fields = first.model_dump()
    await service.receive(session, first, currency="CNY")
    again, new = await service.receive(session, DepositReceipt(**fields), currency="CNY")
    assert (again.paid_in_minor, new) == (400, False)
    with pytest.raises(IdReused):
        await service.receive(
            session, DepositReceipt(**{**fields, "amount_minor": 401}), currency="CNY"
        )
    with pytest.raises(ReceiptKnown):
        await service.receive(
            session, DepositReceipt(**{**fields, "id": ids.new(NOW)}), currency="CNY"
        )
    with pytest.raises(WrongCurrency):
        await service.receive(session, await receipt(session, deposit, 1), currency="USD")


async def test_a_losers_deposit_goes_back_by_two_people_and_leaves_with_the_banks_reference(
    session: AsyncSession,
) -> None:
    deposit = await received(session)
    with pytest.raises(DepositNotFree):
        await prepared(session, deposit, Move(RETURN, 1_000, "未成交"))
    assert await service.set_free(session, deposit.auction_id, return_by=RETURN_BY, now=NOW) == 1
    movement = await prepared(session, deposit, Move(RETURN, 1_000, "未成交"))
    own = Decision(person_id=movement.prepared_by, content_sha256=movement.content_sha256)
    with pytest.raises(DepositOtherPerson):
        await moving.approve(session, movement.id, decision=own, now=NOW)
    other = Decision(person_id=await staff(session), content_sha256="0" * 64)
    with pytest.raises(DepositMoveChanged):
        await moving.approve(session, movement.id, decision=other, now=NOW)
    decision = await read(session, movement)
    for _ in range(2):
        await moving.approve(session, movement.id, decision=decision, now=NOW)
    assert (deposit.state, deposit.held_minor, movement.state) == ("released", 0, "approved")
    assert await balance_of(session, f"deposit:{deposit.party_id}:returning") == -1_000
    for _ in range(2):
        await moving.record_return(
            session, movement.id, reference=f"OUT-{movement.id}", person_id=await staff(session),
            now=NOW,
        )  # fmt: skip
    assert movement.state == rules.DONE
    assert await balance_of(session, f"deposit:{deposit.party_id}:returning") == 0
    with pytest.raises(DepositMoveDecided):
        await moving.refuse(session, movement.id, decision=decision, reason="x", now=NOW)
    await committed(session)


async def test_the_winners_deposit_is_kept_when_the_others_are_freed(session: AsyncSession) -> None:
    winner, loser = await received(session), await received(session)
    loser.free_at = None
    freed = await service.set_free(
        session, winner.auction_id, keep=[winner.party_id], return_by=RETURN_BY, now=NOW
    )
    assert freed == 0
    assert winner.free_at is None


async def test_one_movement_waits_at_a_time_and_a_refused_one_makes_room(
    session: AsyncSession,
) -> None:
    deposit = await received(session, 1_500)
    first = await prepared(session, deposit, Move(RETURN, 500, "多付"))
    with pytest.raises(DepositMovePending):
        await prepared(session, deposit, Move(RETURN, 500, "多付"))
    decision = await read(session, first)
    await moving.refuse(session, first.id, decision=decision, reason="账号有误", now=NOW)
    await moved(session, deposit, Move(RETURN, 500, "多付"))
    assert (deposit.state, deposit.held_minor, deposit.released_minor) == ("frozen", 1_000, 500)


async def test_invariant_19_a_forfeited_deposit_is_distributed_once_and_the_claim_is_recorded(
    session: AsyncSession,
) -> None:
    deposit = await received(session)
    fees_before = await balance_of(session, "commission")
    await moved(session, deposit, Move(FORFEIT, 1_000, "non-payment"))
    assert deposit.state == rules.FORFEITED
    pool = f"forfeited:{deposit.auction_id}:{deposit.party_id}"
    assert await balance_of(session, pool) == -1_000
    split = Move(DISTRIBUTE, 1_000, "再次拍卖", fees_minor=300, shortfall_minor=900)
    movement = await moved(session, deposit, split)
    assert (movement.state, movement.claim_minor) == (rules.DONE, 200)
    assert await balance_of(session, pool) == 0
    assert await balance_of(session, f"payee:{deposit.seller_id}:due") == -700
    assert await balance_of(session, "commission") == fees_before - 300
    with pytest.raises(rules.DepositTooSmall):
        await prepared(session, deposit, split)
    told = await facts.find_first_of(session, movement.id, "deposit.distributed")
    assert told is not None
    assert sorted(told.parties) == sorted([deposit.party_id, deposit.seller_id])
    await committed(session)


async def test_the_winners_deposit_becomes_price_and_the_rest_is_paid_by_card(
    session: AsyncSession,
) -> None:
    trade = await invoiced(session, price=Money(10_000, "CNY"), now=NOW)
    deposit = await received(session, of=trade.buyer.id)
    for _ in range(2):
        await service.apply(
            session, deposit.auction_id, trade.buyer.id, invoice=trade.invoice, now=NOW
        )
    assert (deposit.state, deposit.applied_minor) == (rules.APPLIED, 1_000)
    assert trade.invoice.due == Money(9_000, "CNY")
    await paid_due(session, trade)
    assert trade.invoice.state == "paid"
    assert await balance_of(session, f"receivable:{trade.buyer.id}") == 0
    due = [await balance_of(session, f"payee:{owner.id}:due") for owner in trade.owners]
    assert sum(due) == -9_500
    await with_accounts(session, trade, now=NOW)
    payout, _ = await payouts.prepare(
        session, ids.new(NOW), deal_id=trade.deal_id, person_id=await staff(session), now=NOW
    )
    assert b'"charge":null' in payout.content
    await committed(session)


async def test_a_deposit_as_large_as_the_price_pays_it_and_the_rest_goes_back(
    session: AsyncSession,
) -> None:
    trade = await invoiced(session, price=Money(800, "CNY"), now=NOW)
    deposit = await received(session, of=trade.buyer.id)
    used = await service.apply(
        session, deposit.auction_id, trade.buyer.id, invoice=trade.invoice, now=NOW
    )
    assert used == 800
    assert trade.invoice.state == "paid"
    assert (await plans.get_settlement(session, trade.deal_id)).state == "funded"
    assert (await invoices.source_of_deal(session, trade.deal_id)).charge is None
    await service.set_one_free(
        session, deposit.auction_id, trade.buyer.id, return_by=RETURN_BY, now=NOW
    )
    await moved(session, deposit, Move(RETURN, 200, "余额"))
    assert deposit.held_minor == 0
    await committed(session)


async def paid_due(session: AsyncSession, trade: Trade) -> None:
    """Pay what is due, as the provider shows it."""
    whole = trade.invoice.amount
    assert trade.invoice.due != whole
    await paid(session, trade, now=NOW, received=trade.invoice.due)


async def test_without_a_deposit_nothing_is_applied(session: AsyncSession) -> None:
    trade = await invoiced(session, price=Money(800, "CNY"), now=NOW)
    used = await service.apply(
        session, ids.new(NOW), trade.buyer.id, invoice=trade.invoice, now=NOW
    )
    assert used == 0
    with pytest.raises(Unknown):
        await queries.get_deposit(session, ids.new(NOW), trade.buyer.id)


def changing(change: str) -> TextClause:
    where = "WHERE auction_id = :auction AND party_id = :party"
    return text(f"UPDATE deposit SET {change} {where}")


async def test_invariant_18_the_database_refuses_a_deposit_that_is_not_conserved(
    session: AsyncSession,
) -> None:
    deposit = await received(session)
    keys = {"auction": deposit.auction_id, "party": deposit.party_id}
    await committed(session)
    for change in (
        "held_minor = held_minor + 1",
        "held_minor = -1, released_minor = 1001",
        "paid_in_minor = 900, held_minor = 900",
        "required_minor = 1",
        "forfeits = '{late}'",
    ):
        with pytest.raises(DBAPIError):
            async with session.begin_nested():
                await session.execute(changing(change), keys)
    with pytest.raises(DBAPIError, match="the ledger says"):
        async with session.begin_nested():
            change = "held_minor = 0, released_minor = 1000, state = 'released'"
            await session.execute(changing(change), keys)
            await session.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))


async def test_a_credit_to_an_invoice_is_never_more_than_its_amount(session: AsyncSession) -> None:
    trade = await invoiced(session, price=Money(800, "CNY"), now=NOW)
    with pytest.raises(DBAPIError):
        async with session.begin_nested():
            await credit_deposit(session, trade.invoice, Money(801, "CNY"), now=NOW)
