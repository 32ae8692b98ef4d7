"""Money held in the ledger as the staff sees it: what is set aside, and until when."""

from uuid import UUID

from fastapi import APIRouter, Request, Response

from contracts import ids
from exchange.api import ledger_holds as api
from exchange.api.deps import Now, Session
from exchange.portal import render
from exchange.portal.forms import Sent, shape
from exchange.portal.visitors import Staff

router = APIRouter(prefix="/console/ledger/holds")
PAGE = 50


@router.get("")
async def holds_page(
    request: Request, visitor: Staff, session: Session, now: Now, after: UUID | None = None
) -> Response:
    """Show the holds that have not ended, and the form that makes another."""
    found = await api.list_money_holds(
        session=session, caller=visitor.caller, after=after, limit=PAGE
    )
    return render.page(
        request,
        "ledger_holds.html",
        holds=[
            {**one.model_dump(), "currency": one.account.rpartition(":")[2]} for one in found.items
        ],
        next=found.next,
        account=request.query_params.get("account", ""),
        hold_id=ids.new(now),
    )


@router.post("")
async def send_hold(
    request: Request, visitor: Staff, form: Sent, session: Session, now: Now
) -> Response:
    """Set money aside, in the direction in which it would leave what is owed."""
    account = form.text("account")
    body = shape(
        api.MoneyHoldIn,
        account=account,
        amount_minor=form.minor("amount", account.rpartition(":")[2]),
        reason=form.text("reason"),
        expires_at=form.instant("expires_at"),
    )
    await api.hold_money(
        hold_id=form.id("hold_id"), body=body, response=Response(), session=session,
        caller=visitor.caller, now=now,
    )  # fmt: skip
    return render.see(request, "/console/ledger/holds")


@router.post("/{hold_id}/release")
async def send_release(
    request: Request, hold_id: UUID, visitor: Staff, _form: Sent, session: Session, now: Now
) -> Response:
    """Let a hold go."""
    await api.release_money(hold_id=hold_id, session=session, caller=visitor.caller, now=now)
    return render.see(request, "/console/ledger/holds")
