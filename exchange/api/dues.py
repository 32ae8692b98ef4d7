"""What a deal owes and when (付款计划): invoices of its price, its instalments, its claims."""

from collections.abc import Sequence
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter
from pydantic import AwareDatetime, ConfigDict, Field

from contracts.deals import queries as deals
from contracts.refusal import InvalidContent, Unknown
from exchange.api import problems
from exchange.api.deps import Session, Shape, Signed
from exchange.identity.rules import ScopeMissing, SignInNeeded
from settlement.invoices import queries
from settlement.invoices.tables import Invoice
from settlement.plans.tables import Settlement

router = APIRouter(tags=["invoices"])

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
                }
            ]
        }
    )

    invoice_id: UUID
    number: str
    kind: Literal["price", "instalment", "deferral", "royalties", "interest"]
    part: Annotated[int | None, Field(description="of a price that is paid in parts, from 1")]
    amount_minor: int
    due_minor: Annotated[int, Field(description="what is still to be paid; 0 once it is")]
    currency: str
    state: Literal["issued", "paid"]
    due_at: Annotated[AwareDatetime | None, Field(description="late from this instant on")]
    late_bp: Annotated[int | None, Field(description="ten-thousandths for each day late")]
    paid_at: AwareDatetime | None


class DuesOut(Shape):
    """Everything that was asked for under a deal, in the order in which it is due."""

    items: Sequence[DueOut]


@router.get(
    "/deals/{deal_id}/dues",
    responses=problems.responses(SignInNeeded, ScopeMissing, InvalidContent, Unknown),
)
async def list_dues(deal_id: UUID, session: Session, caller: Signed) -> DuesOut:
    """List what a deal owes and when it is due, for its two sides and the staff."""
    caller.need("read")
    deal = await deals.get_deal_of(session, deal_id, None if caller.is_staff else caller.party_id)
    found = await queries.under(session, deal.id)
    return DuesOut(items=[_out(settlement, invoice) for settlement, invoice in found])


def _out(settlement: Settlement, invoice: Invoice) -> DueOut:
    return DueOut(
        invoice_id=invoice.id,
        number=invoice.number,
        kind=settlement.kind,
        part=settlement.part,
        amount_minor=invoice.amount_minor,
        due_minor=invoice.due.amount_minor if invoice.state == "issued" else 0,
        currency=invoice.currency,
        state=invoice.state,
        due_at=invoice.due_at,
        late_bp=invoice.late_bp,
        paid_at=invoice.paid_at,
    )
