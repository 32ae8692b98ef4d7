"""The life of a deal on its page: where it stands, what may be done, and the forms that do it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request, Response
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import ids
from exchange.api import deals as deals_api
from exchange.api import lives as api
from exchange.api.deps import Now, Session
from exchange.identity.rules import Caller
from exchange.portal import changes, render
from exchange.portal.forms import Sent, shape
from exchange.portal.language import Language, mark
from exchange.portal.visitors import SignedIn

router = APIRouter(prefix="/deals")
# The straight way through each region; how else it may end is told where it did.
STRAIGHT: Mapping[str, Sequence[str]] = {
    "negotiation": ("agreed",),
    "signing": ("drafted", "certified", "licensor_signed", "executed"),
    "performance": ("pending", "effective", "paid"),
    "end": ("none", "in_force"),
}
REGIONS: Mapping[str, str] = {
    "negotiation": mark("Negotiation"),
    "signing": mark("Signing"),
    "performance": mark("Performance"),
    "end": mark("End"),
}


async def shown(
    session: AsyncSession,
    deal: deals_api.DealOut,
    terms: Mapping[str, Any],
    *,
    caller: Caller,
    spoken: Language,
) -> dict[str, Any]:
    """Return what `deal_life.html` shows of a deal."""
    life = await api.get_deal_life(deal.id, session=session, caller=caller)
    names = {
        side.id: spoken.pick(side.name_zh, side.name_en) for side in (deal.licensor, deal.licensee)
    }
    return {
        "regions": [(REGIONS[name], _way(name, getattr(life, name))) for name in REGIONS],
        "now": life,
        "timers": [
            one for one in life.timers if one.kind not in ("signing-reminder", "deemed-receipt")
        ],
        "notices": [{**one.model_dump(), "who": names[one.party_id]} for one in life.notices],
        "me": caller.party_id,
        "declined_by": names.get(life.declined_by) if life.declined_by else None,
        "declined_by_licensee": life.declined_by == deal.licensee.id,
        **await changes.shown(session, deal, terms, life, spoken=spoken),
        "auction": terms["award"].get("auction"),
    }


@router.post("/{deal_id}/refusal")
async def send_refusal(
    request: Request, deal_id: UUID, visitor: SignedIn, form: Sent, session: Session, *, now: Now
) -> Response:
    """Decline to sign."""
    body = shape(api.DealRefusalIn, reason=form.text("reason"))
    await api.decline_deal(deal_id, body, session=session, caller=visitor.caller, now=now)
    return render.see(request, f"/deals/{deal_id}")


@router.post("/{deal_id}/rescission")
async def send_rescission(
    request: Request, deal_id: UUID, visitor: SignedIn, form: Sent, session: Session, *, now: Now
) -> Response:
    """Undo a deal as a court or a tribunal ordered."""
    body = shape(api.RescissionIn, reason=form.text("reason"))
    await api.rescind_deal(deal_id, body, session=session, caller=visitor.caller, now=now)
    return render.see(request, f"/deals/{deal_id}")


@router.post("/{deal_id}/notices")
async def send_notice(
    request: Request, deal_id: UUID, visitor: SignedIn, form: Sent, session: Session, *, now: Now
) -> Response:
    """Give the other side notice."""
    body = shape(api.NoticeIn, kind=form.text("kind"), text=form.text("text"))
    await api.give_notice(
        deal_id, form.id("notice_id"), body,
        response=Response(), session=session, caller=visitor.caller, now=now,
    )  # fmt: skip
    return render.see(request, f"/deals/{deal_id}")


@router.post("/{deal_id}/notices/{notice_id}/answer")
async def send_answer(
    request: Request,
    deal_id: UUID,
    notice_id: UUID,
    visitor: SignedIn,
    form: Sent,
    session: Session,
    *,
    now: Now,
) -> Response:
    """Settle a notice."""
    body = shape(api.NoticeAnswerIn, answer=form.text("answer"))
    await api.answer_notice(
        deal_id, notice_id, body, session=session, caller=visitor.caller, now=now
    )
    return render.see(request, f"/deals/{deal_id}")


def fresh_ids(now: datetime) -> dict[str, UUID]:
    """Return the ids of what the forms of the page may create."""
    names = (
        "notice_id",
        "demand_id",
        "offer_id",
        "early_id",
        "amendment_id",
        "rights_id",
        "price_id",
    )
    return {name: ids.new(now) for name in names}


def _way(name: str, state: str) -> list[tuple[str, str]]:
    """Return the states of a region as their words, each done, now or next."""
    way = list(STRAIGHT[name])
    if state not in way:  # it left the straight way: from its first state, or after all of it
        way = [*(way[:1] if name == "signing" else way), state]
    place = way.index(state)
    words = [f"end_{one}" if name == "end" else one for one in way]
    return [
        (word, "done" if at < place else "now" if at == place else "next")
        for at, word in enumerate(words)
    ]
