"""Reactions about money: an executed deal is planned and invoiced."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from contracts import ids
from contracts.deals import amending, awaiting, carrying
from contracts.deals import queries as deals
from contracts.facts.rules import SealedFact
from contracts.money import Money
from exchange.context import Context
from listings.admissions import applying
from listings.admissions import service as admissions
from settlement.deposits import service as deposits
from settlement.invoices import asking
from settlement.invoices import queries as invoice_rows
from settlement.redletters import queries as red_letters
from settlement.redletters import rules as reversing
from settlement.redletters import service as reversals
from settlement.redletters.rules import Ask
from settlement.refunds import queries as refunds


async def plan_settlement(
    _context: Context, session: AsyncSession, fact: SealedFact, now: datetime
) -> None:
    """Woken by `deal.executed`: plan who gets which part of the price, and invoice the licensee.

    Where witnesses are asked for, it is woken once they have seen the execution; the deal takes
    effect with it.

    Where the contract says so, the price is paid in instalments, each with an invoice of its own,
    and with another of the interest on it. The deposit of an auction's winner pays the buyer's
    service fee and becomes price with what is left (保证金转价款); what is left beyond that goes
    back, and the winner is bound for nothing more. A letter of guarantee is no money: it is kept
    until the price is paid. Of a deal that takes another's place only what it asks for besides is
    planned: the rest was planned for the deal before, and is paid with it.
    """
    deal = await awaiting.take_effect(session, UUID(fact.record["deal"]), now=now)
    asked: Money | None = deal.price
    if deal.supersedes is not None:
        asked = amending.supplement(await deals.get_deal(session, deal.supersedes), deal)
    if asked is None:
        await carrying.pay_with_base(session, deal, now=now)
        return
    invoice = await asking.ask(session, deal, asked, now=now)
    if deal.auction_id is not None and deal.supersedes is None:
        await admissions.free(session, deal.auction_id, deal.licensee_id)
        whose = (deal.auction_id, deal.licensee_id)
        fee = await invoice_rows.find_fee_invoice(session, deal.id)
        for one in (fee, invoice):  # 保证金先抵服务费，余额转作价款
            if one is not None:
                await deposits.apply(session, *whose, invoice=one, now=now)
        if not await deposits.secures_payment(session, *whose):
            await deposits.set_one_free(session, *whose, return_by=applying.return_by(now), now=now)


async def reverse_refunded(
    _context: Context, session: AsyncSession, fact: SealedFact, now: datetime
) -> None:
    """Woken by `refund.made`: prepare the red letter of what was refunded; another decides it.

    Whoever prepared the refund is its maker. What was held in suspense paid no invoice, so nothing
    is taken back for it; nor where a person has prepared the red letter already.
    """
    refund = await refunds.get_refund(session, UUID(fact.record["refund"]))
    invoice = await invoice_rows.find_invoice_of_deal(session, refund.deal_id)
    if invoice is None or invoice.paid_by != refund.payment_id:
        return
    # What was sent again was given back, and is taken back, by the name of the refund that failed.
    first = refund.resends or refund.id
    if await red_letters.find_of_refund(session, first) is not None:
        return
    whole = refund.amount_minor == invoice.amount_minor
    ask = Ask(
        invoice.id,
        refund.amount,
        reversing.SERVICE_ENDED if whole else reversing.ALLOWANCE,
        f"退款 refund {first}",
        first,
    )
    await reversals.prepare(session, ids.new(now), ask=ask, person_id=refund.prepared_by, now=now)
