"""A bidder's own cards and letters of guarantee for a deposit: the forms that give them."""

import base64
from datetime import datetime
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request, Response
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.datastructures import UploadFile

from contracts import calendar, ids
from contracts.refusal import InvalidContent
from exchange.api import pledges as api
from exchange.api.deps import Ctx, Now, Session
from exchange.api.pledge_shapes import CardIn, GuaranteeIn, given
from exchange.portal import render
from exchange.portal.forms import Sent, shape
from exchange.portal.visitors import SignedIn
from settlement.cardholds.rules import CARD_HOLDS, MODES, CardHoldTooShort, check_lasts
from settlement.deposits import carding
from settlement.deposits import queries as deposits
from settlement.deposits.tables import Deposit
from settlement.guarantees import rules

router = APIRouter(prefix="/auctions/{auction_id}/deposit")
LONGEST_FILE_BYTES = rules.MOST_SCAN_BYTES + 64 * 1024  # the scan, and the fields around it
# What leaves no room for another: it is being looked at, or counts.
IN_HAND = ("requested", "ready", "held", "drawing", "offered", "accepted", "demanded")


async def shown(
    session: AsyncSession, auction_id: UUID, party_id: UUID, *, now: datetime
) -> dict[str, Any]:
    """Return what a bidder sees of its cards and letters, and what its forms need."""
    deposit = await deposits.find_deposit(session, auction_id, party_id)
    if deposit is None:
        return {}
    cards, letters = await given(session, auction_id, party_id)
    states = [one.state for one in cards] + [one.state for one in letters]
    in_hand = any(state in IN_HAND for state in states)
    ends_on = None if deposit.ends_by is None else calendar.day_of(deposit.ends_by)
    return {
        "cards": cards,
        "guarantees": letters,
        "may_give": deposit.state == "required" and deposit.free_at is None and not in_hand,
        "card_modes": _modes(deposit, now),
        "letter_until": rules.needed_until(ends_on, deposit.guarantee_days),
        "card_id": ids.new(now),
        "guarantee_id": ids.new(now),
    }


@router.post("/cards")
async def send_card(
    request: Request,
    auction_id: UUID,
    visitor: SignedIn,
    form: Sent,
    *,
    context: Ctx,
    session: Session,
    now: Now,
) -> Response:
    """Give a card by the id that the provider has for it; sent twice, it is given once."""
    body = shape(CardIn, mode=form.text("card_mode"), payment_method=form.maybe("payment_method"))
    await api.give_deposit_card(
        auction_id=auction_id, card_id=form.id("card_id"), body=body, context=context,
        session=session, caller=visitor.caller, now=now,
    )  # fmt: skip
    return render.see(request, f"/auctions/{auction_id}")


@router.post("/guarantees")
async def send_guarantee(
    request: Request, auction_id: UUID, visitor: SignedIn, form: Sent, session: Session, now: Now
) -> Response:
    """Hand in a letter: what it says, and its scan in one step."""
    sent = (await request.form()).get("file")
    if not isinstance(sent, UploadFile) or not sent.filename:
        raise InvalidContent(
            "A field breaks its rule.", errors=[{"field": "file", "rule": "no file was sent"}]
        )
    names = ("form", "issuer", "number", "valid_until", "demand_terms", "beneficiary")
    body = shape(
        GuaranteeIn,
        **{name: form.text(name) for name in names},
        issuer_bic=form.maybe("issuer_bic"),
        issuer_cnaps=form.maybe("issuer_cnaps"),
        amount_minor=form.minor("guaranteed", form.text("currency")),
        currency=form.text("currency"),
        scan_base64=base64.b64encode(await sent.read()).decode(),
    )
    await api.offer_guarantee(
        auction_id=auction_id, guarantee_id=form.id("guarantee_id"), body=body, session=session,
        caller=visitor.caller, now=now,
    )  # fmt: skip
    return render.see(request, f"/auctions/{auction_id}")


def _modes(deposit: Deposit, now: datetime) -> list[str]:
    """Return the ways in which a card can be given; it cannot be held for a long auction."""
    found = [mode for mode in MODES if mode in deposit.modes]
    try:
        check_lasts(carding.needed_until(deposit), held_until=now + CARD_HOLDS)
    except CardHoldTooShort:
        return [mode for mode in found if mode == "charge"]
    return found
