"""Signing in the browser: the keys it keeps, and the page where a contract is read and signed.

No key comes here: pages and scripts alone; what is sent goes to the API like any client's.
"""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response

from contracts.parties import queries as parties
from contracts.refusal import NotAllowed, Unknown
from exchange.api import agreements, deposit_agreements, signing
from exchange.api import deals as api
from exchange.api import parties as party_api
from exchange.api.deps import Ctx, Now, Session
from exchange.portal import render
from exchange.portal.visitors import SignedIn, Visitor

router = APIRouter()


async def get_trader(visitor: SignedIn) -> Visitor:
    """Require somebody whose organisation signs contracts."""
    if visitor.is_staff:
        raise NotAllowed("The exchange's staff signs no contracts.")
    return visitor


Trader = Annotated[Visitor, Depends(get_trader)]


@router.get("/signing-keys")
async def keys_page(
    request: Request, visitor: Trader, session: Session, made: str = ""
) -> Response:
    """Show the organisation's signing keys, and which of them this browser keeps."""
    party = await parties.get_party(session, visitor.caller.party_id)
    found = await parties.keys_of(session, party.id)
    return render.page(
        request,
        "signing_keys.html",
        keys=[signing.key_out(key) for key in found],
        party=party,
        made=bool(made),
    )


@router.post("/signing-keys/{key_id}/revocation")
async def send_revocation(
    request: Request, key_id: UUID, visitor: Trader, *, context: Ctx, session: Session, now: Now
) -> Response:
    """Revoke a signing key at once."""
    await party_api.revoke_signing_key(
        visitor.caller.party_id, key_id, context=context, session=session,
        caller=visitor.caller, now=now,
    )  # fmt: skip
    return render.see(request, "/signing-keys")


@router.get("/deals/{deal_id}/signing")
async def signing_page(
    request: Request, deal_id: UUID, visitor: Trader, session: Session
) -> Response:
    """Show the page that checks a contract in the browser and signs it there."""
    deal = await api.get_deal(deal_id=deal_id, session=session, caller=visitor.caller)
    if deal.pdf_sha256 is None:
        raise Unknown("The contract is not printed yet.", deal=str(deal_id))
    shown: dict[str, Any] = {"noun": "deal", "id": deal.id, "contract_no": deal.contract_no}
    return render.page(
        request,
        "deal_signing.html",
        deal=shown,
        is_my_turn=deal.next_signer == visitor.caller.party_id,
    )


@router.post("/auctions/{auction_id}/deposit-agreement")
async def send_drawing_up(
    request: Request,
    auction_id: UUID,
    visitor: Trader,
    *,
    context: Ctx,
    session: Session,
    now: Now,
) -> Response:
    """Have the deposit agreement of an auction drawn up, and go on to read and sign it."""
    drawn = await deposit_agreements.draw_up_deposit_agreement(
        auction_id, context=context, response=Response(), session=session, caller=visitor.caller,
        now=now,
    )  # fmt: skip
    return render.see(request, f"/agreements/{drawn.id}/signing")


@router.get("/agreements/{agreement_id}/signing")
async def agreement_signing_page(
    request: Request, agreement_id: UUID, visitor: Trader, session: Session
) -> Response:
    """Show the page that checks a deposit agreement in the browser and signs it there."""
    found = await agreements.get_agreement(agreement_id, session=session, caller=visitor.caller)
    shown = {
        "noun": "agreement", "id": found.id, "contract_no": "", "auction_id": found.auction_id,
    }  # fmt: skip
    return render.page(
        request,
        "deal_signing.html",
        deal=shown,
        is_my_turn=found.next_signer == visitor.caller.party_id,
    )
