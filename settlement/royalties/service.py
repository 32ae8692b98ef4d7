"""Taking usage reports and stating what they make due."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from contracts import calendar, canonical, ids
from contracts.deals import queries as deals
from contracts.deals.tables import Deal
from contracts.facts import service as facts
from contracts.money import Money
from contracts.refusal import IdReused, Unknown
from settlement.fees.rules import SEAT
from settlement.invoices import service as invoices
from settlement.invoices.rules import Due
from settlement.plans import claims
from settlement.plans import service as settlements
from settlement.plans.rules import ROYALTIES
from settlement.royalties import queries, rules, waterfall
from settlement.royalties.reports import Report
from settlement.royalties.tables import RoyaltyStatement, UsageReport
from settlement.royalties.waterfall import Waterfall


async def report(
    session: AsyncSession,
    report_id: UUID,
    *,
    deal_id: UUID,
    party_id: UUID,
    said: Report,
    now: datetime,
) -> tuple[RoyaltyStatement, bool]:
    """Take a licensee's report and state what is due; return the statement and whether it is new.

    A report of a period that was reported corrects it: the statement asks for the difference alone.
    What is due is claimed, planned and invoiced at once; what was asked for too much is carried.

    Raises:
        Unknown: the party is no licensee of such a deal, or its price was not planned.
        IdReused: the id names another report.
        NothingToReport, PeriodNotOver, PeriodOverlaps: see there.
        AmountOutOfRange: what would be due is more than the exchange handles.
    """
    deal = await deals.get_deal_of(session, deal_id, party_id)
    if deal.licensee_id != party_id:
        raise Unknown("The licensee of a deal reports its use.")
    content = said.content()
    sha256 = canonical.sha256_hex(content)
    await settlements.locked(session, deal_id)
    known = await session.get(UsageReport, report_id)
    if known is not None:
        return await _made_before(session, known, deal_id, sha256), False
    terms = canonical.loads(deal.terms)
    agreed = rules.waterfall_of(terms, amended=is_amended(deal))
    before = [queries.reported(row) for row in await queries.reports(session, deal_id)]
    today = now.astimezone(SEAT).date()
    made = UsageReport(
        id=report_id,
        deal_id=deal_id,
        first_day=said.first_day,
        last_day=said.last_day,
        version=rules.next_version(said, before, today=today),
        content=content,
        sha256=sha256,
        receipts_minor=said.receipts_minor,
        runs=said.runs,
        reported_by=party_id,
        reported_at=now,
    )
    session.add(made)
    await session.flush()
    await _tell_reported(session, deal, made, now=now)
    return await _state(session, deal, made, agreed, terms=terms, now=now), True


def is_amended(deal: Deal) -> bool:
    """Tell whether the deal amends another or was amended: figures would go by two texts."""
    return deal.supersedes is not None or deal.ended == "superseded"


async def _state(
    session: AsyncSession,
    deal: Deal,
    made: UsageReport,
    agreed: Waterfall,
    *,
    terms: Mapping[str, Any],
    now: datetime,
) -> RoyaltyStatement:
    """Reckon all reports to date, and claim what they give beyond what was claimed before."""
    known = [queries.reported(row) for row in await queries.reports(session, deal.id)]
    figures = rules.to_date(known)
    told = waterfall.reckon(agreed, figures)
    earlier = await queries.statements(session, deal.id)
    asked = sum(one.due_minor for one in earlier)
    owed = waterfall.owed(told.payable_minor, before_minor=asked)
    claim_id = None
    if owed.due_minor:
        amount = Money(owed.due_minor, agreed.currency)
        claim_id = await _claim(session, deal, made, amount, terms=terms, now=now)
    statement = RoyaltyStatement(
        report_id=made.id,
        deal_id=deal.id,
        number=len(earlier) + 1,
        currency=agreed.currency,
        receipts_minor=figures.receipts_minor,
        runs=figures.runs,
        earned_minor=told.earned_minor,
        recouped_minor=told.recouped_minor,
        unrecouped_minor=told.unrecouped_minor,
        payable_minor=told.payable_minor,
        before_minor=asked,
        due_minor=owed.due_minor,
        carried_minor=owed.carried_minor,
        claim_id=claim_id,
        waterfall_sha256=agreed.sha256,
        due_on=rules.due_on(terms, made.last_day),
        made_at=now,
    )
    session.add(statement)
    await session.flush()
    await _tell_stated(session, deal, statement, now=now)
    return statement


async def _claim(
    session: AsyncSession,
    deal: Deal,
    made: UsageReport,
    amount: Money,
    *,
    terms: Mapping[str, Any],
    now: datetime,
) -> UUID:
    """Claim and invoice what a statement asks for, due on the day of the clause about the fee."""
    claim_id = ids.new(now)
    claimed = await claims.claim(
        session, claim_id, of=deal.id, kind=ROYALTIES, amount=amount, now=now
    )
    until = calendar.end_of(rules.due_on(terms, made.last_day))
    due = Due(until, terms.get("parameters", {}).get("late_bp_daily"))
    await invoices.issue(session, claimed, due=due, now=now)
    return claim_id


async def _made_before(
    session: AsyncSession, known: UsageReport, deal_id: UUID, sha256: str
) -> RoyaltyStatement:
    if (known.deal_id, known.sha256) != (deal_id, sha256):
        raise IdReused("This id names another report.")
    statement = await session.get(RoyaltyStatement, known.id)
    if statement is None:
        raise Unknown("The report has no statement.")
    return statement


async def _tell_reported(
    session: AsyncSession, deal: Deal, made: UsageReport, *, now: datetime
) -> None:
    record = {
        "report": str(made.id),
        "deal": str(deal.id),
        "first_day": made.first_day.isoformat(),
        "last_day": made.last_day.isoformat(),
        "version": made.version,
        "receipts_minor": made.receipts_minor,
        "runs": made.runs,
        "currency": deal.currency,
        "content_sha256": made.sha256,
    }
    parties = [deal.licensor_id, deal.licensee_id]
    await facts.record(session, "usage.reported", made.id, record, parties=parties, now=now)


async def _tell_stated(
    session: AsyncSession, deal: Deal, made: RoyaltyStatement, *, now: datetime
) -> None:
    record = {
        "report": str(made.report_id),
        "deal": str(deal.id),
        "number": made.number,
        "earned_minor": made.earned_minor,
        "recouped_minor": made.recouped_minor,
        "payable_minor": made.payable_minor,
        "due_minor": made.due_minor,
        "carried_minor": made.carried_minor,
        "currency": made.currency,
        "claim": None if made.claim_id is None else str(made.claim_id),
        "waterfall_sha256": made.waterfall_sha256,
    }
    parties = [deal.licensor_id, deal.licensee_id]
    await facts.record(
        session, "royalties.stated", made.report_id, record, parties=parties, now=now
    )
