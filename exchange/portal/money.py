"""Money: invoices and their payments, settlements with their lines, payouts, the payout account."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request, Response
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from contracts import calendar, ids
from contracts.refusal import Unknown
from exchange.api import invoices as invoices_api
from exchange.api import ledger as ledger_api
from exchange.api import payouts as payouts_api
from exchange.api.deps import Ctx, Now, Session, page_after
from exchange.identity.rules import Caller, Role
from exchange.portal import names, render, returns
from exchange.portal.forms import Sent, shape
from exchange.portal.language import Language
from exchange.portal.visitors import SignedIn
from settlement.invoices import queries as invoices
from settlement.invoices.printing import A_MOMENT
from settlement.invoices.tables import Payment
from settlement.payouts import rules as paying
from settlement.payouts.tables import Payout, PayoutTransfer
from settlement.plans.tables import Settlement, SettlementLine
from settlement.redletters import queries as red_letters

router = APIRouter(prefix="/money")
MOST = 200


@router.get("")
async def money_page(request: Request, visitor: SignedIn, session: Session, now: Now) -> Response:
    """Show what the visitor's organisation owes, is owed, and was paid."""
    caller, spoken = visitor.caller, render.speaks(request)
    found = await invoices_api.list_invoices(
        session=session, caller=caller, now=now, after=None, limit=MOST
    )
    payments = await invoices.open_payments(session, [invoice.id for invoice in found.items])
    shown = [_invoice(each, payments.get(each.id), ids.new(now)) for each in found.items]
    holder = caller.role is Role.HOLDER
    return render.page(
        request,
        "money.html",
        invoices=shown,
        red_letters=await red_letters.page(
            session, party_id=caller.party_id, after=page_after(None), limit=MOST
        ),
        settlements=[
            await settlement(session, deal_id, caller=caller, spoken=spoken)
            for deal_id in (await _owed_to(session, caller.party_id) if holder else [])
        ],
        transfers=await _transfers_to(session, caller.party_id),
        returns=await returns.of_party(session, caller.party_id),
        account=await _account(session, caller, now=now) if holder else None,
        holder=holder,
    )


@router.post("/invoices/{invoice_id}/payments")
async def send_payment(
    request: Request, invoice_id: UUID, visitor: SignedIn, form: Sent, session: Session, now: Now
) -> Response:
    """Ask for a card payment of the whole invoice."""
    await invoices_api.pay_invoice(
        invoice_id=invoice_id,
        payment_id=form.id("payment_id"),
        body=shape(invoices_api.PaymentIn, method="card"),
        response=Response(),
        session=session,
        caller=visitor.caller,
        now=now,
    )
    return render.see(request, "/money")


@router.post("/payout-account")
async def send_payout_account(
    request: Request, visitor: SignedIn, form: Sent, session: Session, now: Now
) -> Response:
    """Ask for the account into which the visitor's organisation is paid."""
    await payouts_api.open_payout_account(
        party_id=visitor.caller.party_id,
        body=shape(payouts_api.PayoutAccountIn, country=form.text("country")),
        response=Response(),
        session=session,
        caller=visitor.caller,
        now=now,
    )
    return render.see(request, "/money")


@router.post("/payout-account/onboarding")
async def send_onboarding(
    request: Request, visitor: SignedIn, session: Session, context: Ctx, now: Now
) -> Response:
    """Ask for a link to the provider's page on which the account is onboarded."""
    await payouts_api.start_onboarding(
        visitor.caller.party_id, session, visitor.caller, context, now
    )
    return render.see(request, "/money")


async def settlement(
    session: AsyncSession, deal_id: UUID, *, caller: Caller, spoken: Language
) -> dict[str, Any] | None:
    """Return a settlement as the caller may read it, with names; None when there is none."""
    try:
        found = await ledger_api.get_settlement(deal_id=deal_id, session=session, caller=caller)
    except Unknown:
        return None
    lines = [
        {**line.model_dump(), "name": await names.party(session, line.payee, spoken=spoken)}
        for line in found.lines
    ]
    sides = (found.licensor, found.licensee)
    invoice = (
        await invoices.find_invoice_of_deal(session, deal_id)
        if caller.is_staff or caller.party_id in sides
        else None
    )
    return {
        **found.model_dump(),
        "lines": lines,
        "invoice": None if invoice is None else invoice.id,
        "invoice_number": None if invoice is None else invoice.number,
    }


def _invoice(
    invoice: invoices_api.InvoiceOut, payment: Payment | None, payment_id: UUID
) -> dict[str, Any]:
    return {
        **invoice.model_dump(),
        "due_on": None if invoice.due_at is None else calendar.day_of(invoice.due_at - A_MOMENT),
        "payment": None if payment is None else payment.model_dump(),
        "payment_id": payment_id,
        "payable": invoice.state == "issued" and payment is None,
    }


async def _account(
    session: AsyncSession, caller: Caller, *, now: Now
) -> payouts_api.PayoutAccountOut | None:
    try:
        return await payouts_api.get_payout_account(
            party_id=caller.party_id, session=session, caller=caller, now=now
        )
    except Unknown:
        return None


async def _owed_to(session: AsyncSession, party_id: UUID) -> Sequence[UUID]:
    """Return the deals of which a party gets a share, the newest first."""
    wanted = (
        select(col(SettlementLine.deal_id))
        .join(Settlement, col(Settlement.deal_id) == col(SettlementLine.deal_id))
        .where(col(SettlementLine.payee_id) == party_id)
        .order_by(col(Settlement.planned_at).desc())
        .limit(MOST)
    )
    return list((await session.scalars(wanted)).all())


async def _transfers_to(session: AsyncSession, party_id: UUID) -> list[dict[str, Any]]:
    wanted = (
        select(PayoutTransfer, Payout, Settlement)
        .join(Payout, col(Payout.id) == col(PayoutTransfer.payout_id))
        .join(Settlement, col(Settlement.deal_id) == col(Payout.deal_id))
        .where(col(PayoutTransfer.party_id) == party_id)
        .order_by(col(Payout.prepared_at).desc())
        .limit(MOST)
    )
    return [
        {
            **transfer.model_dump(),
            "deal_id": settled.root_id,
            "payout": payout.state,
            "waits": paying.waits(payout.state, transfer.state, transfer.account),
            "licensor_id": settled.licensor_id,
            "kind": f"due_{settled.kind}",
        }
        for transfer, payout, settled in (await session.execute(wanted)).all()
    ]
