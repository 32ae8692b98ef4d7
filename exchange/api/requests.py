"""Requests for proposals (询价): asked in the open or of some, answered under seal."""

from collections.abc import Sequence
from datetime import UTC
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import AwareDatetime, ConfigDict, Field
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import canonical
from contracts.parties import queries as parties
from contracts.parties.rules import PartyNotVerified
from contracts.refusal import IdReused, Unknown
from exchange.api import listings, problems
from exchange.api.bodies import JsonRoute
from exchange.api.deps import Limit, Now, Session, Shape, Signed, next_after, page_after
from exchange.api.listings import RightIn, SellerOut
from exchange.api.offers import (
    OFFER,
    READ,
    SAID,
    WRITE,
    OfferIn,
    OfferOut,
    asked,
    get_offer,
    side_out,
)
from exchange.identity.rules import Role
from listings.offers.rules import LONGEST_MESSAGE, BadOffer
from listings.requests import queries, rules, service
from listings.requests.rules import AnswersSealed, AnswerTooShort, BadRequest, RequestOver
from listings.requests.service import Wish
from listings.requests.tables import Proposal, ProposalRequest

router = APIRouter(route_class=JsonRoute, tags=["requests"])

_ID = "0199a3c0-5a01-7c3e-9c50-3f1f6a1f0a01"
Genre = Annotated[str, Field(min_length=1, max_length=40)]


class RequestIn(Shape):
    """What is looked for, until when, and who is invited (null: every verified rights holder)."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "title": "寻购 4K 自然纪录片",
                    "text": "52 分钟，HDR，可作中文配音",
                    "rights": [listings.RIGHT],
                    "genres": ["documentary"],
                    "deadline_at": "2026-12-06T16:00:00Z",
                    "invited": None,
                }
            ]
        }
    )

    title: Annotated[str, Field(min_length=1, max_length=rules.LONGEST_TITLE)]
    text: Annotated[str, Field(max_length=LONGEST_MESSAGE)] = ""
    rights: Annotated[list[RightIn], Field(min_length=1, max_length=rules.MOST_RIGHTS)]
    genres: Annotated[list[Genre], Field(max_length=20)] = Field(default_factory=list)
    deadline_at: AwareDatetime
    invited: Annotated[list[UUID] | None, Field(max_length=rules.MOST_INVITED)] = None


class RequestOut(Shape):
    """A request; `invited` is told to its asker alone."""

    id: UUID
    asker: SellerOut
    title: str
    text: str
    rights: Sequence[dict[str, Any]]
    genres: Sequence[str]
    is_open_to_all: bool
    invited: Sequence[UUID] | None
    state: Literal["open", "opened", "withdrawn"]
    sha256: str
    deadline_at: AwareDatetime
    made_at: AwareDatetime


class RequestsOut(Shape):
    """A page of requests."""

    items: Sequence[RequestOut]
    next: UUID | None


class AnswerIn(OfferIn):
    """An answer is an offer that binds its maker beyond the deadline."""

    model_config = ConfigDict(json_schema_extra={"examples": [OFFER]})


class AnswerOut(Shape):
    """An answer, as its maker sees it at any time and the asker once all are opened.

    `commitment` is SHA-256 of `uhdx/proposal/v1` and a zero byte, the ids of request and party, the
    length of the RFC 8785 bytes of `content` in four bytes, these bytes, and the nonce.
    """

    id: UUID
    request_id: UUID
    by: SellerOut
    state: Literal["sealed", "replaced", "withdrawn", "opened"]
    content: dict[str, Any]
    commitment: str
    nonce: str
    made_at: AwareDatetime
    offer_id: UUID | None


class AnswersOut(Shape):
    """Answers: to the asker all of them once opened, to a maker its own."""

    items: Sequence[AnswerOut]


class NegotiationIn(Shape):
    """The ids of the negotiation that an answer opens, and of its first version."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"offer_id": _ID, "version_id": _ID}]}
    )

    offer_id: UUID
    version_id: UUID


@router.put(
    "/requests/{request_id}",
    status_code=201,
    responses={
        200: {"model": RequestOut, "description": "It was made before."},
        **problems.responses(
            *WRITE, *listings.RIGHTS, IdReused, BadRequest, BadOffer, PartyNotVerified
        ),
    },
)
async def ask_for_proposals(
    request_id: UUID,
    body: RequestIn,
    *,
    response: Response,
    session: Session,
    caller: Signed,
    now: Now,
) -> RequestOut:
    """Ask rights holders for proposals until a deadline."""
    caller.need("deal", Role.BROADCASTER)
    made, new = await service.ask(
        session,
        request_id,
        party_id=caller.party_id,
        wish=Wish(
            title=body.title,
            text=body.text,
            rights=[right.model_dump(mode="json") for right in body.rights],
            genres=body.genres,
            deadline_at=body.deadline_at.astimezone(UTC),
            invited=body.invited,
        ),
        now=now,
    )
    response.status_code = 201 if new else 200
    return await _out(session, made, viewer=caller.party_id)


@router.get("/requests", responses=problems.responses(*READ))
async def list_requests(
    *, session: Session, caller: Signed, after: UUID | None = None, limit: Limit = 50
) -> RequestsOut:
    """List the requests that the caller's organisation made or may answer."""
    caller.need("read")
    viewer = await parties.get_party(session, caller.party_id)
    found = await queries.visible_page(session, viewer, after=page_after(after), limit=limit)
    items = [await _out(session, one, viewer=viewer.id) for one in found]
    return RequestsOut(items=items, next=next_after(found, limit))


@router.get("/requests/{request_id}", responses=problems.responses(*READ, Unknown))
async def get_request(request_id: UUID, *, session: Session, caller: Signed) -> RequestOut:
    """Return a request to its asker and to those who may answer it."""
    caller.need("read")
    viewer = await parties.get_party(session, caller.party_id)
    found = await queries.get_visible(session, request_id, viewer)
    return await _out(session, found, viewer=viewer.id)


@router.post("/requests/{request_id}/withdrawal", responses=problems.responses(*WRITE, RequestOver))
async def withdraw_request(
    request_id: UUID, *, session: Session, caller: Signed, now: Now
) -> RequestOut:
    """Ask no more, before the deadline; the answers stay sealed for good."""
    caller.need("deal", Role.BROADCASTER)
    made = await service.withdraw(session, request_id, party_id=caller.party_id, now=now)
    return await _out(session, made, viewer=caller.party_id)


@router.put(
    "/requests/{request_id}/answers/{answer_id}",
    status_code=201,
    responses={
        200: {"model": AnswerOut, "description": "It was given before."},
        **problems.responses(*WRITE, *SAID, IdReused, RequestOver, AnswerTooShort),
    },
)
async def answer_request(
    request_id: UUID,
    answer_id: UUID,
    body: AnswerIn,
    *,
    response: Response,
    session: Session,
    caller: Signed,
    now: Now,
) -> AnswerOut:
    """Answer a request; nobody but the caller's organisation reads it before the deadline.

    Another answer replaces the one before it. Keep `commitment`: it is published at the opening.
    """
    caller.need("deal", Role.HOLDER)
    made, new = await service.answer(
        session,
        request_id,
        answer_id,
        party_id=caller.party_id,
        person_id=caller.person_id,
        offer=asked(body),
        now=now,
    )
    response.status_code = 201 if new else 200
    return await _answer(session, made)


@router.get(
    "/requests/{request_id}/answers",
    responses=problems.responses(*READ, Unknown, AnswersSealed, RequestOver),
)
async def list_answers(request_id: UUID, *, session: Session, caller: Signed) -> AnswersOut:
    """Return the answers once all are opened, to the asker; to a maker its own, at any time."""
    caller.need("read")
    viewer = await parties.get_party(session, caller.party_id)
    request = await queries.get_visible(session, request_id, viewer)
    if request.party_id == viewer.id:
        found: Sequence[Proposal] = await queries.opened(session, request)
    else:
        own = await queries.find_own(session, request_id, viewer.id)
        found = [own] if own else []
    return AnswersOut(items=[await _answer(session, one) for one in found])


@router.delete(
    "/requests/{request_id}/answers/{answer_id}",
    status_code=204,
    responses=problems.responses(*WRITE, RequestOver),
)
async def take_answer_back(
    request_id: UUID, answer_id: UUID, *, session: Session, caller: Signed, now: Now
) -> None:
    """Take an answer back before the deadline."""
    caller.need("deal", Role.HOLDER)
    await service.take_back(session, request_id, answer_id, party_id=caller.party_id, now=now)


@router.post(
    "/requests/{request_id}/answers/{answer_id}/offer",
    responses=problems.responses(
        *WRITE, IdReused, AnswersSealed, RequestOver, BadOffer, PartyNotVerified
    ),
)
async def negotiate_answer(
    request_id: UUID,
    answer_id: UUID,
    body: NegotiationIn,
    *,
    session: Session,
    caller: Signed,
    now: Now,
) -> OfferOut:
    """Turn an opened answer into a negotiation: accept it there, or make a counter-offer."""
    caller.need("deal", Role.BROADCASTER)
    offer = await service.negotiate(
        session,
        request_id,
        answer_id,
        offer_id=body.offer_id,
        version_id=body.version_id,
        party_id=caller.party_id,
        now=now,
    )
    return await get_offer(offer.id, session=session, caller=caller, now=now)


async def _out(session: AsyncSession, made: ProposalRequest, *, viewer: UUID) -> RequestOut:
    content = canonical.loads(made.content)
    return RequestOut(
        id=made.id,
        asker=await side_out(session, made.party_id),
        title=content["title"],
        text=content["text"],
        rights=content["rights"],
        genres=content["genres"],
        is_open_to_all=made.invited is None,
        invited=made.invited if made.party_id == viewer else None,
        state=made.state,
        sha256=made.sha256,
        deadline_at=made.deadline_at,
        made_at=made.made_at,
    )


async def _answer(session: AsyncSession, made: Proposal) -> AnswerOut:
    return AnswerOut(
        id=made.id,
        request_id=made.request_id,
        by=await side_out(session, made.party_id),
        state=made.state,
        content=canonical.loads(made.content),
        commitment=made.commitment,
        nonce=made.nonce.hex(),
        made_at=made.made_at,
        offer_id=made.offer_id,
    )
