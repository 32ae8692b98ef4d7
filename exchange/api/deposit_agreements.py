"""The deposit agreement (竞买保证金协议) of an auction: read by bidders, signed where asked."""

from datetime import datetime
from uuid import UUID

from fastapi import APIRouter, Response
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import canonical
from contracts.agreements import queries
from contracts.deals.gateway import PressFailed, TypstPress
from contracts.deals.terms import TextCannotBePrinted
from contracts.deals.verification import DocumentNotSound
from contracts.parties.gateway import AuthorityMissing
from contracts.refusal import InvalidContent, NotAllowed, Unknown
from exchange import agreement_verbs
from exchange.agreement_verbs import NoDepositAsked
from exchange.api import problems
from exchange.api.agreements import AgreementOut, agreement_out
from exchange.api.bodies import JsonRoute
from exchange.api.deps import Ctx, Now, Session, Signed
from exchange.identity.rules import CsrfToken, Role, ScopeMissing, SignInNeeded
from listings.admissions import rules as admissions
from listings.auctions import queries as auctions

router = APIRouter(route_class=JsonRoute, tags=["deposits"])

_PRESS = TypstPress()
_READ = (
    SignInNeeded, CsrfToken, ScopeMissing, NotAllowed, InvalidContent, Unknown, NoDepositAsked,
    TextCannotBePrinted,
)  # fmt: skip


@router.put(
    "/auctions/{auction_id}/deposit-agreement",
    status_code=201,
    responses={
        200: {"model": AgreementOut, "description": "It was drawn up before; it stays the same."},
        **problems.responses(
            *_READ, PressFailed, AuthorityMissing, DocumentNotSound, admissions.OwnListing,
            admissions.BidderNotVerified, admissions.RelatedToSeller, admissions.Blocked,
            admissions.AdmissionClosed, admissions.NoAgreementAsked,
        ),
    },
)  # fmt: skip
async def draw_up_deposit_agreement(
    auction_id: UUID, *, context: Ctx, response: Response, session: Session, caller: Signed,
    now: Now,
) -> AgreementOut:  # fmt: skip
    """Have one's own deposit agreement typeset and certified, to be signed; broadcasters only.

    There is one for each bidder. It is signed under `/v1/agreements/{id}/signing-sessions`.
    """
    caller.need("deal", Role.BROADCASTER)
    agreement, created = await agreement_verbs.draw_up(
        context, session, auction_id, caller.party_id, now=now
    )
    response.status_code = 201 if created else 200
    return agreement_out(agreement)


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
    raw = await agreement_verbs.deposit_terms(
        context, session, auction_id, caller.party_id, now=now
    )
    headers = {"ETag": f'"{canonical.sha256_hex(raw)}"'}
    return Response(raw, media_type="application/json", headers=headers)


@router.get(
    "/auctions/{auction_id}/deposit-agreement.pdf",
    response_class=Response,
    responses={
        200: {
            "description": "PDF/A-3 with the terms attached; the same bytes until it is signed.",
            "content": {"application/pdf": {"schema": {"type": "string", "format": "binary"}}},
        },
        **problems.responses(*_READ, PressFailed),
    },
)
async def print_deposit_agreement(
    auction_id: UUID, *, context: Ctx, session: Session, caller: Signed, now: Now
) -> Response:
    """Print one's own deposit agreement in both languages, with its signatures; broadcasters."""
    caller.need("read", Role.BROADCASTER)
    raw = await agreement_verbs.deposit_terms(
        context, session, auction_id, caller.party_id, now=now
    )
    drawn = await agreement_verbs.find_deposit_agreement(session, auction_id, caller.party_id)
    if drawn is not None:
        pdf = (await queries.document(session, drawn.id)).pdf
    else:
        pdf = await _PRESS.contract(raw, frozen_at=await _opens_at(session, auction_id))
    headers = {
        "Content-Disposition": f'inline; filename="deposit-agreement-{auction_id}.pdf"',
        "Cache-Control": "private, no-cache",
    }
    return Response(pdf, media_type="application/pdf", headers=headers)


async def _opens_at(session: AsyncSession, auction_id: UUID) -> datetime:
    return (await auctions.get_auction(session, auction_id)).opens_at
