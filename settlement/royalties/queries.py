"""Reading usage reports and royalty statements."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from contracts import canonical
from contracts.deals import queries as deals
from contracts.deals.tables import Deal
from contracts.deals.terms import Side
from contracts.money import Money
from contracts.parties import queries as parties
from contracts.refusal import Unknown
from contracts.works.tables import Work
from settlement.invoices import queries as invoices
from settlement.plans import queries as plans
from settlement.plans.rules import COMMISSION, SHARE
from settlement.royalties import rules, stating
from settlement.royalties.rules import Reported
from settlement.royalties.stating import Got, Stated
from settlement.royalties.tables import RoyaltyStatement, UsageReport


async def reports(session: AsyncSession, deal_id: UUID) -> Sequence[UsageReport]:
    """Return the reports of a deal by their periods, of each its versions in order."""
    wanted = select(UsageReport).where(col(UsageReport.deal_id) == deal_id)
    ordered = wanted.order_by(col(UsageReport.first_day), col(UsageReport.version))
    return (await session.scalars(ordered)).all()


async def statements(session: AsyncSession, deal_id: UUID) -> Sequence[RoyaltyStatement]:
    """Return the statements of a deal in their order."""
    wanted = select(RoyaltyStatement).where(col(RoyaltyStatement.deal_id) == deal_id)
    return (await session.scalars(wanted.order_by(col(RoyaltyStatement.number)))).all()


def reported(row: UsageReport) -> Reported:
    """Return a report as the rules know it."""
    return Reported(row.period, row.version, row.receipts_minor, row.runs)


async def deal_for(session: AsyncSession, deal_id: UUID, *, reader: UUID | None) -> Deal:
    """Return a deal whose royalties a party may read: a side of it, or an owner with a share.

    Args:
        session: the open transaction.
        deal_id: the deal.
        reader: who asks; None for the staff.

    Raises:
        Unknown: there is no such deal, or the party has no part in it.
    """
    if reader is not None and await _is_paid_by(session, deal_id, reader):
        return await deals.get_deal(session, deal_id)
    return await deals.get_deal_of(session, deal_id, reader)


async def stated(
    session: AsyncSession, deal: Deal, *, number: int | None = None, reader: UUID | None
) -> Sequence[Stated]:
    """Return the statements of a deal as they were made, in order, or the one of a number.

    A reader sees what it gets and what the exchange takes of it; the staff see every payee.

    Raises:
        Unknown: there is none of that number.
        NothingToReport: the price of the deal does not depend on its use.
    """
    work = await session.get_one(Work, deal.work_id)
    known = await reports(session, deal.id)
    every = await statements(session, deal.id)
    made = [one for one in every if number in (None, one.number)]
    if number is not None and not made:
        raise Unknown("There is no such statement.", number=number)
    # Each report has one statement: those up to a statement's own counted when it was made.
    answered = {
        one.number: {each.report_id for each in every if each.number <= one.number} for one in made
    }
    sides = {
        role: await _side(session, party_id, role)
        for role, party_id in (("licensor", deal.licensor_id), ("licensee", deal.licensee_id))
    }
    terms = canonical.loads(deal.terms)
    rules.waterfall_of(terms, amended=False)
    return [
        Stated(
            report=one.report_id,
            number=one.number,
            made_at=one.made_at,
            due_on=one.due_on,
            contract_no=deal.contract_no,
            title={"zh": work.title_zh, "en": work.title_en},
            licensor=sides["licensor"],
            licensee=sides["licensee"],
            considered=terms["consideration"],
            currency=one.currency,
            figures={name: getattr(one, f"{name}_minor") for name in stating.FIGURES},
            runs=one.runs,
            period=next(reported(row) for row in known if row.id == one.report_id),
            periods=rules.latest(reported(row) for row in known if row.id in answered[one.number]),
            invoice=await _invoice_number(session, one.claim_id),
            got=await _got(session, one, reader=reader),
        )
        for one in made
    ]


async def _is_paid_by(session: AsyncSession, deal_id: UUID, party_id: UUID) -> bool:
    """Tell whether an owner gets a share of a deal's price, and so of its royalties."""
    return any(line.payee_id == party_id for line in await plans.payees(session, deal_id))


async def _got(
    session: AsyncSession, one: RoyaltyStatement, *, reader: UUID | None
) -> Sequence[Got]:
    if one.claim_id is None:
        return ()
    lines = await plans.lines(session, one.claim_id)
    mine = {line.payee_id for line in lines if line.payee_id == reader and line.kind == SHARE}
    shown = [
        line
        for line in lines
        if reader is None or line.payee_id in mine or (mine and line.kind == COMMISSION)
    ]
    return [
        Got(
            await _side(session, line.payee_id, "payee"),
            line.kind,
            Money(line.basis_minor, one.currency),
            line.rate_bp,
            Money(line.amount_minor, one.currency),
        )
        for line in shown
    ]


async def _invoice_number(session: AsyncSession, claim_id: UUID | None) -> str | None:
    found = None if claim_id is None else await invoices.find_invoice_of_deal(session, claim_id)
    return None if found is None else found.number


async def _side(session: AsyncSession, party_id: UUID, role: str) -> Side:
    party = await parties.get_party(session, party_id)
    return Side(role, party.id, party.name_zh, party.name_en, party.uscc)
