"""Putting together what a withholding certificate says, once its remittance has a receipt."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from contracts import calendar
from contracts.deals import queries as deals
from contracts.money import Money
from contracts.parties import queries as parties
from settlement.plans import queries as plans
from settlement.remittances import queries
from settlement.remittances.tables import Remittance
from settlement.withholding import queries as withheld
from settlement.withholding.printing import Certified, Receipt
from settlement.withholding.rules import WithheldNotRemitted
from settlement.withholding.tables import WithheldTax


async def certified(
    session: AsyncSession, withheld_id: UUID, *, party_id: UUID | None
) -> tuple[Certified, datetime]:
    """Return what the certificate of a withheld tax says, and the instant that it carries.

    Args:
        session: the open transaction.
        withheld_id: the withheld tax.
        party_id: who asks; staff pass None.

    Raises:
        Unknown: there is none, or it is another payee's.
        WithheldNotRemitted: the tax office's receipt is not there yet.
    """
    row = await withheld.get(session, withheld_id, party_id=party_id)
    remittance = (await queries.of_withheld(session, [row.id])).get(row.id)
    if remittance is None or remittance.receipt_no is None or remittance.receipt_on is None:
        raise WithheldNotRemitted("It is not remitted, or its receipt is not there.")
    receipt = Receipt(
        remittance.receipt_no, remittance.receipt_on, await _remitted(session, remittance, row)
    )
    settlement = await plans.get_settlement(session, row.deal_id)
    deal = await deals.get_deal(session, settlement.root_id)
    payee = await parties.get_party(session, row.party_id)
    payer = await parties.get_party(session, settlement.licensee_id)
    office = await queries.find_authority(session, row.authority, row.currency)
    named = (row.authority, row.authority) if office is None else (office.name_zh, office.name_en)
    one = Certified(
        id=row.id,
        payee={"zh": payee.name_zh, "en": payee.name_en},
        payer={"zh": payer.name_zh, "en": payer.name_en},
        authority=dict(zip(("zh", "en"), named, strict=True)),
        country=row.country,
        contract_no=deal.contract_no,
        tax=row.tax,
        rule=row.rule,
        legal_basis=row.legal_basis,
        rate_bp=row.rate_bp,
        certificate_no=row.certificate_no,
        gross=Money(row.gross_minor, row.currency),
        amount=row.amount,
        withheld_on=row.withheld_on,
        receipt=receipt,
    )
    return one, calendar.end_of(remittance.receipt_on)


async def _remitted(session: AsyncSession, remittance: Remittance, row: WithheldTax) -> Money:
    for item in await queries.items(session, remittance.id):
        if item.withheld_id == row.id:
            return Money(item.amount_minor, row.currency)
    raise ValueError("the remittance that holds a withheld tax has an item of it")
