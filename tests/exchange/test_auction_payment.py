"""An auction that is paid in parts: award, contract, deposit, invoices, payouts, evidence."""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import canonical, ids
from contracts.facts.rules import SealedFact
from contracts.money import Money
from contracts.parties.gateway import LocalAuthority
from exchange import keys, settlement_verbs
from exchange.context import Context
from exchange.evidence import bundle
from exchange.evidence.verify import verify
from listings.auctions import verify_auction
from settlement.deposits import queries as deposits
from settlement.deposits import service as deposit_service
from settlement.deposits.rules import Terms
from settlement.deposits.tables import DepositReceipt
from settlement.invoices import queries as invoices
from settlement.invoices.tables import Invoice
from settlement.payouts import service as payouts
from settlement.plans import queries as plans
from settlement.royalties import reports
from settlement.royalties import service as royalties
from tests.conftest import NOW
from tests.contracts.log_factory import seal_all
from tests.exchange.evidence_factory import AMOUNT, Trade, executed_trade
from tests.exchange.instalments_desk import told
from tests.listings.admissions_factory import staff
from tests.settlement.test_instalments import paid_out, pay

IN_PARTS: dict[str, Any] = {
    "model": "instalments", "rate_bp": 300, "security": "银行保函 GC-2026-001",
    "parts": [{"share_bp": 3_000, "due_days": 5}, {"share_bp": 7_000, "due_days": 180}],
}  # fmt: skip
FIRST, SECOND, INTEREST = 36_000_000, 84_000_001, 1_242_740


async def planned(context: Context, session: AsyncSession, trade: Trade) -> list[Invoice]:
    """Let the executed contract ask for its price; return the invoices, the price's first."""
    fact: SealedFact = await told(session, trade.deal, "deal.executed")
    await settlement_verbs.plan_settlement(context, session, fact, NOW)
    found = []
    for part in await plans.parts_of(session, trade.deal.id):
        invoice = await invoices.find_invoice_of_deal(session, part.deal_id)
        assert invoice is not None
        found.append(invoice)
    return found


async def deposited(session: AsyncSession, trade: Trade, amount_minor: int) -> None:
    """The winner's deposit, credited before the close."""
    assert trade.deal.auction_id is not None
    whose = (trade.deal.auction_id, trade.licensee.id)
    terms = Terms(*whose, trade.licensor.id, Money(amount_minor, "CNY"), None, ("non-payment",))
    await deposit_service.require(session, terms, now=NOW)
    receipt = DepositReceipt(
        id=ids.new(NOW), auction_id=whose[0], party_id=whose[1], amount_minor=amount_minor,
        reference=str(ids.new(NOW)), credited_at=NOW,
        recorded_by=await staff(session, now=NOW), recorded_at=NOW,
    )  # fmt: skip
    await deposit_service.receive(session, receipt, currency="CNY")


async def test_the_contract_of_an_award_says_the_parts_that_the_rulebook_froze(
    context: Context, session: AsyncSession
) -> None:
    trade = await executed_trade(session, context.settings.keys, payment=IN_PARTS)
    terms = canonical.loads(trade.deal.terms)
    assert terms["consideration"]["instalments"] == [
        {"amount": "360000.00", "due_days": 5, "interest": "0.00"},
        {"amount": "840000.01", "due_days": 180, "interest": "12427.40"},
    ]
    assert "fee-in-instalments" in {clause["ref"] for clause in terms["clauses"]}
    asked = await planned(context, session, trade)
    assert [(one.amount_minor, one.due.amount_minor) for one in asked] == [
        (FIRST, FIRST), (SECOND, SECOND),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("deposit", "left"), [(20_000_000, 0), (FIRST, 0), (FIRST + 1_234, 1_234)],
    ids=["less", "as-much", "more"],
)  # fmt: skip
async def test_a_deposit_counts_to_the_first_instalment_and_what_is_left_goes_back(
    context: Context, session: AsyncSession, deposit: int, left: int
) -> None:
    trade = await executed_trade(session, context.settings.keys, payment=IN_PARTS)
    await deposited(session, trade, deposit)
    for _ in range(2):  # woken twice, it takes effect once
        first, second = await planned(context, session, trade)
    assert first.deposit_minor == deposit - left
    assert first.due.amount_minor == FIRST - deposit + left
    assert (second.deposit_minor, second.due.amount_minor) == (0, SECOND)
    assert (first.state == "paid") == (deposit >= FIRST)
    assert trade.deal.auction_id is not None
    held = await deposits.find_deposit(session, trade.deal.auction_id, trade.licensee.id)
    assert held is not None
    assert held.held_minor == left
    assert held.return_by is not None  # nobody is bound any more
    priced = await plans.get_settlement(session, trade.deal.id)
    assert (priced.state == "funded") == (deposit >= FIRST)


async def test_the_evidence_of_an_award_paid_in_parts_holds_by_both_programs(
    context: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with context.db.transaction() as session:
        trade = await executed_trade(session, context.settings.keys, payment=IN_PARTS)
        await planned(context, session, trade)
        for payee in (trade.licensor, trade.co_owner):
            await payouts.open_account(session, payee.id, country="HK", now=NOW)
            await payouts.account_ready(session, payee.id, provider_id=f"acct_{payee.id.hex}")
        for part in await plans.parts_of(session, trade.deal.id):
            await pay(session, part.deal_id)
            await paid_out(session, part.deal_id)
    signer = keys.log_signer(context.settings)
    await seal_all(context.db, signer)
    async with context.db.transaction() as session:
        _, raw = await bundle.assemble(
            session, trade.deal.id, party=trade.licensee.id, signer=signer,
            authority=LocalAuthority.ensure(context.settings.keys, NOW),
        )  # fmt: skip
    path = tmp_path / "bundle.zip"
    path.write_bytes(raw)
    report = verify(path)
    assert [(one.name, one.detail) for one in report.checks if not one.ok] == []
    said = {one.name: one.detail for one in report.checks}
    assert "4 bids replay to CNY 1200000.01" in " ".join(said.values())
    assert "120000001 = " in said["settlement"]

    def otherwise(_payment: Any, amount: int) -> list[list[int]]:
        return [[amount - 1, 5, 0], [1, 180, 0]]

    monkeypatch.setattr(verify_auction, "paid_in", otherwise)
    (failed,) = [one.detail for one in verify(path).checks if not one.ok]
    assert "paid in other parts" in failed


async def test_an_award_can_be_a_guarantee_with_a_share_beyond_it(
    context: Context, session: AsyncSession
) -> None:
    shared = {"model": "guarantee-share", "share_bp": 1_250}
    trade = await executed_trade(session, context.settings.keys, payment=shared)
    said = canonical.loads(trade.deal.terms)["consideration"]
    assert (said["kind"], said["share_bp"], said["amount"]) == (
        "guarantee-share", 1_250, "1200000.01",
    )  # fmt: skip
    (invoice,) = await planned(context, session, trade)
    assert invoice.amount_minor == AMOUNT
    line = {"source": "IPTV", "runs": 1, "gross_minor": 2_000_000_000, "deductions_minor": 0}
    year = reports.report(NOW.date().replace(year=2027, month=1, day=1),
                          NOW.date().replace(year=2027, month=12, day=31), [line])  # fmt: skip
    statement, _ = await royalties.report(
        session, ids.new(NOW), deal_id=trade.deal.id, party_id=trade.licensee.id, said=year,
        now=NOW.replace(year=2028),
    )  # fmt: skip
    assert (statement.earned_minor, statement.recouped_minor) == (250_000_000, AMOUNT)
    assert statement.due_minor == 250_000_000 - AMOUNT
