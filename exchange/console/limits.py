"""What limits a party's bids, as the staff sets it: credit lines, blocks, connections."""

from uuid import UUID

from fastapi import APIRouter, Request, Response

from contracts import ids
from exchange.api import barring as api
from exchange.api.deps import Now, Session
from exchange.portal import names, render
from exchange.portal.forms import Sent, shape
from exchange.portal.visitors import Staff

router = APIRouter(prefix="/console/parties/{party_id}/limits")


@router.get("")
async def limits_page(
    request: Request, party_id: UUID, visitor: Staff, session: Session, now: Now
) -> Response:
    """Show what a party may bid, and the forms that change it."""
    found = await api.get_limits(party_id=party_id, session=session, caller=visitor.caller)
    spoken = render.speaks(request)
    connected = {
        one.node: await names.party(session, UUID(one.node.partition(":")[2]), spoken=spoken)
        for one in found.relations or ()
        if one.node.startswith("party:")
    }
    return render.page(
        request,
        "limits.html",
        limits=found,
        party_id=party_id,
        name=await names.party(session, party_id, spoken=spoken),
        connected=connected,
        block_id=ids.new(now),
        relation_id=ids.new(now),
    )


@router.post("/credit-line")
async def send_credit_line(
    request: Request, party_id: UUID, visitor: Staff, form: Sent, session: Session, now: Now
) -> Response:
    """Set the credit line of one currency."""
    currency = form.text("currency")
    body = shape(api.CreditLineIn, limit_minor=form.minor("limit", currency))
    await api.set_credit_line(party_id, currency, body, session, visitor.caller, now)
    return _back(request, party_id)


@router.post("/blocks")
async def send_block(
    request: Request, party_id: UUID, visitor: Staff, form: Sent, session: Session, now: Now
) -> Response:
    """Bar the party from bidding."""
    until = form.instant("until") if form.text("until") else None
    body = shape(api.BlockIn, reason=form.text("reason"), until=until)
    await api.block_party(party_id, form.id("block_id"), body, session, visitor.caller, now)
    return _back(request, party_id)


@router.post("/blocks/{block_id}/lift")
async def send_lift(
    request: Request, party_id: UUID, block_id: UUID, visitor: Staff, session: Session, now: Now
) -> Response:
    """Lift a block."""
    await api.lift_block(party_id, block_id, session, visitor.caller, now)
    return _back(request, party_id)


@router.post("/relations")
async def send_relation(
    request: Request, party_id: UUID, visitor: Staff, form: Sent, session: Session, now: Now
) -> Response:
    """Declare a connection."""
    share = form.basis_points("share") if form.text("share") else None
    body = shape(
        api.RelationIn,
        kind=form.text("kind"),
        other_party_id=form.maybe("other_party_id"),
        value=form.maybe("value"),
        share_bp=share,
        evidence=form.text("evidence"),
    )
    relation_id = form.id("relation_id")
    await api.declare_relation(party_id, relation_id, body, session, visitor.caller, now)
    return _back(request, party_id)


@router.post("/relations/{relation_id}/end")
async def send_end(
    request: Request, party_id: UUID, relation_id: UUID, visitor: Staff, session: Session, now: Now
) -> Response:
    """End a connection that is no more."""
    await api.end_relation(party_id, relation_id, session, visitor.caller, now)
    return _back(request, party_id)


def _back(request: Request, party_id: UUID) -> Response:
    return render.see(request, f"/console/parties/{party_id}/limits")
