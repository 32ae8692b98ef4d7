"""Royalties (分成): what licensees report of a deal's use, and what is stated to be due."""

from collections.abc import Sequence
from datetime import date
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import AwareDatetime, ConfigDict, Field

from contracts import canonical
from contracts.money import MOST_MINOR, AmountOutOfRange, Money
from contracts.refusal import IdReused, InvalidContent, Malformed, NotAllowed, Unknown
from exchange.api import problems
from exchange.api.deps import Now, Session, Shape, Signed
from exchange.api.once import OnceRoute
from exchange.identity.rules import CsrfToken, Role, ScopeMissing, SignInNeeded
from settlement.fees.rules import SEAT
from settlement.royalties import queries, reports, rules, service
from settlement.royalties.tables import RoyaltyStatement, UsageReport
from settlement.taxes import gateway as taxes
from settlement.taxes import rules as tax_rules

router = APIRouter(route_class=OnceRoute, tags=["royalties"])

_READ = (SignInNeeded, ScopeMissing, InvalidContent, Unknown)
Minor = Annotated[int, Field(strict=True, ge=0, le=MOST_MINOR)]


class UsageLineIn(Shape):
    """What one source brought in the period: without tax, in minor units, and the runs shown."""

    source: Annotated[str, Field(min_length=1, max_length=reports.LONGEST_SOURCE)]
    runs: Annotated[int, Field(strict=True, ge=0, le=reports.MOST_RUNS)] = 0
    gross_minor: Minor = 0
    deductions_minor: Minor = 0


class UsageReportIn(Shape):
    """All that a period brought; another report of the same period takes this one's place."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "first_day": "2026-01-01",
                    "last_day": "2026-06-30",
                    "lines": [
                        {
                            "source": "IPTV",
                            "runs": 2,
                            "gross_minor": 480_000_000,
                            "deductions_minor": 0,
                        }
                    ],
                }
            ]
        }
    )

    first_day: date
    last_day: date
    lines: Annotated[Sequence[UsageLineIn], Field(min_length=1, max_length=reports.MOST_LINES)]


class TaxOut(Shape):
    """The tax that an amount holds (价税合计), by which row, and whether its text was read."""

    rate_bp: int
    net_minor: int
    tax_minor: int
    legal_basis: str
    verified: bool


class RoyaltyStatementOut(Shape):
    """What the reports to date earn, recoup of the guarantee, and still ask for."""

    report_id: UUID
    deal_id: UUID
    number: int
    currency: str
    receipts_minor: Annotated[int, Field(description="net receipts of all periods to date")]
    runs: int
    earned_minor: int
    recouped_minor: Annotated[int, Field(description="set off against the guarantee")]
    unrecouped_minor: int
    payable_minor: Annotated[int, Field(description="owed beyond the guarantee, to date")]
    before_minor: Annotated[int, Field(description="asked for by the statements before")]
    due_minor: Annotated[int, Field(description="asked for by this one")]
    carried_minor: Annotated[int, Field(description="asked for too much before; set off later")]
    tax: TaxOut | None
    claim_id: Annotated[
        UUID | None, Field(description="the settlement of what is due; its invoice names it")
    ]
    waterfall_sha256: str
    due_on: date
    made_at: AwareDatetime


class UsageReportOut(Shape):
    """A version of a report; of one period the highest counts."""

    id: UUID
    first_day: date
    last_day: date
    version: int
    receipts_minor: int
    runs: int
    sha256: str
    reported_at: AwareDatetime
    lines: Sequence[UsageLineIn]


class RoyaltiesOut(Shape):
    """The royalties of a deal: how they are reckoned, what was reported, what was stated."""

    model: Annotated[
        Literal["guarantee-share", "guarantee-tiers", "per-run"] | None,
        Field(description="null where nothing is reported: a fixed price, or an amended deal"),
    ]
    reports: Sequence[UsageReportOut]
    statements: Sequence[RoyaltyStatementOut]


@router.put(
    "/deals/{deal_id}/usage-reports/{report_id}",
    status_code=201,
    responses={
        200: {"model": RoyaltyStatementOut, "description": "It was reported before."},
        **problems.responses(
            *_READ, CsrfToken, NotAllowed, Malformed, IdReused, AmountOutOfRange,
            reports.BadReport, rules.NothingToReport, rules.PeriodOverlaps, rules.PeriodNotOver,
        ),
    },
)  # fmt: skip
async def report_usage(
    *,
    deal_id: UUID,
    report_id: UUID,
    body: UsageReportIn,
    response: Response,
    session: Session,
    caller: Signed,
    now: Now,
) -> RoyaltyStatementOut:
    """Report what a period brought, or correct it; what is due is stated and invoiced at once."""
    caller.need("deal", Role.BROADCASTER)
    lines = [line.model_dump() for line in body.lines]
    statement, new = await service.report(
        session,
        report_id,
        deal_id=deal_id,
        party_id=caller.party_id,
        said=reports.report(body.first_day, body.last_day, lines),
        now=now,
    )
    response.status_code = 201 if new else 200
    return _statement(statement)


@router.get("/deals/{deal_id}/royalties", responses=problems.responses(*_READ))
async def get_royalties(deal_id: UUID, session: Session, caller: Signed) -> RoyaltiesOut:
    """Return what was reported of a deal and stated to be due.

    Its sides, the staff and the owners who get a share read it; such an owner is told the sums of
    each report, not its sources.
    """
    caller.need("read")
    deal = await queries.deal_for(session, deal_id, reader=caller.for_party)
    told_all = caller.is_staff or caller.party_id in (deal.licensor_id, deal.licensee_id)
    terms = canonical.loads(deal.terms)
    try:
        rules.waterfall_of(terms, amended=service.is_amended(deal))
        model = terms["consideration"]["kind"]
    except rules.NothingToReport:
        model = None
    return RoyaltiesOut(
        model=model,
        reports=[
            _report(row, told_all=told_all) for row in await queries.reports(session, deal_id)
        ],
        statements=[_statement(row) for row in await queries.statements(session, deal_id)],
    )


def _report(row: UsageReport, *, told_all: bool) -> UsageReportOut:
    lines = canonical.loads(row.content)["lines"] if told_all else []
    return UsageReportOut(
        id=row.id,
        first_day=row.first_day,
        last_day=row.last_day,
        version=row.version,
        receipts_minor=row.receipts_minor,
        runs=row.runs,
        sha256=row.sha256,
        reported_at=row.reported_at,
        lines=[UsageLineIn.model_validate(line) for line in lines],
    )


def _statement(row: RoyaltyStatement) -> RoyaltyStatementOut:
    kept = row.model_dump()
    return RoyaltyStatementOut.model_validate({**kept, "tax": _tax(row)})


def _tax(row: RoyaltyStatement) -> TaxOut | None:
    """Return the VAT that is in what is due, by the row of the day of the statement."""
    day = row.made_at.astimezone(SEAT).date()
    home = tax_rules.HOME
    rule = tax_rules.find(taxes.shipped(), tax_rules.VAT, payer=home, payee=home, on=day)
    if rule is None or not row.due_minor:
        return None
    taxed = tax_rules.included(Money(row.due_minor, row.currency), rule.rate_bp)
    return TaxOut(
        rate_bp=rule.rate_bp,
        net_minor=taxed.net.amount_minor,
        tax_minor=taxed.tax.amount_minor,
        legal_basis=rule.legal_basis,
        verified=rule.verified,
    )
