"""Sweeps as the staff sees them: what is free at the provider, and what is on its way to a bank."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request, Response

from contracts import ids
from exchange.api import sweeps as api
from exchange.api.deps import Now, Session
from exchange.console.deciding import Decided
from exchange.portal import names, render
from exchange.portal.forms import Sent, shape
from exchange.portal.visitors import Staff
from settlement.bank import queries as banks

router = APIRouter(prefix="/console/sweeps")
PAGE = 50


@router.get("")
async def sweeps_page(
    request: Request, visitor: Staff, session: Session, now: Now, after: UUID | None = None
) -> Response:
    """Show what is free in each currency, a form to sweep it, and every sweep."""
    told: dict[str, Any] = {"session": session, "caller": visitor.caller}
    funds = await api.list_provider_funds(**told, now=now)
    found = await api.list_sweeps(**told, after=after, limit=PAGE)
    accounts = await banks.accounts(session)
    return render.page(
        request,
        "sweeps.html",
        funds=funds.items,
        sweeps=[_shown(one) for one in found.items],
        next=found.next,
        new_id=lambda: ids.new(now),
        accounts=[(one.id, f"{one.name} · {one.number} · {one.currency}") for one in accounts],
    )


@router.post("")
async def send_sweep(
    request: Request, visitor: Staff, form: Sent, session: Session, now: Now
) -> Response:
    """Prepare a sweep into an account, in the account's currency; another person decides."""
    sweep_id, account_id = form.id("sweep_id"), form.id("account_id")
    account = await banks.get_account(session, account_id)
    body = shape(
        api.SweepIn,
        account_id=account_id,
        amount_minor=form.minor("amount", account.currency),
        currency=account.currency,
    )
    await api.prepare_sweep(
        sweep_id=sweep_id, body=body, response=Response(), session=session,
        caller=visitor.caller, now=now,
    )  # fmt: skip
    return render.see(request, f"/console/sweeps/{sweep_id}")


@router.get("/{sweep_id}")
async def sweep_page(
    request: Request, sweep_id: UUID, visitor: Staff, session: Session
) -> Response:
    """Show a sweep with all that its decision is about, and how far it has come."""
    found = await api.get_sweep(sweep_id=sweep_id, session=session, caller=visitor.caller)
    return render.page(
        request,
        "sweep.html",
        sweep=_shown(found),
        account=await banks.get_account(session, found.account_id),
        prepared_by_name=await names.person(session, found.prepared_by),
        decided_by_name=await names.person(session, found.decided_by),
        prepared_by_me=found.prepared_by == visitor.caller.person_id,
    )


@router.post("/{sweep_id}/{verdict}")
async def send_verdict(request: Request, sweep_id: UUID, sent: Decided) -> Response:
    """Approve or refuse exactly the sweep that the page showed."""
    await sent.decide(api.approve_sweep, api.refuse_sweep, sweep_id=sweep_id)
    return render.see(request, f"/console/sweeps/{sweep_id}")


def _shown(sweep: api.SweepOut) -> dict[str, Any]:
    """Return a sweep with the one word that says how far it has come."""
    landed = sweep.landed_at is not None and sweep.state != "failed"
    return {**sweep.model_dump(), "stands": "landed" if landed else sweep.state}
