"""The deposit agreement (竞买保证金协议) that a bidder accepts by applying and paying."""

from uuid import UUID

from fastapi import APIRouter, Response

from contracts import canonical
from contracts.deals.gateway import PressFailed, TypstPress
from contracts.deals.terms import TextCannotBePrinted
from contracts.refusal import InvalidContent, NotAllowed, Unknown
from exchange import template_verbs
from exchange.api import problems
from exchange.api.bodies import JsonRoute
from exchange.api.deps import Ctx, Now, Session, Signed
from exchange.identity.rules import CsrfToken, Role, ScopeMissing, SignInNeeded
from exchange.template_verbs import NoDepositAsked
from listings.auctions import queries as auctions

router = APIRouter(route_class=JsonRoute, tags=["deposits"])

_PRESS = TypstPress()
_READ = (
    SignInNeeded, CsrfToken, ScopeMissing, NotAllowed, InvalidContent, Unknown, NoDepositAsked,
    TextCannotBePrinted,
)  # fmt: skip


@router.get(
    "/auctions/{auction_id}/deposit-agreement",
    response_class=Response,
    responses={
        200: {
            "description": "The agreement of record: RFC 8785 bytes, whose SHA-256 the PDF prints.",
            "content": {"application/json": {"schema": {"type": "object"}}},
        },
        **problems.responses(*_READ),
    },
)
async def get_deposit_agreement(
    auction_id: UUID, *, context: Ctx, session: Session, caller: Signed, now: Now
) -> Response:
    """Return the terms of one's own deposit agreement; broadcasters only."""
    caller.need("read", Role.BROADCASTER)
    made = await template_verbs.deposit_agreement(
        context, session, auction_id, caller.party_id, now=now
    )
    raw = canonical.dumps(made)
    headers = {"ETag": f'"{canonical.sha256_hex(raw)}"'}
    return Response(raw, media_type="application/json", headers=headers)


@router.get(
    "/auctions/{auction_id}/deposit-agreement.pdf",
    response_class=Response,
    responses={
        200: {
            "description": "PDF/A-3 with the terms attached; the same bytes at any time.",
            "content": {"application/pdf": {"schema": {"type": "string", "format": "binary"}}},
        },
        **problems.responses(*_READ, PressFailed),
    },
)
async def print_deposit_agreement(
    auction_id: UUID, *, context: Ctx, session: Session, caller: Signed, now: Now
) -> Response:
    """Print one's own deposit agreement in both languages; broadcasters only."""
    caller.need("read", Role.BROADCASTER)
    made = await template_verbs.deposit_agreement(
        context, session, auction_id, caller.party_id, now=now
    )
    opens_at = (await auctions.get_auction(session, auction_id)).opens_at
    pdf = await _PRESS.contract(canonical.dumps(made), frozen_at=opens_at)
    headers = {
        "Content-Disposition": f'inline; filename="deposit-agreement-{auction_id}.pdf"',
        "Cache-Control": "private, no-cache",
    }
    return Response(pdf, media_type="application/pdf", headers=headers)
