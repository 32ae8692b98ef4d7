"""Suspended money: released by two people, to the last cent, or it waits."""

from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import ids
from settlement.approvals.rules import Decision
from settlement.bank import queries as bank_queries
from settlement.bank.tables import BankEntry
from settlement.ledger import queries as books
from settlement.reconciliation import queries, releasing
from settlement.reconciliation.rules import (
    Part,
    ReleaseChanged,
    ReleaseDecided,
    ReleaseSamePerson,
    SuspenseNotOpen,
    SuspenseUneven,
)
from settlement.reconciliation.tables import ReconMatch, ReconSide, SuspenseItem
from tests.conftest import NOW
from tests.settlement.approvals_factory import decided
from tests.settlement.bank_desk import PRICE, agrees, bank_of, items_of, paid_by_wire, state_of
from tests.settlement.bank_factory import (
    Bank,
    approved_file,
    closed,
    staff,
    suspended,
)
from tests.settlement.settlement_factory import Trade, invoiced


async def short_wire(session: AsyncSession, *parts: int) -> tuple[Bank, Trade, list[SuspenseItem]]:
    """A trade, and wires that do not name it."""
    bank = await bank_of(session)
    trade = await invoiced(session, price=PRICE, now=NOW)
    for part in parts:
        bank.line(part, text="our film")
    await closed(session, bank, since=0)
    return bank, trade, await suspended(session, bank.account)


async def proposed(
    session: AsyncSession, items: list[SuspenseItem], parts: list[Part]
) -> ReconMatch:
    release, _ = await releasing.propose(
        session, ids.new(NOW), items=[item.id for item in items], parts=parts,
        person_id=await staff(session), now=NOW,
    )  # fmt: skip
    return release


async def approve(session: AsyncSession, release: ReconMatch) -> ReconMatch:
    decision = await decided(session, await staff(session), release.sha256, now=NOW)
    return await releasing.approve(session, release.id, decision=decision, now=NOW)


async def test_two_wires_and_the_banks_fee_pay_an_invoice_once_two_people_say_so(
    session: AsyncSession,
) -> None:
    bank, trade, items = await short_wire(session, 600_000, 398_500)
    parts = [
        Part("invoice", str(trade.invoice.id), PRICE.amount_minor),
        Part("account", "bank-fees", -1_500),
    ]
    release = await proposed(session, items, parts)
    assert release.proposed_by is not None
    own = await decided(session, release.proposed_by, release.sha256, now=NOW)
    with pytest.raises(ReleaseSamePerson):
        await releasing.approve(session, release.id, decision=own, now=NOW)
    with pytest.raises(SuspenseNotOpen):
        await proposed(session, items, parts)
    await approve(session, release)
    assert await state_of(session, trade) == "funded"
    assert await suspended(session, bank.account) == []
    assert await agrees(session, bank.account)
    assert await books.check(session) == []
    sides = (await queries.sides(session, [release.id]))[release.id]
    assert [(one.side, one.kind, one.amount_minor) for one in sides][2:] == [
        ("book", "invoice", PRICE.amount_minor),
        ("book", "account", -1_500),
    ]
    with pytest.raises(ReleaseDecided):
        await approve(session, release)


async def test_a_release_leaves_no_cent_over(session: AsyncSession) -> None:
    _, trade, items = await short_wire(session, PRICE.amount_minor - 1)
    with pytest.raises(SuspenseUneven) as refused:
        await proposed(session, items, [Part("invoice", str(trade.invoice.id), PRICE.amount_minor)])
    assert refused.value.data["difference_minor"] == -1


async def test_a_release_for_an_invoice_paid_meanwhile_is_void(session: AsyncSession) -> None:
    bank, trade, items = await short_wire(session, PRICE.amount_minor)
    release = await proposed(
        session, items, [Part("invoice", str(trade.invoice.id), PRICE.amount_minor)]
    )
    before = bank.balance_minor
    bank.line(PRICE.amount_minor, text=trade.invoice.number)
    await closed(session, bank, since=before)
    with pytest.raises(ReleaseChanged):
        await approve(session, release)
    decision = Decision(await staff(session), release.sha256)
    await releasing.refuse(session, release.id, decision=decision, reason="Paid.", now=NOW)
    assert [item.match_id for item in await suspended(session, bank.account)] == [None]


async def test_a_payment_that_the_bank_shows_without_our_reference_is_released_by_hand(
    session: AsyncSession,
) -> None:
    bank = await bank_of(session)
    trade, payout = await paid_by_wire(session, bank)
    await approved_file(session, bank.account)
    before = bank.balance_minor
    items = await items_of(session, payout)
    bank.line(-sum(item.amount_minor for item in items))
    await closed(session, bank, since=before)
    parts = [Part("payment", str(item.id), -item.amount_minor) for item in items]
    await approve(session, await proposed(session, await suspended(session, bank.account), parts))
    assert await state_of(session, trade) == "paid_out"
    assert await agrees(session, bank.account)


async def test_the_sides_of_a_match_are_even_in_the_database_too(session: AsyncSession) -> None:
    _, trade, items = await short_wire(session, PRICE.amount_minor)
    release = await proposed(
        session, items, [Part("invoice", str(trade.invoice.id), PRICE.amount_minor)]
    )
    session.add(
        ReconSide(
            match_id=release.id, line=9, side="book", kind="account", name="bank-fees",
            amount_minor=1,
        )
    )  # fmt: skip
    release.score = 1
    await session.flush()
    with pytest.raises(DBAPIError, match="uneven by -1"):
        await session.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))


async def test_a_likely_invoice_is_suggested_and_never_matched(session: AsyncSession) -> None:
    bank, trade, (item,) = await short_wire(session, PRICE.amount_minor)
    entry = (await bank_queries.entries_by_id(session, [item.entry_id or UUID(int=0)]))[
        item.entry_id or UUID(int=0)
    ]
    assert isinstance(entry, BankEntry)
    found = await queries.suggestions(session, bank.account.currency, entry.entry())
    mine = next(one for one in found if one.invoice_id == trade.invoice.id)
    assert 50 <= mine.score < 100
    assert await state_of(session, trade) == "awaiting_payment"
