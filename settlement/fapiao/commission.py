"""Fapiao of the exchange's commission (佣金发票): the exchange sells, who bears it buys.

That is the licensor of what is in its price, and the licensee of a fee beside the price. The
commission is a line of a settlement, and what refunds, disputes and red letters took back of that
line is off it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from contracts.deals import queries as deals
from contracts.money import Money
from contracts.parties import service as parties
from settlement.fapiao import gateway, queries, rules, service
from settlement.fapiao.documents import Asked, Reds, Wanted
from settlement.fapiao.rules import COMMISSION, Between
from settlement.fapiao.tables import Fapiao, FapiaoDetails
from settlement.invoices import service as invoicer
from settlement.invoices.tables import Invoice
from settlement.plans import queries as plans
from settlement.plans import rules as planning
from settlement.plans import service as settlements
from settlement.plans.tables import Settlement, SettlementLine
from settlement.recoveries import rules as taking
from settlement.recoveries.rules import Cause, Share
from settlement.recoveries.tables import Recovery
from settlement.redletters import queries as red_letters
from settlement.redletters.rules import CODES
from settlement.redletters.tables import RedLetter


@dataclass(frozen=True, slots=True)
class Fee:
    """The commission of one invoice, and what was taken back of it, the oldest first."""

    invoice: Invoice
    settlement: Settlement
    line: SettlementLine
    back: Sequence[Recovery]

    @property
    def buyer_id(self) -> UUID:
        """Who bears it: the licensor a part of its price, the licensee a fee beside the price."""
        one = self.settlement
        return one.licensee_id if one.kind == planning.SERVICE_FEE else one.licensor_id

    @property
    def left(self) -> Money:
        """What of it stands."""
        gone = sum(row.amount_minor for row in self.back)
        return Money(self.line.amount_minor - gone, self.invoice.currency)

    def tax_back(self, before_minor: int, step_minor: int) -> Money:
        """The VAT that goes back with a step: together never above what was charged."""
        share = Share(self.line.line, self.line.amount_minor, before_minor)
        minor = taking.tax_step(self.invoice.fee_tax_minor, share, step_minor)
        return Money(minor, self.invoice.currency)


async def ask(
    session: AsyncSession,
    fapiao_id: UUID,
    *,
    invoice_id: UUID,
    type: str,
    person_id: UUID,
    now: datetime,
) -> tuple[Fapiao, bool]:
    """Ask for the fapiao of the commission in an invoice; return it and whether it is new.

    Raises:
        Unknown: there is no such invoice.
        IdReused: the id names another fapiao.
        FapiaoExists: the commission has one.
        FapiaoNothingLeft: nothing is left of it, or it is not in renminbi.
        FapiaoDetailsMissing: who bears it, or the exchange, has not said its tax id.
    """
    fee = await _fee(session, invoice_id)
    said = {"invoice_id": invoice_id, "red_letter_id": None, "type": type, "kind": COMMISSION}
    known = await service.find_known(session, fapiao_id, said)
    if known is not None:
        return known, False
    other = await queries.find_blue(session, invoice_id, COMMISSION)
    if other is not None:
        raise rules.FapiaoExists("This commission has a fapiao.", fapiao=str(other.id))
    gross = fee.left
    if gross.amount_minor == 0 or gross.currency != rules.RENMINBI:
        raise rules.FapiaoNothingLeft("There is nothing to make a fapiao out for.")
    gone = fee.line.amount_minor - gross.amount_minor
    tax = Money(fee.invoice.fee_tax_minor, gross.currency) - fee.tax_back(0, gone)
    buyer = await _details(session, fee.buyer_id)
    wanted = Wanted(type, buyer.value(), gross, tax)
    asked = await _asked(session, fapiao_id, fee, wanted, now=now)
    between = await _between(session, fee, now=now)
    return await service.write(session, asked, between, person_id=person_id, now=now), True


async def ask_red(
    session: AsyncSession,
    fapiao_id: UUID,
    *,
    red_letter_id: UUID,
    confirmation: str,
    person_id: UUID,
    now: datetime,
) -> tuple[Fapiao, bool]:
    """Ask for the red fapiao of what a red letter took back of the commission.

    Raises:
        Unknown: there is no such red letter.
        IdReused: the id names another fapiao.
        FapiaoExists: the red letter has one of the commission.
        FapiaoNotRed: no fapiao of the commission was issued that it takes anything off.
        FapiaoDetailsMissing: the exchange has not said its tax id.
    """
    letter = await red_letters.get_red_letter(session, red_letter_id, party_id=None)
    fee = await _fee(session, letter.invoice_id)
    said = {"red_letter_id": red_letter_id, "kind": COMMISSION}
    known = await service.find_known(session, fapiao_id, said)
    if known is not None:
        return known, False
    other = await queries.find_red(session, red_letter_id, COMMISSION)
    if other is not None:
        raise rules.FapiaoExists("This red letter has a fapiao.", fapiao=str(other.id))
    blue, amount, tax = await _taken(session, fee, letter)
    red = Reds(str(blue.number), CODES[letter.reason_code])
    wanted = Wanted(blue.type, queries.buyer_of(blue), amount, tax, red)
    asked = await _asked(session, fapiao_id, fee, wanted, now=now)
    between = await _between(session, fee, sheet=(letter.id, confirmation), now=now)
    return await service.write(session, asked, between, person_id=person_id, now=now), True


async def _fee(session: AsyncSession, invoice_id: UUID) -> Fee:
    """Return the commission in an invoice, with invoice and settlement locked."""
    invoice = await invoicer.locked(session, invoice_id)
    settlement = await settlements.locked(session, invoice.deal_id)
    lines = await plans.lines(session, invoice.deal_id)
    line = next(one for one in lines if one.kind == planning.COMMISSION)
    wanted = select(Recovery).where(
        col(Recovery.deal_id) == invoice.deal_id, col(Recovery.line) == line.line
    )
    back = await session.scalars(wanted.order_by(col(Recovery.created_at), col(Recovery.id)))
    return Fee(invoice, settlement, line, back.all())


async def _taken(session: AsyncSession, fee: Fee, letter: RedLetter) -> tuple[Fapiao, Money, Money]:
    """Return the blue fapiao, and how much of it and of its VAT a red letter takes back.

    Raises:
        FapiaoNotRed: none is issued, it was made out without it, or nothing of it went back.
    """
    blue = await queries.find_blue(session, fee.invoice.id, COMMISSION)
    if blue is None or blue.state != rules.ISSUED:
        raise rules.FapiaoNotRed("There is nothing that it takes anything off.")
    cause, before = _cause(letter), 0
    for row in fee.back:
        if Cause(row.cause, row.cause_id) == cause:
            break
        before += row.amount_minor
    else:
        raise rules.FapiaoNotRed("It took nothing back of the commission.")
    if before < fee.line.amount_minor - blue.total_minor:
        raise rules.FapiaoNotRed("The fapiao was made out without it.", fapiao=str(blue.id))
    amount = Money(row.amount_minor, row.currency)
    return blue, amount, fee.tax_back(before, row.amount_minor)


def _cause(letter: RedLetter) -> Cause:
    """Return why money was taken back with a red letter."""
    if letter.refund_id is not None:
        return Cause(taking.REFUND, letter.refund_id)
    if letter.dispute_id is not None:
        return Cause(taking.DISPUTE, letter.dispute_id)
    return Cause(taking.RED_LETTER, letter.id)


async def _asked(
    session: AsyncSession, fapiao_id: UUID, fee: Fee, wanted: Wanted, *, now: datetime
) -> Asked:
    exchange = await parties.ensure_exchange(session, now=now)
    seller = await _details(session, exchange.id)
    deal = await deals.get_deal(session, fee.settlement.root_id)
    code, short = gateway.codes()[COMMISSION]
    return Asked(
        id=fapiao_id,
        type=wanted.type,
        seller_name=seller.title,
        seller_tax_id=seller.tax_id,
        buyer=wanted.buyer,
        item=f"*{short}*交易服务费",
        tax_code=code,
        net=wanted.gross - wanted.tax,
        tax=wanted.tax,
        rate_bp=fee.invoice.tax_rate_bp,
        remark=f"{deal.contract_no} {fee.invoice.number}",
        red=wanted.red,
    )


async def _between(
    session: AsyncSession, fee: Fee, *, sheet: tuple[UUID, str] | None = None, now: datetime
) -> Between:
    exchange = await parties.ensure_exchange(session, now=now)
    return Between(fee.invoice.id, COMMISSION, fee.buyer_id, exchange.id, sheet)


async def _details(session: AsyncSession, party_id: UUID) -> FapiaoDetails:
    found = await queries.find_details(session, party_id)
    if found is None:
        raise rules.FapiaoDetailsMissing(
            "An organisation has not said its title and tax id.", party=str(party_id)
        )
    return found
