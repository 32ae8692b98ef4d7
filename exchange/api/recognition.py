"""Recognition (比对): what a master resembles, what is declared of it, and what staff decide."""

from typing import Any, Literal
from uuid import UUID

from fastapi import APIRouter
from pydantic import AwareDatetime, ConfigDict
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.refusal import Malformed, Unknown
from exchange.api import declarations, problems
from exchange.api.bodies import JsonRoute
from exchange.api.deps import Limit, Now, Session, Shape, Signed, page_after
from exchange.identity.rules import STAFF, Caller, Role
from listings.masters import queries as masters
from listings.masters.tables import Master
from listings.recognition import queries, rules, service
from listings.recognition.queries import Of
from listings.recognition.tables import Recognition, Resemblance

router = APIRouter(route_class=JsonRoute, tags=["recognition"])

_ID = "0199a3c0-7d10-7c3e-9c50-3f1f6a1f0a01"
_OTHER = "0199a3c0-7d10-7c3e-9c50-3f1f6a1f0a02"
_SEGMENT: dict[str, Any] = {
    "here_ms": 12_000, "there_ms": 61_000, "length_ms": 44_000, "slope_bp": 10_000,
    "mirrored": False, "upended": False, "window": 0, "score_x100": 3_030, "confidence_bp": 9_990,
    "sound_bp": 120,
}  # fmt: skip
_RECOGNITION: dict[str, Any] = {
    "master_id": _ID, "state": "doubtful", "epoch": 41, "searched_at": "2026-11-22T09:00:00Z",
    "opened_at": "2026-11-22T09:00:00Z", "reason": None, "decided_at": None,
    "resemblances": [
        {
            "master_id": _OTHER, "listing_id": _OTHER,
            "title": {"zh": "珠江之花", "en": "Flower of the Pearl River"},
            "party": {"zh": "珠江影业", "en": "Pearl River Pictures"}, "kind": "excerpt",
            "sure": True, "state": "doubtful", "why": "short", "settled": None,
            "segments": [_SEGMENT], "coverage_here_bp": 900, "coverage_there_bp": 700,
            "confidence_bp": 9_990, "sound_bp": 120, "found_at": "2026-11-22T09:00:00Z",
        }
    ],
    "declarations": [declarations.EXAMPLE],
}  # fmt: skip


class TitleOut(Shape):
    """A title or a name in two languages."""

    zh: str
    en: str


class SegmentOut(Shape):
    """A stretch of this master that is found in the other: where it starts in each, and how sure.

    `slope_bp` is how fast it runs (10,000: as listed); `window` tells which part of the picture was
    looked at; `sound_bp` is the share of the sound's bits that differ, about 5,000 when unrelated.
    """

    here_ms: int
    there_ms: int
    length_ms: int
    slope_bp: int
    mirrored: bool
    upended: bool
    window: int | None
    score_x100: int
    confidence_bp: int
    sound_bp: int | None


class ResemblanceOut(Shape):
    """A listed work that the master resembles; `state` is what that means, `why` the reason.

    `why` is one of own, same-work (versions of what is one's own anyway), declared (accounted
    for), settled (decided by staff), same-file, long, short, sound-only, unsure.
    """

    master_id: UUID
    listing_id: UUID
    title: TitleOut
    party: TitleOut
    kind: str
    sure: bool
    state: Literal["clear", "doubtful", "copy"]
    why: str
    settled: str | None
    segments: list[SegmentOut]
    coverage_here_bp: int
    coverage_there_bp: int
    confidence_bp: int
    sound_bp: int | None
    found_at: AwareDatetime


class DecisionIn(Shape):
    """What staff decide on a master that resembles a listed work, and why."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"outcome": "cleared", "reason": "同一演播室的不同节目 (same studio)"}]
        }
    )

    outcome: Literal["cleared", "refused"]
    reason: declarations.Words


class RecognitionOut(Shape):
    """The verdict on a master: `clear`, `doubtful` (staff have to look) or `copy`.

    `state` is null while the master has not been searched for. Everything published up to `epoch`
    was compared; publishing compares what came later.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [_RECOGNITION]})

    master_id: UUID
    state: Literal["clear", "doubtful", "copy"] | None
    epoch: int | None
    searched_at: AwareDatetime | None
    opened_at: AwareDatetime | None
    reason: str | None
    decided_at: AwareDatetime | None
    resemblances: list[ResemblanceOut]
    declarations: list[declarations.DeclarationOut]


class CaseOut(Shape):
    """A master that waits for staff, whose it is, and since when."""

    id: UUID
    filename: str
    party: TitleOut
    state: Literal["doubtful", "copy"]
    opened_at: AwareDatetime


class CasePage(Shape):
    """A page of cases in the order of their ids; `next` is the `after` of the following page."""

    items: list[CaseOut]
    next: UUID | None


@router.get("/masters/{master_id}/recognition", responses=problems.signed(Unknown))
async def get_recognition(master_id: UUID, session: Session, caller: Signed) -> RecognitionOut:
    """Say what a master resembles: which listing, which seconds of it, which here, how sure."""
    caller.need("read")
    return await out(session, await _visible(session, master_id, caller))


@router.post(
    "/masters/{master_id}/recognition",
    status_code=202,
    responses=problems.signed(Unknown, rules.MasterNotSearchable),
)
async def search_again(
    master_id: UUID, session: Session, caller: Signed, now: Now
) -> RecognitionOut:
    """Have a master compared with everything listed once more, in the background."""
    caller.need("list", Role.HOLDER, Role.OPERATOR)
    master = await _visible(session, master_id, caller)
    await service.ask_again(session, master, now=now)
    return await out(session, master)


@router.get("/recognition", responses=problems.signed())
async def list_cases(
    session: Session,
    caller: Signed,
    after: UUID | None = None,
    limit: Limit = 50,
) -> CasePage:
    """List the masters that wait for staff."""
    caller.need("read", *STAFF)
    found = await queries.open_cases(session, after=page_after(after), limit=limit)
    items = [
        CaseOut.model_validate(
            {
                "id": row.master_id, "filename": master.filename, "state": row.state,
                "party": {"zh": party.name_zh, "en": party.name_en}, "opened_at": row.opened_at,
            }
        )
        for row, master, party in found
    ]  # fmt: skip
    return CasePage(items=items, next=items[-1].id if len(items) == limit else None)


@router.post(
    "/recognition/{master_id}/decision",
    responses=problems.signed(Malformed, Unknown, rules.NothingToDecide),
)
async def decide_case(
    master_id: UUID, body: DecisionIn, session: Session, caller: Signed, now: Now
) -> RecognitionOut:
    """Clear or refuse a master, for staff; what is found later opens its case again."""
    caller.need("list", Role.OPERATOR)
    await service.decide(
        session, master_id, outcome=body.outcome, reason=body.reason.strip(),
        person_id=caller.person_id, now=now,
    )  # fmt: skip
    return await out(session, await masters.get_master(session, master_id))


async def _visible(session: AsyncSession, master_id: UUID, caller: Caller) -> Master:
    if caller.is_staff:
        return await masters.get_master(session, master_id)
    return await masters.get_master_of(session, master_id, caller.party_id)


async def out(session: AsyncSession, master: Master) -> RecognitionOut:
    """Return the verdict on a master with all that led to it."""
    row = await queries.find_recognition(session, master.id)
    found = await queries.resemblances(session, master.id)
    of = await queries.what_of(session, [one.other_master_id for one in found])
    return RecognitionOut(
        **_verdict(row, master.id),
        resemblances=[_resemblance(one, of[one.other_master_id]) for one in found],
        declarations=[
            declarations.shown(each) for each in await queries.declarations(session, master.id)
        ],
    )


def _verdict(row: Recognition | None, master_id: UUID) -> dict[str, Any]:
    names = ("state", "epoch", "searched_at", "opened_at", "reason", "decided_at")
    return {"master_id": master_id, **{name: getattr(row, name, None) for name in names}}


def _resemblance(one: Resemblance, of: Of) -> ResemblanceOut:
    return ResemblanceOut.model_validate(
        {
            **one.model_dump(exclude={"master_id", "other_master_id"}),
            "master_id": one.other_master_id,
            "listing_id": of.protected.listing_id,
            "title": {"zh": of.work.title_zh, "en": of.work.title_en},
            "party": {"zh": of.party.name_zh, "en": of.party.name_en},
        }
    )
