"""What a deal owes and when (付款计划): invoices of its price, its instalments, its claims."""

from collections.abc import Sequence
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import AwareDatetime, ConfigDict, Field

from contracts.deals import notices
from contracts.deals import queries as deals
from contracts.deals.lifecycle import DealNotInForce
from contracts.parties.rules import BadName
from contracts.refusal import IdReused, InvalidContent, Malformed, NotAllowed, Unknown
from exchange.api import problems
from exchange.api.deps import Now, Session, Shape, Signed
from exchange.api.lives import NoticeOut, notice_out
from exchange.api.once import OnceRoute
from exchange.identity.rules import CsrfToken, Role, ScopeMissing, SignInNeeded
from settlement.invoices import queries
from settlement.invoices.tables import Invoice
from settlement.lateness import queries as lateness
from settlement.lateness import rules, service
from settlement.plans import queries as plans
from settlement.plans.tables import Settlement

router = APIRouter(route_class=OnceRoute, tags=["invoices"])

_ID = "01990000-0000-7000-8000-000000000001"


class DueOut(Shape):
    """An invoice under a deal: what it is for, how much is still to be paid, and until when."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "invoice_id": _ID,
                    "number": "UHDX-2026-000002",
                    "kind": "instalment",
                    "part": 2,
                    "amount_minor": 84_000_000,
                    "due_minor": 84_000_000,
                    "currency": "CNY",
                    "state": "issued",
                    "due_at": "2027-05-20T16:00:00Z",
                    "late_bp": 5,
                    "paid_at": None,
                    "late_minor": 0,
                }
            ]
        }
    )

    invoice_id: UUID
    number: str
    kind: Literal["price", "instalment", "deferral", "royalties", "interest", "service-fee"]
    part: Annotated[int | None, Field(description="of a price that is paid in parts, from 1")]
    amount_minor: int
    due_minor: Annotated[int, Field(description="what is still to be paid; 0 once it is")]
    currency: str
    state: Literal["issued", "paid", "reversed"]
    due_at: Annotated[AwareDatetime | None, Field(description="late from this instant on")]
    late_bp: Annotated[int | None, Field(description="ten-thousandths for each day late")]
    paid_at: AwareDatetime | None
    late_minor: Annotated[
        int, Field(description="interest for the days it was late until now, or until it was paid")
    ]


class DuesOut(Shape):
    """Everything that was asked for under a deal, in the order in which it is due."""

    items: Sequence[DueOut]
    overdue: Annotated[bool, Field(description="the licensor may demand payment")]
    defaulted_at: Annotated[
        AwareDatetime | None, Field(description="when a demand ran out without payment")
    ]


class DemandIn(Shape):
    """What the licensor says to the licensee; both sides and the public log have it as a notice."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"text": "第二期许可费逾期未付，请于三十日内付清。"}]}
    )

    text: Annotated[str, Field(min_length=1, max_length=notices.LONGEST_TEXT, pattern=r"\S")]


@router.get(
    "/deals/{deal_id}/dues",
    responses=problems.responses(SignInNeeded, ScopeMissing, InvalidContent, Unknown),
)
async def list_dues(deal_id: UUID, session: Session, caller: Signed, now: Now) -> DuesOut:
    """List what a deal owes and when it is due, for its two sides and the staff."""
    caller.need("read")
    deal = await deals.get_deal_of(session, deal_id, caller.for_party)
    found = await queries.under(session, deal.id)
    sums = await lateness.sums(session, [invoice.id for _, invoice in found])
    root = await plans.find_settlement(session, deal.id)
    return DuesOut(
        items=[_out(one, invoice, sums.get(invoice.id, 0)) for one, invoice in found],
        overdue=bool(await lateness.overdue(session, deal.id, at=now)),
        defaulted_at=root and root.defaulted_at,
    )


@router.put(
    "/deals/{deal_id}/payment-demands/{notice_id}",
    status_code=201,
    responses={
        200: {"model": NoticeOut, "description": "It was given before."},
        **problems.responses(
            SignInNeeded, ScopeMissing, CsrfToken, NotAllowed, Malformed, InvalidContent, Unknown,
            BadName, IdReused, DealNotInForce, notices.NoticeRunning, rules.NothingOverdue,
        ),
    },
)  # fmt: skip
async def demand_payment(
    deal_id: UUID,
    notice_id: UUID,
    body: DemandIn,
    *,
    response: Response,
    session: Session,
    caller: Signed,
    now: Now,
) -> NoticeOut:
    """Demand payment of what is late (催告), as the licensor.

    The contract's period to cure begins when the demand is in the log. What was late then and is
    not paid before `cure_by` ends the contract, and its rights come back to the licensor; what
    comes in from that instant on is held for the staff.
    """
    caller.need("deal", Role.HOLDER, Role.BROADCASTER)
    notice, created = await service.demand(
        session, deal_id, notice_id, party_id=caller.party_id, text=body.text, now=now
    )
    response.status_code = 201 if created else 200
    return notice_out(notice)


def _out(settlement: Settlement, invoice: Invoice, late_minor: int) -> DueOut:
    return DueOut(
        invoice_id=invoice.id,
        number=invoice.number,
        kind=settlement.kind,
        part=settlement.part,
        amount_minor=invoice.amount_minor,
        due_minor=invoice.outstanding.amount_minor,
        currency=invoice.currency,
        state=invoice.state,
        due_at=invoice.due_at,
        late_bp=invoice.late_bp,
        paid_at=invoice.paid_at,
        late_minor=late_minor,
    )
