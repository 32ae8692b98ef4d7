"""Bidders as the staff sees them: applications, deposits and what limits each."""

from typing import Any, Literal
from uuid import UUID

from fastapi import APIRouter, Request, Response
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import ids
from exchange.api import admissions as admissions_api
from exchange.api import deposit_shapes
from exchange.api import deposits as deposits_api
from exchange.api import pledges as pledges_api
from exchange.api.deps import Now, Session
from exchange.api.pledge_shapes import GuaranteePaidIn
from exchange.console import deciding
from exchange.portal import names, render
from exchange.portal.forms import Sent, shape
from exchange.portal.language import Language
from exchange.portal.visitors import Staff
from listings.admissions import queries as admissions
from listings.admissions import rules
from listings.auctions import queries as auctions
from settlement.deposits import queries as deposits
from settlement.guarantees import queries as guarantees

router = APIRouter(prefix="/console/bidders")
MOST = 100


@router.get("")
async def bidders_page(request: Request, visitor: Staff, session: Session) -> Response:
    """Show what waits: applications, suspended bidders, deposits and their movements."""
    spoken = render.speaks(request)
    held = await deposits_api.list_deposits(session=session, caller=visitor.caller)
    return render.page(
        request,
        "bidders.html",
        cases=[
            {**(await _whose(session, row.auction_id, row.party_id, spoken)), "state": row.state}
            for row in await admissions.cases(session, limit=MOST)
        ],
        deposits=[
            {**one.model_dump(), **(await _whose(session, one.auction_id, one.party_id, spoken))}
            for one in held.items
        ],
        movements=[
            {
                **deposits_api.movement_out(one).model_dump(),
                **(await _whose(session, one.auction_id, one.party_id, spoken)),
            }
            for one in await deposits.waiting(session, limit=MOST)
        ],
    )


@router.get("/{auction_id}/{party_id}")
async def bidder_page(
    request: Request, auction_id: UUID, party_id: UUID, visitor: Staff, session: Session, now: Now
) -> Response:
    """Show one bidder of one auction: its application, its deposit, what can be decided."""
    spoken = render.speaks(request)
    auction = await auctions.get_auction(session, auction_id)
    row = await admissions.find_admission(session, auction_id, party_id)
    kept = await deposits.find_deposit(session, auction_id, party_id)
    file = None
    if kept is not None:
        file = await deposits_api.get_deposit_file(
            auction_id=auction_id, party_id=party_id, session=session, caller=visitor.caller
        )
    return render.page(
        request,
        "bidder.html",
        **await _whose(session, auction_id, party_id, spoken),
        auction=auction,
        gate=rules.gate(auction.rulebook),
        admission=row,
        paddle=await admissions.find_paddle(session, auction_id, party_id),
        file=file,
        pool_minor=await deposits.pool_minor(session, auction_id, party_id),
        receipt_id=ids.new(now),
        movement_id=ids.new(now),
        me=visitor.caller.person_id,
        to_card=file is not None and any(one.returned_minor for one in file.cards),
    )


@router.post("/{auction_id}/{party_id}/decision")
async def send_decision(
    request: Request,
    auction_id: UUID,
    party_id: UUID,
    visitor: Staff,
    form: Sent,
    session: Session,
    now: Now,
) -> Response:
    """Accept an applicant's papers, or refuse the application."""
    auction = await auctions.get_auction(session, auction_id)
    cap = form.minor("cap", auction.currency) if form.text("cap") else None
    body = shape(
        admissions_api.AdmissionDecisionIn,
        decision=form.text("decision"),
        reason=form.maybe("reason"),
        cap_minor=cap,
    )
    await admissions_api.decide_admission(auction_id, party_id, body, session, visitor.caller, now)
    return _back(request, auction_id, party_id)


@router.post("/{auction_id}/{party_id}/receipts")
async def send_receipt(
    request: Request,
    auction_id: UUID,
    party_id: UUID,
    visitor: Staff,
    form: Sent,
    session: Session,
    now: Now,
) -> Response:
    """Record what the bank's statement shows."""
    currency = form.text("currency")
    body = shape(
        deposit_shapes.ReceiptIn,
        amount_minor=form.minor("amount", currency),
        currency=currency,
        reference=form.text("reference"),
        credited_at=form.instant("credited_at"),
    )
    await deposits_api.record_deposit(
        auction_id=auction_id, party_id=party_id, receipt_id=form.id("receipt_id"), body=body,
        session=session, caller=visitor.caller, now=now,
    )  # fmt: skip
    return _back(request, auction_id, party_id)


@router.post("/{auction_id}/{party_id}/movements")
async def send_movement(
    request: Request,
    auction_id: UUID,
    party_id: UUID,
    visitor: Staff,
    form: Sent,
    session: Session,
    now: Now,
) -> Response:
    """Prepare a return, a forfeiture or a distribution."""
    currency = form.text("currency")
    more = {
        f"{name}_minor": form.minor(name, currency)
        for name in ("fees", "shortfall")
        if form.text(name)
    }
    body = shape(
        deposit_shapes.MovementIn,
        kind=form.text("kind"),
        amount_minor=form.minor("moved", currency),
        reason=form.text("why"),
        **more,
    )
    await deposits_api.prepare_deposit_movement(
        auction_id=auction_id, party_id=party_id, movement_id=form.id("movement_id"), body=body,
        session=session, caller=visitor.caller, now=now,
    )  # fmt: skip
    return _back(request, auction_id, party_id)


@router.post("/movements/{movement_id}/{verdict}")
async def send_verdict(
    request: Request,
    movement_id: UUID,
    verdict: str,
    visitor: Staff,
    form: Sent,
    session: Session,
    now: Now,
) -> Response:
    """Approve or refuse exactly what the page showed, or record that the bank sent it."""
    caller = visitor.caller
    row = await deposits.get_movement(session, movement_id)
    if verdict == "approval":
        approval = await deciding.approval(session, visitor, form, now=now)
        await deposits_api.approve_deposit_movement(movement_id, approval, session, caller, now)
    elif verdict == "refusal":
        refusal = deciding.refusal(form)
        await deposits_api.refuse_deposit_movement(movement_id, refusal, session, caller, now)
    else:
        sent = shape(deposit_shapes.ReturnIn, reference=form.text("reference"))
        await deposits_api.record_deposit_return(movement_id, sent, session, caller, now)
    return _back(request, row.auction_id, row.party_id)


@router.post("/guarantees/{guarantee_id}/{act}")
async def send_act(
    request: Request,
    guarantee_id: UUID,
    act: Literal["approval", "refusal", "release", "payment"],
    visitor: Staff,
    form: Sent,
    session: Session,
    now: Now,
) -> Response:
    """Accept or refuse the letter that the page showed; record that it went back, or was paid."""
    caller = visitor.caller
    row = await guarantees.get_guarantee(session, guarantee_id)
    if act == "approval":
        approval = await deciding.approval(session, visitor, form, now=now)
        await pledges_api.accept_guarantee(guarantee_id, approval, session, caller, now)
    elif act == "refusal":
        refusal = deciding.refusal(form)
        await pledges_api.refuse_guarantee(guarantee_id, refusal, session, caller, now)
    elif act == "release":
        await pledges_api.release_guarantee(guarantee_id, session, caller, now)
    else:
        paid = shape(GuaranteePaidIn, reference=form.text("paid_reference"))
        await pledges_api.record_guarantee_payment(guarantee_id, paid, session, caller, now)
    return _back(request, row.auction_id, row.party_id)


def _back(request: Request, auction_id: UUID, party_id: UUID) -> Response:
    return render.see(request, f"/console/bidders/{auction_id}/{party_id}")


async def _whose(
    session: AsyncSession, auction_id: UUID, party_id: UUID, spoken: Language
) -> dict[str, Any]:
    """Return the names behind an admission or deposit, and the address of its page."""
    auction = await auctions.get_auction(session, auction_id)
    return {
        "party_id": party_id,
        "name": await names.party(session, party_id, spoken=spoken),
        "title": await names.work(session, auction.work_id, spoken=spoken),
        "address": f"/console/bidders/{auction_id}/{party_id}",
    }
