"""Invariants 11 and 32: the bank's facts are always taken, and every difference has a name."""

from sqlalchemy.ext.asyncio import AsyncSession

from contracts import ids
from contracts.money import Money
from settlement.ledger import queries as books
from settlement.ledger import rules as accounts
from settlement.ledger import service as ledger
from settlement.reconciliation import queries, releasing
from settlement.reconciliation.rules import Part
from tests.conftest import NOW
from tests.settlement.approvals_factory import decided
from tests.settlement.bank_factory import (
    Bank,
    approved_file,
    approved_payout,
    closed,
    followed,
    staff,
    suspended,
    wired,
    with_bank_account,
)

PRICE = Money(2_000_000, "EUR")


async def check(session: AsyncSession, bank: Bank) -> int:
    """The ledger mirrors the bank, and the named items are all of suspense; return their sum."""
    here = await queries.position(session, bank.account)
    assert here.ledger_minor == here.bank_minor == bank.balance_minor
    items = await suspended(session, bank.account)
    assert all(item.owner_id and item.due_on > item.opened_at.date() for item in items)
    assert here.suspended_minor == sum(item.amount_minor for item in items)
    assert await queries.unexplained(session, bank.account.currency) == 0
    assert await books.check(session) == []
    return here.suspended_minor


async def test_invariant_11_a_recording_account_takes_every_fact_and_suspense_the_excess(
    session: AsyncSession,
) -> None:
    bank = Bank(await followed(session), balance_minor=300)
    for moved in (-1_000_000, 1, -1, 10**12, -(10**12) - 5):
        bank.line(moved)
    await closed(session, bank, since=300)
    assert bank.balance_minor == -999_705  # overdrawn, and booked all the same
    assert await check(session, bank) == bank.balance_minor


async def test_invariant_32_ledger_is_bank_at_each_cut_off_or_suspense_names_the_difference(
    session: AsyncSession,
) -> None:
    bank = Bank(await followed(session), balance_minor=50_000)
    bank.line(10)
    await closed(session, bank, since=50_000)
    assert await check(session, bank) == 50_010
    trade = await wired(session, bank, PRICE)
    assert await check(session, bank) == 50_010
    for owner in trade.owners:
        await with_bank_account(session, owner.id)
    await approved_payout(session, trade)
    batch = await approved_file(session, bank.account)
    assert await check(session, bank) == 50_010  # instructed is not paid
    assert (await queries.position(session, bank.account)).in_flight_minor == batch.sum_minor
    before = bank.balance_minor
    bank.line(-batch.sum_minor, batch=batch.message_id)
    bank.line(-990)  # a fee that nobody announced
    await closed(session, bank, since=before)
    assert await check(session, bank) == 50_010 - 990
    opening, late, fee = await suspended(session, bank.account)
    release, _ = await releasing.propose(
        session,
        ids.new(NOW),
        items=[opening.id, fee.id],
        parts=[Part("account", "opening", 50_000), Part("account", "bank-fees", -990)],
        person_id=await staff(session),
        now=NOW,
    )
    assert await check(session, bank) == 50_010 - 990  # proposed is not released
    decision = await decided(session, await staff(session), release.sha256, now=NOW)
    await releasing.approve(session, release.id, decision=decision, now=NOW)
    assert await check(session, bank) == late.amount_minor == 10


async def test_invariant_32_a_journal_past_the_named_items_is_told_by_every_check(
    session: AsyncSession,
) -> None:
    """No door books it; somebody who types SQL with the owner's rights may."""
    bank = Bank(await followed(session), balance_minor=50_000)
    bank.line(10)
    await closed(session, bank, since=50_000)
    assert await faults_of(session, "EUR") == []
    await ledger.post(
        session, idem_key=f"past:{bank.account.id}", kind="invoice.issued", actor="test",
        deal_id=None,
        lines=[(accounts.BANK_FEES, PRICE), (accounts.SUSPENSE_BANK, Money(-2_000_000, "EUR"))],
        now=NOW,
    )  # fmt: skip
    (told,) = await faults_of(session, "EUR")
    assert told.startswith("suspense at the bank in EUR: the ledger has ")
    (here,) = [one for one in await queries.suspended(session) if one.currency == "EUR"]
    assert here.unexplained_minor == 2_000_000


async def faults_of(session: AsyncSession, currency: str) -> list[str]:
    return [one for one in await queries.faults(session) if f" in {currency}:" in one]
