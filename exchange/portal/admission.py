"""A bidder's own admission and deposit in an auction: how it stands and what to do next."""

from datetime import datetime
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request, Response
from sqlalchemy.ext.asyncio import AsyncSession

from exchange import agreement_verbs
from exchange.api import admissions as api
from exchange.api import deposits as deposits_api
from exchange.api.deps import Now, Session
from exchange.identity.rules import Role
from exchange.portal import pledges, render
from exchange.portal.forms import Form, Sent, shape
from exchange.portal.visitors import SignedIn, Visitor
from listings.admissions import applying, queries, rules
from listings.auctions import queries as auctions
from settlement.deposits import queries as deposits

router = APIRouter(prefix="/auctions/{auction_id}")
PAPERS = ("business-licence", "authorisation", "creditworthiness")
RUNNING = ("open", "paused")


async def shown(
    session: AsyncSession, auction_id: UUID, *, visitor: Visitor | None, now: datetime
) -> dict[str, Any] | None:
    """Return what a broadcaster sees of its own admission; None for everybody else."""
    if visitor is None or visitor.caller.role is not Role.BROADCASTER:
        return None
    auction = await auctions.get_auction(session, auction_id)
    gate = rules.gate(auction.rulebook)
    party_id = visitor.caller.party_id
    row = await queries.find_admission(session, auction_id, party_id)
    deposit = await deposits.find_deposit(session, auction_id, party_id)
    return {
        "gate": gate,
        "state": "none" if row is None else row.state,
        "reason": row and row.reason,
        "paddle": await queries.find_paddle(session, auction_id, party_id),
        "missing": await applying.missing(session, auction, row) if row else [],
        "cap_minor": rules.least(gate.cap_minor, row.cap_minor if row else None),
        "room_minor": await _room(session, auction_id, party_id, currency=auction.currency),
        "deposit": deposit and deposits_api.deposit_out(deposit),
        **await pledges.shown(session, auction_id, party_id, now=now),
        "wire": deposit and await deposits_api.wire_for(session, deposit, now=now),
        "papers": PAPERS,
        "is_running": auction.state in RUNNING,
        "agreement": await agreement_verbs.find_deposit_agreement(session, auction_id, party_id),
    }


@router.post("/admission")
async def send_application(
    request: Request, auction_id: UUID, visitor: SignedIn, form: Sent, session: Session, now: Now
) -> Response:
    """Apply with the hashes of papers that the browser reckoned, or take a number."""
    await api.apply_for_admission(
        auction_id=auction_id, body=_application(form), session=session, caller=visitor.caller,
        now=now,
    )  # fmt: skip
    return render.see(request, f"/auctions/{auction_id}")


def _application(form: Form) -> api.AdmissionIn:
    papers = [
        {"kind": kind, "sha256": form.text(f"paper_{kind}")}
        for kind in PAPERS
        if form.text(f"paper_{kind}")
    ]
    licence = None
    if form.text("licence_number"):
        licence = {
            "kind": form.text("licence_kind"),
            "number": form.text("licence_number"),
            "expires_on": form.day("licence_expires_on").isoformat(),
        }
    return shape(api.AdmissionIn, papers=papers, licence=licence)


async def _room(
    session: AsyncSession, auction_id: UUID, party_id: UUID, *, currency: str
) -> int | None:
    """Return what the party's credit line leaves for this auction; None without a line."""
    lines = {one.currency: one.limit_minor for one in await queries.credit_lines(session, party_id)}
    if currency not in lines:
        return None
    elsewhere = await queries.committed_elsewhere(
        session, [party_id], currency=currency, auction_id=auction_id
    )
    return max(0, lines[currency] - elsewhere.get(party_id, 0))
