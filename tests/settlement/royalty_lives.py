"""The life of a deal that pays royalties, for replays: reported, corrected, paid, paid out."""

from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import canonical, ids
from contracts.money import Money
from settlement.bank.rules import message_id
from settlement.invoices import queries as invoices
from settlement.payouts import service as payouts
from settlement.royalties import reports, service
from tests.conftest import NOW
from tests.settlement.approvals_factory import decided
from tests.settlement.bank_factory import Bank, followed, with_bank_account
from tests.settlement.bank_lives import pays_by_file, says
from tests.settlement.lives import Life, Step, decides
from tests.settlement.returns_factory import Staff
from tests.settlement.settlement_factory import Trade, invoiced

CURRENCY = "GBP"
GUARANTEE = Money(50_000_000, CURRENCY)
TERMS: dict[str, Any] = {
    "consideration": {
        "kind": "guarantee-share", "share_bp": 1250, "currency": CURRENCY, "amount": "500000.00"
    },
    "parameters": {"statement_days": 30, "due_days": 15, "late_bp_daily": 5},
}  # fmt: skip
Q1, Q2 = (date(2026, 1, 1), date(2026, 3, 31)), (date(2026, 4, 1), date(2026, 6, 30))
CLAIM = text("SELECT claim_id FROM royalty_statement WHERE report_id = :report")


async def lives(session: AsyncSession, people: Staff) -> list[Life]:
    """One deal with a minimum guarantee."""
    return [Life("royalties", await _royalties(session, people))]


async def _royalties(session: AsyncSession, people: Staff) -> list[Step]:
    """Recouped first; then due, corrected down and carried, and due again; each wired and paid."""
    trade = await invoiced(session, price=GUARANTEE, terms=canonical.dumps(TERMS), now=NOW)
    bank = Bank(await followed(session, CURRENCY))
    for owner in trade.owners:
        await with_bank_account(session, owner.id, currency=CURRENCY)
    one, two, three, four = (ids.new(NOW) for _ in range(4))
    return [
        _reports(one, trade, Q1, 300_000_000),
        _reports(two, trade, Q1, 640_000_008),
        *_is_paid(two, bank, people),
        _reports(three, trade, Q1, 620_000_000),
        _reports(four, trade, Q2, 111_111_111),
        *_is_paid(four, bank, people),
    ]


def _reports(report_id: UUID, trade: Trade, period: tuple[date, date], gross_minor: int) -> Step:
    """The licensee says what a period brought."""
    lines = [{"source": "IPTV", "runs": 3, "gross_minor": gross_minor, "deductions_minor": 7}]
    deal_id, buyer_id = trade.deal_id, trade.buyer.id

    async def report(session: AsyncSession) -> None:
        said = reports.report(*period, lines)
        await service.report(
            session, report_id, deal_id=deal_id, party_id=buyer_id, said=said, now=NOW
        )

    return decides(report)


def _is_paid(report_id: UUID, bank: Bank, people: Staff) -> list[Step]:
    """What a statement made due is wired by the licensee, and paid out by a file."""
    payout_id, batch_id = ids.new(NOW), ids.new(NOW)

    async def comes_in(session: AsyncSession, bank: Bank) -> None:
        claim_id = await session.scalar(CLAIM, {"report": report_id})
        invoice = await invoices.find_invoice_of_deal(session, claim_id)
        assert invoice is not None
        bank.line(invoice.amount_minor, text=invoice.number)

    async def pays_out(session: AsyncSession) -> None:
        claim_id = await session.scalar(CLAIM, {"report": report_id})
        payout, _ = await payouts.prepare(
            session, payout_id, deal_id=claim_id, person_id=people.maker, now=NOW
        )
        decision = await decided(session, people.checker, payout.content_sha256, now=NOW)
        await payouts.approve(session, payout.id, decision=decision, now=NOW)

    async def leaves(session: AsyncSession, bank: Bank) -> None:
        paid = text("SELECT sum_minor FROM payment_batch WHERE id = :batch")
        minor = await session.scalar(paid, {"batch": batch_id})
        bank.line(-int(minor or 0), batch=message_id(batch_id))

    return [
        says(bank, comes_in),
        decides(pays_out),
        pays_by_file(batch_id, bank.account, people),
        says(bank, leaves),
    ]
