"""The life of a deal (合同的生命周期): declining it, notices, amendments, and where it stands."""

import base64
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import AwareDatetime, ConfigDict, Field
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import canonical
from contracts.deals import amending, ending, holding, lifecycle, notices, queries, rules
from contracts.deals.lifecycle import AlreadySigned, DealDeclined, DealExpired, DealNotInForce
from contracts.deals.notices import (
    AnswerNotPossible,
    NoEarlyEnd,
    NoticeRunning,
    NoticeSettled,
    Said,
)
from contracts.deals.rules import BadSignature, DealExecuted, DealVoided
from contracts.deals.tables import Deal, DealNotice
from contracts.parties.rules import BadName, KeyNotActive
from contracts.refusal import IdReused, InvalidContent, Malformed, NotAllowed, Unknown
from exchange.api import problems
from exchange.api.bodies import JsonRoute
from exchange.api.deals import DealOut, deal_out
from exchange.api.deps import Now, Session, Shape, Signed
from exchange.identity.rules import Caller, CsrfToken, Role, ScopeMissing, SignInNeeded

router = APIRouter(route_class=JsonRoute, tags=["deals"])

_READ = (SignInNeeded, ScopeMissing, InvalidContent, Unknown)
_DO = (*_READ, CsrfToken, NotAllowed, Malformed)
Negotiation = Literal["draft", "offered", "countered", "agreed", "withdrawn", "lapsed"]
End = Literal["none", "in_force", "expired", "terminated", "rescinded", "superseded"]


class TimerOut(Shape):
    """What happens by itself, and when, if nothing happens before."""

    kind: Literal[
        "signing-reminder", "signing-expiry", "deemed-receipt", "cure-end", "notice-end",
        "window-end",
    ]  # fmt: skip
    due_at: AwareDatetime


class NoticeOut(Shape):
    """A notice of one side to the other; `sha256` is of its RFC 8785 bytes."""

    id: UUID
    kind: Literal["breach", "payment", "mutual", "convenience"]
    party_id: UUID
    text: str
    sha256: str
    signed_with: Annotated[UUID | None, Field(description="the key of its giver, if it is signed")]
    given_at: AwareDatetime
    received_at: AwareDatetime | None
    cure_by: Annotated[
        AwareDatetime | None,
        Field(description="the deal ends then: unless cured, or for good after `convenience`"),
    ]
    outcome: Literal["terminated", "cured", "withdrawn", "refused", "overtaken"] | None


class LifeOut(Shape):
    """Where a deal stands in its four regions, what may be done, and what happens by itself."""

    negotiation: Negotiation
    signing: Literal[
        "drafted", "certified", "licensor_signed", "executed", "voided", "declined", "expired"
    ]
    performance: Literal["pending", "effective", "paid"]
    end: End
    end_cause: Literal["cause", "mutual", "convenience"] | None
    ended_at: AwareDatetime | None
    declined_by: UUID | None
    may: Annotated[Sequence[str], Field(description="what the caller may do by the state alone")]
    early_end_days: Annotated[
        int | None, Field(description="after which the licensee may end it without a reason")
    ]
    assignor_id: Annotated[
        UUID | None, Field(description="the licensee before, where the contract was handed on")
    ]
    timers: Sequence[TimerOut]
    notices: Sequence[NoticeOut]
    amends: Annotated[UUID | None, Field(description="the deal that this one takes the place of")]
    amended_by: Annotated[UUID | None, Field(description="the deal that takes this one's place")]
    changes: Annotated[
        Sequence[Mapping[str, Any]], Field(description="what it changes in the terms it amends")
    ]
    patch: Annotated[
        Sequence[Mapping[str, Any]],
        Field(description="RFC 6902: makes these terms, byte for byte, of those it amends"),
    ]


class DealRefusalIn(Shape):
    """Why the contract is not signed; both sides read it."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "预算被削减"}]})

    reason: Annotated[str, Field(min_length=1, max_length=rules.LONGEST_REASON, pattern=r"\S")]


class RescissionIn(Shape):
    """Which order undoes the contract; both sides read it."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "贸仲裁字 2027-0001"}]})

    reason: Annotated[str, Field(min_length=1, max_length=rules.LONGEST_REASON, pattern=r"\S")]


class NoticeIn(Shape):
    """A notice; signed with a registered key where `key_id` and `signature_b64` are given.

    The bytes to sign are RFC 8785 of `typ` "uhdx.notice/v1", `notice`, `deal`, `contract`,
    `terms_sha256`, `party`, `kind` and `text`.
    """

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"kind": "breach", "text": "许可费至今未付。"}]}
    )

    kind: Annotated[
        Literal["breach", "mutual", "convenience"],
        Field(
            description="of a breach that is to be cured, an offer to end by agreement, or an "
            "early end that a clause of the contract allows without a reason"
        ),
    ]
    text: Annotated[str, Field(min_length=1, max_length=notices.LONGEST_TEXT, pattern=r"\S")]
    key_id: UUID | None = None
    signature_b64: Annotated[str | None, Field(max_length=256)] = None


class NoticeAnswerIn(Shape):
    """What settles a notice: its giver withdraws it or says it is cured, the other answers."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"answer": "cured"}]})

    answer: Literal["cured", "withdrawn", "agreed", "refused"]


@router.get("/deals/{deal_id}/life", responses=problems.responses(*_READ))
async def get_deal_life(deal_id: UUID, *, session: Session, caller: Signed) -> LifeOut:
    """Return where the deal stands: its four regions, timers, notices and amendments."""
    caller.need("read")
    deal = await _visible(session, deal_id, caller)
    life, amendment = deal.life, await queries.find_amendment(session, deal.id)
    has_left = caller.party_id == deal.assignor_id and not caller.is_staff
    return LifeOut(
        negotiation=life.negotiation,
        signing=life.signing,
        performance=life.performance,
        end=life.end,
        end_cause=life.cause,
        ended_at=deal.ended_at,
        declined_by=deal.declined_by,
        may=_may(deal, life, caller),
        early_end_days=notices.early_end_days(deal, role="licensee"),
        assignor_id=deal.assignor_id,
        timers=[
            TimerOut(kind=one.kind, due_at=one.due_at)
            for one in ([] if has_left else await queries.timers_of(session, deal.id))
            if lifecycle.still_matters(life, one.kind)
        ],
        notices=[]
        if has_left
        else [notice_out(one) for one in await queries.notices_of(session, deal.id)],
        amends=deal.supersedes,
        amended_by=amendment and amendment.id,
        changes=amending.changes_of(deal),
        patch=[] if deal.patch is None else canonical.loads(deal.patch),
    )


@router.post(
    "/deals/{deal_id}/refusal",
    responses=problems.responses(
        *_DO, BadName, AlreadySigned, DealDeclined, DealExpired, DealVoided, DealExecuted
    ),
)
async def decline_deal(
    deal_id: UUID, body: DealRefusalIn, *, session: Session, caller: Signed, now: Now
) -> DealOut:
    """Decline to sign (拒签), before the caller's organisation has signed; its rights are free.

    Both sides are told why. The same side again changes nothing.
    """
    caller.need("deal", Role.HOLDER, Role.BROADCASTER)
    deal = await ending.decline(
        session, deal_id, party_id=caller.party_id, reason=body.reason, now=now
    )
    return deal_out(deal)


@router.post(
    "/deals/{deal_id}/rescission", responses=problems.responses(*_DO, BadName, DealNotInForce)
)
async def rescind_deal(
    deal_id: UUID, body: RescissionIn, *, session: Session, caller: Signed, now: Now
) -> DealOut:
    """Undo a deal in force as a court or a tribunal ordered (撤销); its rights come back.

    Operators only. A second time changes nothing.
    """
    caller.need("deal", Role.OPERATOR)
    deal = await ending.rescind(session, deal_id, reason=body.reason, by=caller.person_id, now=now)
    return deal_out(deal)


@router.put(
    "/deals/{deal_id}/notices/{notice_id}",
    status_code=201,
    responses={
        200: {"model": NoticeOut, "description": "It was given before."},
        **problems.responses(
            *_DO,
            BadName,
            IdReused,
            DealNotInForce,
            NoEarlyEnd,
            NoticeRunning,
            KeyNotActive,
            BadSignature,
        ),
    },
)
async def give_notice(
    deal_id: UUID,
    notice_id: UUID,
    body: NoticeIn,
    *,
    response: Response,
    session: Session,
    caller: Signed,
    now: Now,
) -> NoticeOut:
    """Give the other side notice: of a breach, of an early end, or offer to end by agreement.

    A notice is received when it is in the log. A breach that is not cured within the contract's
    period after that ends the deal, and its rights come back to the licensor. So does `convenience`
    after the period of the clause that allows it; it is not taken back.
    """
    caller.need("deal", Role.HOLDER, Role.BROADCASTER)
    notice, created = await notices.give(
        session, deal_id, notice_id, party_id=caller.party_id, said=_said(body), now=now
    )
    response.status_code = 201 if created else 200
    return notice_out(notice)


@router.post(
    "/deals/{deal_id}/notices/{notice_id}/answer",
    responses=problems.responses(*_DO, AnswerNotPossible, NoticeSettled, DealNotInForce),
)
async def answer_notice(
    deal_id: UUID,
    notice_id: UUID,
    body: NoticeAnswerIn,
    *,
    session: Session,
    caller: Signed,
    now: Now,
) -> NoticeOut:
    """Settle a notice: withdraw it or say it is cured, agree to end the deal or refuse to."""
    caller.need("deal", Role.HOLDER, Role.BROADCASTER)
    notice = await notices.answer(
        session, deal_id, notice_id, party_id=caller.party_id, said=body.answer, now=now
    )
    return notice_out(notice)


def notice_out(notice: DealNotice) -> NoticeOut:
    """Return a notice as the wire carries it."""
    return NoticeOut(
        id=notice.id,
        kind=notice.kind,
        party_id=notice.party_id,
        text=notice.text,
        sha256=notice.sha256,
        signed_with=notice.key_id,
        given_at=notice.given_at,
        received_at=notice.received_at,
        cure_by=notice.cure_by,
        outcome=notice.outcome,
    )


def _said(body: NoticeIn) -> Said:
    if (body.key_id is None) != (body.signature_b64 is None):
        raise BadSignature("A signed notice names the key and the signature.")
    if body.signature_b64 is None:
        return Said(body.kind, body.text)
    try:
        signature = base64.b64decode(body.signature_b64, validate=True)
    except ValueError as unreadable:  # binascii.Error, and what is not ASCII
        raise BadSignature("The signature is not base64.") from unreadable
    return Said(body.kind, body.text, body.key_id, rules.signature_der(signature))


def _may(deal: Deal, life: lifecycle.Life, caller: Caller) -> list[str]:
    roles = {deal.licensor_id: "licensor", deal.licensee_id: "licensee"}
    if caller.party_id in roles:
        role = roles[caller.party_id]
        early = notices.early_end_days(deal, role=role) is not None
        may = lifecycle.may(life, role=role, ends_early=early)
        changes = () if not deal.further_works else holding.CHANGES
        return [one for one in may if one not in changes]
    return lifecycle.may(life, role="operator") if caller.role is Role.OPERATOR else []


async def _visible(session: AsyncSession, deal_id: UUID, caller: Caller) -> Deal:
    viewer = caller.for_party
    return await queries.get_contract_of(session, deal_id, viewer)
