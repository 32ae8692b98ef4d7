"""Requests for proposals: the list, the form that asks, the answers under seal."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import ids
from contracts.parties import queries as parties
from contracts.refusal import Refusal
from exchange.api import offerables as offerables_api
from exchange.api import requests as api
from exchange.api.deps import Now, Session
from exchange.portal import listings, negotiating, offers, render
from exchange.portal.forms import Sent, shape
from exchange.portal.language import ZONE, Language
from exchange.portal.visitors import SignedIn, Visitor
from listings.offers import queries as offered

router = APIRouter(prefix="/requests")
PAGE = 50
MOST_CHOICES = 200
GENRES = ("documentary", "film", "series", "sports", "variety", "animation", "other")


@router.get("")
async def requests_page(
    request: Request, visitor: SignedIn, session: Session, after: UUID | None = None
) -> Response:
    """Show the requests that the visitor's organisation made or may answer."""
    found = await api.list_requests(session=session, caller=visitor.caller, after=after, limit=PAGE)
    return render.page(request, "requests.html", requests=found.items, next=found.next)


@router.get("/new")
async def request_form(request: Request, _: SignedIn, session: Session, now: Now) -> Response:
    """Show the form that asks for proposals."""
    spoken = render.speaks(request)
    holders = await parties.verified(session, "rights_holder", limit=MOST_CHOICES)
    deadline = (now + timedelta(days=14)).astimezone(ZONE)
    return render.page(
        request,
        "request_new.html",
        request_id=ids.new(now),
        genres=[(code, spoken.say(render.word(code))) for code in GENRES],
        holders=[(str(each.id), spoken.pick(each.name_zh, each.name_en)) for each in holders],
        deadline_at=deadline.strftime("%Y-%m-%dT%H:%M"),
        **listings.vocabulary_of(spoken),
        **listings.times(now),
    )


@router.post("")
async def send_request(
    request: Request, visitor: SignedIn, form: Sent, session: Session, now: Now
) -> Response:
    """Ask for proposals."""
    request_id = form.id("request_id")
    body = shape(
        api.RequestIn,
        title=form.text("title"),
        text=form.text("text"),
        rights=[listings.right(form, 1)],
        genres=form.many("genres"),
        deadline_at=form.instant("deadline_at"),
        invited=form.many("invited") or None,
    )
    await api.ask_for_proposals(
        request_id, body, response=Response(), session=session, caller=visitor.caller, now=now
    )
    return render.see(request, f"/requests/{request_id}")


@router.get("/{request_id}")
async def request_page(
    request: Request,
    request_id: UUID,
    visitor: SignedIn,
    session: Session,
    now: Now,
    offerable: list[UUID] = Query(default=[]),
) -> Response:
    """Show a request; to its asker the answers once opened, to others their own and the form."""
    found = await api.get_request(request_id, session=session, caller=visitor.caller)
    spoken, mine = render.speaks(request), visitor.caller.party_id
    is_asker = found.asker.id == mine
    chosen = await offered.shown(session, offerable)
    shown = [chosen[one] for one in offerable if one in chosen and chosen[one].row.party_id == mine]
    return render.page(
        request,
        "request.html",
        request_=found,
        is_asker=is_asker,
        is_over=found.state != "open" or now >= found.deadline_at,
        answers=await _answers(session, request_id, visitor, spoken),
        choices=[] if is_asker else await _own(session, visitor),
        answer_id=ids.new(now),
        offer_id=ids.new(now),
        **offers.asking(shown, None, spoken=spoken, now=found.deadline_at),
    )


@router.post("/{request_id}/withdrawal")
async def send_request_withdrawal(
    request: Request, request_id: UUID, visitor: SignedIn, session: Session, now: Now
) -> Response:
    """Ask no more."""
    await api.withdraw_request(request_id, session=session, caller=visitor.caller, now=now)
    return render.see(request, f"/requests/{request_id}")


@router.post("/{request_id}/answers")
async def send_answer(
    request: Request,
    request_id: UUID,
    visitor: SignedIn,
    form: Sent,
    session: Session,
    *,
    now: Now,
) -> Response:
    """Answer a request under seal."""
    body = shape(api.AnswerIn, **await offers.read(form, session))
    await api.answer_request(
        request_id, form.id("answer_id"), body,
        response=Response(), session=session, caller=visitor.caller, now=now,
    )  # fmt: skip
    return render.see(request, f"/requests/{request_id}")


@router.post("/{request_id}/answers/{answer_id}/withdrawal")
async def send_answer_withdrawal(
    request: Request,
    request_id: UUID,
    answer_id: UUID,
    visitor: SignedIn,
    session: Session,
    *,
    now: Now,
) -> Response:
    """Take an answer back."""
    await api.take_answer_back(
        request_id, answer_id, session=session, caller=visitor.caller, now=now
    )
    return render.see(request, f"/requests/{request_id}")


@router.post("/{request_id}/answers/{answer_id}/offer")
async def send_negotiation(
    request: Request,
    request_id: UUID,
    answer_id: UUID,
    visitor: SignedIn,
    form: Sent,
    *,
    session: Session,
    now: Now,
) -> Response:
    """Go on with an answer in a negotiation."""
    body = shape(api.NegotiationIn, offer_id=form.id("offer_id"), version_id=form.id("version_id"))
    offer = await api.negotiate_answer(
        request_id, answer_id, body, session=session, caller=visitor.caller, now=now
    )
    return render.see(request, f"/offers/{offer.id}")


async def _answers(
    session: AsyncSession, request_id: UUID, visitor: Visitor, spoken: Language
) -> list[dict[str, Any]] | None:
    """Return the answers in words; None while they are sealed."""
    try:
        found = await api.list_answers(request_id, session=session, caller=visitor.caller)
    except Refusal:
        return None
    return [
        {"row": one, "lines": negotiating.lines(one.content, None, spoken),
         "message": one.content["message"]}
        for one in found.items
    ]  # fmt: skip


async def _own(session: AsyncSession, visitor: Visitor) -> list[offerables_api.OfferableOut]:
    found = await offerables_api.list_offerables(
        session=session, caller=visitor.caller, after=None, limit=MOST_CHOICES
    )
    return [one for one in found.items if one.state == "open"]
