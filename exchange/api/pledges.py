"""What stands for a deposit (保证金) besides money: cards that hold, letters of guarantee."""

import base64
import binascii
from uuid import UUID

from fastapi import APIRouter, Response
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.money import Money
from contracts.refusal import IdReused, InvalidContent, Malformed, Unknown
from exchange.api import problems
from exchange.api.decisions import (
    DECIDING,
    PROVING,
    ApprovalIn,
    RefusalIn,
    approving,
    refusing,
)
from exchange.api.deps import Ctx, Now, Session, Signed
from exchange.api.once import OnceRoute
from exchange.api.pledge_shapes import (
    CardIn,
    CardOut,
    GuaranteeIn,
    GuaranteeOut,
    GuaranteePaidIn,
    card_out,
    guarantee_out,
)
from exchange.identity.rules import STAFF, Caller, Role
from listings.admissions import applying
from settlement.cardholds import queries as cards
from settlement.cardholds.rules import Ask, CardHoldTooShort, DepositModeNotAccepted, DepositSecured
from settlement.deposits import carding, letters
from settlement.deposits.rules import DepositNotFree
from settlement.guarantees import queries, rules
from settlement.guarantees.rules import (
    GuaranteeChanged,
    GuaranteeDecided,
    GuaranteeOtherPerson,
    Letter,
    Offer,
)
from settlement.guarantees.tables import Guarantee

router = APIRouter(route_class=OnceRoute, tags=["deposits"])

_GIVING = (*problems.SIGNED, Malformed, Unknown, IdReused, DepositModeNotAccepted, DepositSecured)
_DECIDED = (GuaranteeDecided, GuaranteeOtherPerson, GuaranteeChanged)
_PDF: problems.Responses = {
    200: {
        "description": "The scan as it was handed in; its SHA-256 is the ETag.",
        "content": {"application/pdf": {"schema": {"type": "string", "format": "binary"}}},
    }
}


@router.put(
    "/auctions/{auction_id}/deposit/cards/{card_id}",
    responses=problems.responses(*_GIVING, CardHoldTooShort),
)
async def give_deposit_card(
    *,
    auction_id: UUID,
    card_id: UUID,
    body: CardIn,
    context: Ctx,
    session: Session,
    caller: Signed,
    now: Now,
) -> CardOut:
    """Give a card for one's own deposit; it counts once the provider shows that it holds or paid.

    The answer is at once; read it again for what the provider and the card said.
    """
    caller.need("money", Role.BROADCASTER)
    hold, _ = await carding.give_card(
        session, card_id, auction_id, caller.party_id,
        ask=Ask(body.mode, body.payment_method), person_id=caller.person_id, now=now,
    )  # fmt: skip
    return card_out(hold, publishable_key=context.settings.stripe_publishable_key)


@router.get(
    "/auctions/{auction_id}/deposit/cards/{card_id}",
    responses=problems.signed(Unknown),
)
async def get_deposit_card(
    auction_id: UUID, card_id: UUID, context: Ctx, session: Session, caller: Signed
) -> CardOut:
    """Read one's own deposit on a card: its state, and while it waits, how to confirm it."""
    caller.need("read")
    hold = await cards.get_of(session, card_id, auction_id=auction_id, party_id=caller.party_id)
    return card_out(hold, publishable_key=context.settings.stripe_publishable_key)


@router.put(
    "/auctions/{auction_id}/deposit/guarantees/{guarantee_id}",
    responses=problems.responses(
        *_GIVING, rules.NoPdf, rules.GuaranteeTooSmall, rules.GuaranteeTooShort
    ),
)
async def offer_guarantee(
    *,
    auction_id: UUID,
    guarantee_id: UUID,
    body: GuaranteeIn,
    session: Session,
    caller: Signed,
    now: Now,
) -> GuaranteeOut:
    """Hand in a letter for one's own deposit; it counts once an approver has accepted it."""
    caller.need("money", Role.BROADCASTER)
    given = Offer(guarantee_id, auction_id, caller.party_id, _letter(body), _scan(body.scan_base64))
    row, _ = await letters.offer(session, given, person_id=caller.person_id, now=now)
    return guarantee_out(row)


@router.get("/guarantees/{guarantee_id}", responses=problems.signed(Unknown))
async def get_guarantee(guarantee_id: UUID, session: Session, caller: Signed) -> GuaranteeOut:
    """Read one's own letter; staff read any."""
    return guarantee_out(await _seen(session, guarantee_id, caller))


@router.get(
    "/guarantees/{guarantee_id}/scan",
    response_class=Response,
    responses={**_PDF, **problems.signed(Unknown)},
)
async def get_guarantee_scan(guarantee_id: UUID, session: Session, caller: Signed) -> Response:
    """Return the scan of one's own letter as a file to save; staff read any."""
    row = await _seen(session, guarantee_id, caller)
    headers = {
        "Content-Disposition": f'attachment; filename="guarantee-{row.id}.pdf"',
        "ETag": f'"{row.scan_sha256}"',
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "private, no-store",
    }
    return Response(row.scan, media_type="application/pdf", headers=headers)


@router.post(
    "/guarantees/{guarantee_id}/approval",
    responses=problems.responses(*DECIDING, *PROVING, *_DECIDED, DepositSecured),
)
async def accept_guarantee(
    guarantee_id: UUID, body: ApprovalIn, session: Session, caller: Signed, now: Now
) -> GuaranteeOut:
    """Accept a letter (复核) that another person handed in; it counts from now on."""
    decision = await approving(session, caller, body, now=now)
    letter = await queries.get_guarantee(session, guarantee_id)
    return guarantee_out(await applying.accept_letter(session, letter, decision=decision, now=now))


@router.post(
    "/guarantees/{guarantee_id}/refusal", responses=problems.responses(*DECIDING, *_DECIDED)
)
async def refuse_guarantee(
    guarantee_id: UUID, body: RefusalIn, session: Session, caller: Signed, now: Now
) -> GuaranteeOut:
    """Refuse a letter with a reason; the bidder may hand in another."""
    decision, reason = refusing(caller, body), body.reason.strip()
    row = await letters.refuse(session, guarantee_id, decision=decision, reason=reason, now=now)
    return guarantee_out(row)


@router.post(
    "/guarantees/{guarantee_id}/release",
    responses=problems.signed(Unknown, GuaranteeDecided, DepositNotFree),
)
async def release_guarantee(
    guarantee_id: UUID, session: Session, caller: Signed, now: Now
) -> GuaranteeOut:
    """Record that a letter that nobody needs any more went back (退还保函)."""
    caller.need("money", Role.OPERATOR)
    person_id = caller.person_id
    return guarantee_out(await letters.release(session, guarantee_id, person_id=person_id, now=now))


@router.post(
    "/guarantees/{guarantee_id}/payment",
    responses=problems.signed(Malformed, Unknown, GuaranteeDecided),
)
async def record_guarantee_payment(
    guarantee_id: UUID, body: GuaranteePaidIn, session: Session, caller: Signed, now: Now
) -> GuaranteeOut:
    """Record that the bank paid a demand to the seller; what it pays to us is a receipt."""
    caller.need("money", Role.OPERATOR)
    row = await letters.record_payment(
        session,
        guarantee_id,
        reference=body.reference.strip(),
        person_id=caller.person_id,
        now=now,
    )
    return guarantee_out(row)


def _letter(body: GuaranteeIn) -> Letter:
    return Letter(
        form=body.form,
        issuer=body.issuer.strip(),
        issuer_bic=body.issuer_bic or None,
        issuer_cnaps=body.issuer_cnaps or None,
        number=body.number.strip(),
        amount=Money(body.amount_minor, body.currency),
        valid_until=body.valid_until,
        demand_terms=body.demand_terms.strip(),
        beneficiary=body.beneficiary,
    )


def _scan(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise InvalidContent("The scan is not base64.", field="scan_base64") from error


async def _seen(session: AsyncSession, guarantee_id: UUID, caller: Caller) -> Guarantee:
    caller.need("read")
    row = await queries.get_guarantee(session, guarantee_id)
    if caller.role not in STAFF and row.party_id != caller.party_id:
        raise Unknown("There is no such letter of guarantee.")
    return row
