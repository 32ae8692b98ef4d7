"""Deposits: asked for, received, set free, applied to a price; returned or forfeited by two people.

No fact is recorded before an auction's end: leaves of the log are public with their kind and time,
and would count its bidders. Rows that are only added keep what happened until then.
"""

from collections.abc import Collection
from datetime import date, datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from contracts.facts import service as facts
from contracts.money import Money, WrongCurrency
from contracts.refusal import IdReused
from settlement.deposits import booking, carding, letters, queries, rules
from settlement.deposits.rules import ReceiptKnown, Terms
from settlement.deposits.tables import Deposit, DepositReceipt
from settlement.guarantees import queries as guarantees
from settlement.guarantees.rules import PLEDGED
from settlement.invoices import service as invoices
from settlement.invoices.tables import Invoice
from settlement.ledger import rules as accounts

ACTOR = "exchange"


async def require(session: AsyncSession, terms: Terms, *, now: datetime) -> Deposit:
    """Ask a bidder for a deposit, once."""
    known = await queries.find_deposit(session, terms.auction_id, terms.party_id)
    if known is not None:
        return known
    deposit = Deposit(
        auction_id=terms.auction_id,
        party_id=terms.party_id,
        seller_id=terms.seller_id,
        currency=terms.required.currency,
        required_minor=terms.required.amount_minor,
        state=rules.REQUIRED,
        until=terms.until,
        forfeits=list(terms.forfeits),
        modes=list(terms.modes),
        ends_by=terms.ends_by,
        card_margin_h=terms.card_margin_h,
        guarantee_days=terms.guarantee_days,
        required_at=now,
    )
    session.add(deposit)
    await session.flush()
    return deposit


async def receive(
    session: AsyncSession,
    receipt: DepositReceipt,
    *,
    currency: str,
    into: str = accounts.BANK_DEPOSITS,
) -> tuple[Deposit, bool]:
    """Record what the bank credited (到账); return the deposit and whether the receipt is new.

    Once enough is in, the deposit is frozen (冻结) as of the bank's date. `into` is the ledger's
    account that the money is in.

    Raises:
        Unknown: no such deposit was asked for.
        IdReused: the id names another receipt.
        ReceiptKnown: the bank's reference was recorded under another id.
        WrongCurrency: the deposit is in another currency.
        DepositElsewhere: other money for it lies in another account.
    """
    deposit = await booking.locked(session, receipt.auction_id, receipt.party_id)
    known = await session.get(DepositReceipt, receipt.id)
    if known is not None:
        _check_same(known, receipt)
        return deposit, False
    if currency != deposit.currency:
        raise WrongCurrency("The deposit is in another currency.", wanted=deposit.currency)
    await _check_reference(session, receipt.reference)
    for other in await queries.receipts(session, receipt.auction_id, receipt.party_id):
        if other.bank_account_id != receipt.bank_account_id:
            raise rules.DepositElsewhere("Money for this deposit lies in another account.")
    session.add(receipt)
    balance = rules.paid_in(deposit.balance(), receipt.amount_minor)
    await booking.stand(session, deposit, balance)
    if deposit.frozen_at is None and balance.held_minor >= balance.required_minor:
        deposit.frozen_at = receipt.credited_at
    amount = Money(receipt.amount_minor, currency)
    await booking.book(
        session,
        key=f"deposit:receipt:{receipt.id}",
        kind="deposit.received",
        actor=str(receipt.recorded_by),
        lines=rules.received_lines(deposit.terms(), amount, into=into),
        now=receipt.recorded_at,
    )
    await letters.note_paid(session, deposit, now=receipt.recorded_at)
    if deposit.held_minor >= deposit.required_minor:  # money in the bank takes a card's place
        await carding.let_go(session, deposit, now=receipt.recorded_at)
    return deposit, True


async def set_free(
    session: AsyncSession,
    auction_id: UUID,
    *,
    keep: Collection[UUID] = (),
    return_by: date,
    now: datetime,
) -> int:
    """Let every deposit of an auction go back but those to keep (winners'); return how many."""
    wanted = (
        select(Deposit)
        .where(
            col(Deposit.auction_id) == auction_id,
            col(Deposit.party_id).not_in(keep),
            col(Deposit.free_at).is_(None),
        )
        .order_by(col(Deposit.party_id))
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    freed = (await session.scalars(wanted)).all()
    for deposit in freed:
        await _free(session, deposit, return_by=return_by, now=now)
    return len(freed)


async def set_one_free(
    session: AsyncSession, auction_id: UUID, party_id: UUID, *, return_by: date, now: datetime
) -> None:
    """Let one bidder's deposit go back: refused, withdrawn in time, or its award lapsed."""
    deposit = await booking.find_locked(session, auction_id, party_id)
    if deposit is not None and deposit.free_at is None:
        await _free(session, deposit, return_by=return_by, now=now)


async def keep(session: AsyncSession, auction_id: UUID, party_id: UUID) -> None:
    """Hold a deposit again that is still there: its bidder won after another's default."""
    deposit = await booking.find_locked(session, auction_id, party_id)
    if deposit is not None and (deposit.held_minor or deposit.pledged_minor):
        deposit.free_at = deposit.return_by = None
        await session.flush()


async def secures_payment(session: AsyncSession, auction_id: UUID, party_id: UUID) -> bool:
    """Tell whether a letter of guarantee stands for a deposit until the price is paid."""
    letter = await guarantees.find_live(session, auction_id, party_id)
    return letter is not None and letter.state in PLEDGED


async def apply(
    session: AsyncSession, auction_id: UUID, party_id: UUID, *, invoice: Invoice, now: datetime
) -> int:
    """Turn what is held of the winner's deposit into price, once per invoice; return how much.

    What is left beyond the price is free to go back.
    """
    deposit = await booking.find_locked(session, auction_id, party_id)
    if deposit is None or invoice.deposit_minor or invoice.currency != deposit.currency:
        return 0
    amount = min(deposit.held_minor, invoice.amount_minor)
    if amount == 0:
        return 0
    await booking.stand(session, deposit, rules.taken(deposit.balance(), rules.APPLIED, amount))
    money = Money(amount, deposit.currency)
    await booking.book(
        session,
        key=f"deposit:invoice:{invoice.id}:applied",
        kind="deposit.applied",
        actor=ACTOR,
        lines=rules.applied_lines(deposit.terms(), money),
        now=now,
        deal_id=invoice.deal_id,
    )
    await invoices.credit_deposit(session, invoice, money, now=now)
    await facts.record(
        session,
        "deposit.applied",
        invoice.id,
        {
            **booking.said(deposit, amount),
            "deal": str(invoice.deal_id),
            "invoice": str(invoice.id),
        },
        parties=[deposit.party_id, deposit.seller_id],
        now=now,
    )
    return amount


def _check_same(known: DepositReceipt, receipt: DepositReceipt) -> None:
    fields = ("auction_id", "party_id", "amount_minor", "reference", "credited_at")
    if any(getattr(known, name) != getattr(receipt, name) for name in fields):
        raise IdReused("This id names another receipt.")


async def _check_reference(session: AsyncSession, reference: str) -> None:
    wanted = select(DepositReceipt.id).where(col(DepositReceipt.reference) == reference)
    if await session.scalar(wanted) is not None:
        raise ReceiptKnown("This line of the statement was recorded before.")


async def _free(session: AsyncSession, deposit: Deposit, *, return_by: date, now: datetime) -> None:
    deposit.free_at, deposit.return_by = now, return_by
    await session.flush()
    await carding.let_go(session, deposit, now=now)
