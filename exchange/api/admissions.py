"""Admission to auctions: applying, one's own state, and what staff decide."""

from collections.abc import Sequence
from datetime import date
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter
from pydantic import AwareDatetime, ConfigDict, Field, JsonValue
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.money import MOST_MINOR
from contracts.refusal import InvalidContent, Malformed, Unknown
from exchange.api import problems
from exchange.api.bodies import JsonRoute
from exchange.api.deps import Limit, Now, Session, Shape, Signed, page_after
from exchange.identity.rules import STAFF, Role
from listings.admissions import applying, queries, rules
from listings.admissions.tables import AdmissionRow
from listings.auctions import queries as auctions

router = APIRouter(route_class=JsonRoute, tags=["admissions"])

_SIGNED = (*problems.SIGNED, Unknown)
_BARRED = (rules.OwnListing, rules.BidderNotVerified, rules.RelatedToSeller, rules.Blocked)
_ID = "0199a3c0-7d10-7c3e-9c50-3f1f6a1f0a01"
_HASH = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
_PAPERS: list[JsonValue] = [{"kind": "business-licence", "sha256": _HASH}]
_LICENCE: dict[str, JsonValue] = {
    "kind": "network-audiovisual",
    "number": "0110001",
    "expires_on": "2029-12-31",
}
Reason = Annotated[str, Field(min_length=1, max_length=500, pattern=r"\S")]


class Paper(Shape):
    """A paper of the applicant, by the hash of its file."""

    kind: Annotated[
        Literal[
            "business-licence", "authorisation", "creditworthiness", "consortium", "owners", "other"
        ],
        Field(description="营业执照, 授权委托书, 资信证明, 联合体协议, 受益所有人说明, 其他"),
    ]
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class Licence(Shape):
    """The licence under which the applicant would use the rights."""

    kind: Annotated[
        Literal["network-audiovisual", "channel", "production", "cinema"],
        Field(
            description=(
                "信息网络传播视听节目许可证, 广播电视频道许可证, 广播电视节目制作经营许可证, "
                "电影放映经营许可证"
            )
        ),
    ]
    number: Annotated[str, Field(min_length=1, max_length=100, pattern=r"\S")]
    expires_on: date


class AdmissionIn(Shape):
    """An application; `{}` is enough where every verified broadcaster is admitted."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"papers": _PAPERS, "licence": _LICENCE}]}
    )

    papers: Annotated[list[Paper], Field(max_length=20)] = Field(default_factory=list)
    licence: Licence | None = None


class AdmissionOut(Shape):
    """How a party stands in an auction; it alone and staff read this."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "auction_id": _ID,
                    "party_id": _ID,
                    "state": "applied",
                    "paddle": None,
                    "missing": ["deposit", "papers"],
                    "cap_minor": None,
                    "reason": None,
                    "application": {"papers": _PAPERS, "licence": _LICENCE},
                    "applied_at": "2026-11-22T09:00:00Z",
                }
            ]
        }
    )

    auction_id: UUID
    party_id: UUID
    state: Literal["reserved", "applied", "admitted", "refused", "suspended"]
    paddle: Annotated[int | None, Field(description="The number (号牌), once admitted.")]
    missing: Annotated[
        Sequence[Literal["agreement", "deposit", "papers"]],
        Field(description="What admission waits for."),
    ]
    cap_minor: Annotated[int | None, Field(description="The most it may be bound for here.")]
    reason: str | None
    application: AdmissionIn | None
    applied_at: AwareDatetime | None


class AdmissionPage(Shape):
    """A page of the admissions of an auction, in the order of the parties' ids."""

    items: Sequence[AdmissionOut]
    next: UUID | None


class AdmissionDecisionIn(Shape):
    """Papers accepted, with a cap of the bidder's own if any; or the application refused."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"decision": "accept", "cap_minor": 50_000_000}]}
    )

    decision: Literal["accept", "refuse"]
    reason: Annotated[Reason | None, Field(description="Needed to refuse.")] = None
    cap_minor: Annotated[int, Field(strict=True, ge=1, le=MOST_MINOR)] | None = None


@router.put(
    "/auctions/{auction_id}/admission",
    responses=problems.responses(
        *_SIGNED, *_BARRED, rules.NotAdmitted, rules.DepositAgreementUnsigned, rules.DepositLapsed,
        rules.AdmissionClosed, rules.AdmissionDecided, Malformed,
    ),
)  # fmt: skip
async def apply_for_admission(
    auction_id: UUID, body: AdmissionIn, session: Session, caller: Signed, now: Now
) -> AdmissionOut:
    """Ask to bid (报名). Repeating it changes nothing; the answer says what is still missing."""
    caller.need("bid", Role.BROADCASTER)
    row = await applying.apply(
        session,
        auction_id,
        caller.party_id,
        application=body.model_dump(mode="json"),
        now=now,
    )
    return await _out(session, row)


@router.get("/auctions/{auction_id}/admission", responses=problems.responses(*_SIGNED))
async def get_admission(auction_id: UUID, session: Session, caller: Signed) -> AdmissionOut:
    """Read how one's own organisation stands in an auction."""
    caller.need("read")
    return await _out(session, await queries.get_admission(session, auction_id, caller.party_id))


@router.get("/auctions/{auction_id}/admissions", responses=problems.responses(*_SIGNED))
async def list_admissions(
    auction_id: UUID,
    session: Session,
    caller: Signed,
    after: UUID | None = None,
    limit: Limit = 50,
) -> AdmissionPage:
    """List who asked to bid, for staff; nobody else learns names or number."""
    caller.need("read", *STAFF)
    rows = await queries.admissions_page(session, auction_id, after=page_after(after), limit=limit)
    items = [await _out(session, row) for row in rows]
    return AdmissionPage(items=items, next=rows[-1].party_id if len(rows) == limit else None)


@router.post(
    "/auctions/{auction_id}/admissions/{party_id}/decision",
    responses=problems.responses(*_SIGNED, *_BARRED, rules.AdmissionDecided, Malformed),
)
async def decide_admission(
    auction_id: UUID,
    party_id: UUID,
    body: AdmissionDecisionIn,
    session: Session,
    caller: Signed,
    now: Now,
) -> AdmissionOut:
    """Accept an applicant's papers, reinstate a suspended bidder, or refuse an application."""
    caller.need("deal", Role.OPERATOR)
    if body.decision == "refuse":
        if body.reason is None:
            raise InvalidContent("A refusal needs a reason.", field="reason")
        row = await applying.refuse(
            session, auction_id, party_id, reason=body.reason.strip(), now=now
        )
        return await _out(session, row)
    row = await applying.accept_papers(
        session,
        auction_id,
        party_id,
        person_id=caller.person_id,
        cap_minor=body.cap_minor,
        now=now,
    )
    return await _out(session, row)


async def _out(session: AsyncSession, row: AdmissionRow) -> AdmissionOut:
    auction = await auctions.get_auction(session, row.auction_id)
    return AdmissionOut.model_validate(
        {
            "auction_id": row.auction_id,
            "party_id": row.party_id,
            "state": row.state,
            "paddle": await queries.find_paddle(session, row.auction_id, row.party_id),
            "missing": await applying.missing(session, auction, row),
            "cap_minor": rules.least(row.cap_minor, rules.gate(auction.rulebook).cap_minor),
            "reason": row.reason,
            "application": row.application,
            "applied_at": row.applied_at,
        }
    )
