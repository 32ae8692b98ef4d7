"""Invoices and payments."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import AwareDatetime, ConfigDict, Field
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.deals.gateway import PressFailed
from contracts.money import Money
from contracts.refusal import IdReused, Malformed, Unknown
from exchange.api import problems
from exchange.api.collecting import WIRE_EXAMPLE, WireOut, wire_of
from exchange.api.deps import Limit, Now, Session, Shape, Signed, next_after, page_after
from exchange.api.once import OnceRoute
from exchange.identity.rules import Caller, Role
from settlement.collecting import rules as references
from settlement.invoices import printing, queries, service
from settlement.invoices.gateway import INVOICE
from settlement.invoices.rules import ISSUED, InvoiceNotOpen, PaymentOpen
from settlement.invoices.tables import Invoice, Payment
from settlement.plans import queries as plans
from settlement.reconciliation import queries as suspense

router = APIRouter(route_class=OnceRoute, tags=["invoices"])

PDF: problems.Responses = {
    200: {
        "description": "PDF/A-3 in both languages, with its data; the same bytes at any time.",
        "content": {"application/pdf": {"schema": {"type": "string", "format": "binary"}}},
    }
}
_ID = "0199a3c0-7d10-7c3e-9c50-3f1f6a1f0a01"


INSIDE = {
    "payer_id",
    "fee_tax_minor",
    "accrued_on",
    "late_claim_id",
}  # said otherwise, or elsewhere


class InvoiceOut(Shape):
    """An invoice (账单): what the licensee of a deal owes."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": _ID,
                    "number": "UHDX-2026-000001",
                    "deal_id": _ID,
                    "of_deal": None,
                    "payer": _ID,
                    "amount_minor": 120_000_000,
                    "currency": "CNY",
                    "tax_minor": 6_792_453,
                    "tax_rate_bp": 600,
                    "deposit_minor": 20_000_000,
                    "reversed_minor": 0,
                    "reversed_tax_minor": 0,
                    "total_minor": 100_000_000,
                    "due_minor": 100_000_000,
                    "suspended_minor": 0,
                    "state": "issued",
                    "issued_at": "2026-11-22T09:00:00Z",
                    "due_at": "2026-12-07T16:00:00Z",
                    "late_bp": 5,
                    "paid_at": None,
                    "paid_by": None,
                    "wire": WIRE_EXAMPLE,
                }
            ]
        }
    )

    id: UUID
    number: str
    deal_id: Annotated[UUID, Field(description="The deal, or a claim under it.")]
    of_deal: Annotated[
        UUID | None, Field(description="The deal of a claim: instalment, royalties, interest.")
    ]
    payer: UUID
    amount_minor: int
    currency: str
    tax_minor: Annotated[int, Field(description="The VAT within the amount (价税合计).")]
    tax_rate_bp: Annotated[int, Field(description="Its rate on the day of issue.")]
    deposit_minor: Annotated[int, Field(description="Paid already: the deposit became price.")]
    reversed_minor: Annotated[int, Field(description="Taken back by red letters.")]
    reversed_tax_minor: Annotated[int, Field(description="The VAT taken back with it.")]
    total_minor: Annotated[
        int, Field(description="The amount without the deposit and what was taken back.")
    ]
    due_minor: Annotated[int, Field(description="What is still to be paid; 0 once it is.")]
    suspended_minor: Annotated[
        int,
        Field(description="Came in by wire and is not booked to it: parts of it, or too much."),
    ]
    state: Literal["issued", "paid", "reversed"]
    issued_at: AwareDatetime
    due_at: Annotated[AwareDatetime | None, Field(description="Late from this instant on.")]
    late_bp: Annotated[
        int | None, Field(description="Ten-thousandths of what is due, for each day late.")
    ]
    paid_at: AwareDatetime | None
    paid_by: UUID | None
    wire: Annotated[
        WireOut | None,
        Field(description="How to pay it by bank; none once paid, or where no account collects."),
    ]


class InvoicePage(Shape):
    """A page of invoices."""

    items: Sequence[InvoiceOut]
    next: UUID | None


class PaymentIn(Shape):
    """How to pay; the amount is the invoice's, never the client's."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"method": "card"}]})

    method: Literal["card"]


class PaymentOut(Shape):
    """A payment. Once `ready`, the payer confirms it at Stripe with `client_secret`."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": _ID,
                    "invoice_id": _ID,
                    "amount_minor": 120_000_000,
                    "currency": "CNY",
                    "state": "ready",
                    "client_secret": "pi_1_secret_2",
                    "provider_id": "pi_1",
                }
            ]
        }
    )

    id: UUID
    invoice_id: UUID
    amount_minor: int
    currency: str
    state: Literal["requested", "ready", "succeeded", "failed"]
    client_secret: str | None
    provider_id: str | None


def invoice_out(
    invoice: Invoice, *, of_deal: UUID | None, wire: WireOut | None, suspended_minor: int
) -> InvoiceOut:
    """Return an invoice as it is told; one of a claim names its deal besides."""
    return InvoiceOut.model_validate(
        {
            **invoice.model_dump(exclude=INSIDE),
            "payer": invoice.payer_id,
            "of_deal": of_deal,
            "total_minor": invoice.due.amount_minor,
            "due_minor": invoice.outstanding.amount_minor,
            "wire": wire,
            "suspended_minor": suspended_minor,
        }
    )


@router.get("/invoices", responses=problems.signed())
async def list_invoices(
    session: Session,
    caller: Signed,
    now: Now,
    after: UUID | None = None,
    limit: Limit = 50,
) -> InvoicePage:
    """List the invoices that one's own organisation owes; staff see everybody's."""
    caller.need("read")
    rows = await queries.page(
        session, payer_id=caller.for_party, after=page_after(after), limit=limit
    )
    deals = await plans.deals_of(session, [row.deal_id for row in rows])
    items = [await _told(session, row, of_deal=deals[row.deal_id], now=now) for row in rows]
    return InvoicePage(items=items, next=next_after(rows, limit))


@router.get("/invoices/{invoice_id}", responses=problems.signed(Unknown))
async def get_invoice(invoice_id: UUID, session: Session, caller: Signed, now: Now) -> InvoiceOut:
    """Return an invoice to its payer and staff."""
    caller.need("read")
    found = await queries.get_invoice_of(session, invoice_id, payer_id=caller.for_party)
    deals = await plans.deals_of(session, [found.deal_id])
    return await _told(session, found, of_deal=deals[found.deal_id], now=now)


@router.get(
    "/invoices/{invoice_id}/pdf",
    response_class=Response,
    responses={
        **PDF,
        **problems.signed(Unknown, PressFailed),
    },
)
async def print_invoice(invoice_id: UUID, session: Session, caller: Signed) -> Response:
    """Print an invoice as it was issued, for its buyer, its seller and staff."""
    caller.need("read")
    one = await queries.issued(session, invoice_id, party_id=caller.for_party)
    pdf = await INVOICE.print(printing.page(one), at=one.issued_at)
    return pdf_of(pdf, one.number)


def pdf_of(pdf: bytes, name: str) -> Response:
    """Return the answer that carries a PDF of a name."""
    headers = {
        "Content-Disposition": f'inline; filename="{name}.pdf"',
        "Cache-Control": "private, no-cache",
    }
    return Response(pdf, media_type="application/pdf", headers=headers)


@router.put(
    "/invoices/{invoice_id}/payments/{payment_id}",
    status_code=201,
    responses={
        200: {"model": PaymentOut, "description": "It was asked for before."},
        **problems.signed(Malformed, Unknown, IdReused, InvoiceNotOpen, PaymentOpen),
    },
)
async def pay_invoice(
    invoice_id: UUID,
    payment_id: UUID,
    body: PaymentIn,
    response: Response,
    session: Session,
    caller: Signed,
    now: Now,
) -> PaymentOut:
    """Ask for a payment of the whole invoice; read it until it is `ready`, then confirm it."""
    caller.need("money", Role.BROADCASTER)
    payment, new = await service.request_payment(
        session,
        invoice_id,
        payment_id,
        payer_id=caller.party_id,
        method=body.method,
        now=now,
    )
    if not new:
        response.status_code = 200
    return _payment_out(payment, caller)


@router.get("/payments/{payment_id}", responses=problems.signed(Unknown))
async def get_payment(payment_id: UUID, session: Session, caller: Signed) -> PaymentOut:
    """Return a payment to its payer and staff; only the payer is shown the secret."""
    caller.need("read")
    payment = await queries.get_payment_of(session, payment_id, payer_id=caller.for_party)
    return _payment_out(payment, caller)


async def _told(
    session: AsyncSession, invoice: Invoice, *, of_deal: UUID | None, now: datetime
) -> InvoiceOut:
    wire, held = None, (await suspense.held_for(session, [invoice.id])).get(invoice.id, 0)
    if invoice.state == ISSUED:
        wire = await wire_of(
            session,
            Money(invoice.due.amount_minor - held, invoice.currency),
            reference=references.of_invoice(invoice.number),
            until=invoice.due_at,
            now=now,
        )
    return invoice_out(invoice, of_deal=of_deal, wire=wire, suspended_minor=held)


def _payment_out(payment: Payment, caller: Caller) -> PaymentOut:
    may_confirm = caller.party_id == payment.payer_id and "money" in caller.scopes
    return PaymentOut(
        id=payment.id,
        invoice_id=payment.invoice_id,
        amount_minor=payment.amount_minor,
        currency=payment.currency,
        state=payment.state,
        client_secret=payment.client_secret if may_confirm else None,
        provider_id=payment.provider_id,
    )
