"""Encumbrances (负担): what limits a work, and consents to exceptions."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import AwareDatetime, ConfigDict, Field

from contracts.encumbrances import moments, queries, service
from contracts.encumbrances.moments import BadLag, UnknownEvent
from contracts.encumbrances.rules import (
    BeneficiaryNeeded,
    EncumbranceLifted,
    EncumbranceViolated,
    EvidenceNeeded,
    NoConsentNeeded,
    NotYoursToLift,
    OwnersDisagree,
    ReferenceNeeded,
)
from contracts.encumbrances.tables import Encumbrance, EncumbranceConsent
from contracts.parties.rules import BadName
from contracts.refusal import IdReused, Malformed, Unknown
from contracts.rights.rules import MediumNeedsAnotherRight, NothingOffered
from contracts.rights.vocabulary import (
    RightNotLicensable,
    UnknownLanguage,
    UnknownMedium,
    UnknownRight,
    UnknownTerritory,
)
from contracts.window import BadWindow
from exchange.api import problems
from exchange.api.bodies import JsonRoute
from exchange.api.deps import Limit, Now, Session, Shape, Signed, next_after, page_after
from exchange.api.works import Day
from exchange.identity.rules import Caller, Role

router = APIRouter(route_class=JsonRoute, tags=["encumbrances"])

READ = (*problems.SIGNED, Unknown)
_TERMS = (
    Malformed, IdReused, BadName, BadWindow, BadLag, UnknownEvent, UnknownRight,
    RightNotLicensable, UnknownMedium, UnknownTerritory, UnknownLanguage,
    MediumNeedsAnotherRight, NothingOffered,
)  # fmt: skip
_OWNERS = (Role.HOLDER, Role.OPERATOR)
_SERVED = (Role.HOLDER, Role.BROADCASTER, Role.OPERATOR)
_WHERE: dict[str, Any] = {
    "right": "broadcasting", "media": ["satellite", "cable.free"], "territories": ["CN"],
    "excluded": ["CN-GD"], "languages": ["zh"], "tz": "Asia/Shanghai",
}  # fmt: skip
Kind = Literal[
    "holdback", "blackout", "option", "first-refusal", "pledge", "mandate", "clearance"
]  # fmt: skip
Code = Annotated[str, Field(max_length=40)]
Codes = Annotated[list[Code], Field(max_length=300)]
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class MomentIn(Shape):
    """A day counted from an event: what begins or ends does so with its midnight in the zone."""

    event: Annotated[Code, Field(description="theatrical-release 院线首映, first-telecast 首播 …")]
    lag: Annotated[
        Annotated[str, Field(max_length=20)] | None,
        Field(description="ISO 8601, in calendar units: P6M; -P30D is before the event."),
    ] = None
    not_before: Annotated[Day | None, Field(description="Never earlier than this day.")] = None
    not_after: Annotated[Day | None, Field(description="Never later than this day.")] = None


class TermsIn(Shape):
    """Rights, media, places, languages and a window; days are included, in the zone `tz`."""

    right: Annotated[Code | None, Field(description="A right of 著作权法 art. 10.")] = None
    rights: Annotated[Codes | None, Field(description="Several; `*` alone is all.")] = None
    media: Annotated[Codes, Field(description="`*` alone is every medium.")]
    territories: Codes
    excluded: Codes = Field(default_factory=list)
    languages: Codes
    tz: Annotated[str, Field(max_length=64, description="IANA time zone.")]
    first_day: Day | None = None
    start: Annotated[MomentIn | None, Field(description="In the place of `first_day`.")] = None
    last_day: Day | None = None
    end: Annotated[
        MomentIn | None, Field(description="In the place of `last_day`; neither is no end.")
    ] = None


class EncumbranceIn(TermsIn):
    """A promise or charge: what kind, whom it serves, and what it covers."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    **_WHERE,
                    "kind": "holdback",
                    "beneficiary_name": "示范频道",
                    "start": {"event": "theatrical-release"},
                    "end": {"event": "theatrical-release", "lag": "P6M"},
                },
                {
                    **_WHERE,
                    "kind": "pledge",
                    "beneficiary_name": "示范银行",
                    "reference": "著质登字-2026-0001",
                    "first_day": "2027-01-01",
                },
            ]
        }
    )

    kind: Annotated[
        Kind,
        Field(
            description=(
                "holdback 授权方保留期承诺, blackout 禁播, option 选择权, "
                "first-refusal 优先购买权, pledge 质权, mandate 集体管理授权, "
                "clearance 未取得底层权利"
            )
        ),
    ]
    beneficiary_id: Annotated[UUID | None, Field(description="A party on the exchange.")] = None
    beneficiary_name: Annotated[str, Field(max_length=400)] | None = None
    grant_id: Annotated[
        UUID | None, Field(description="The licence that it belongs to; its licensee is served.")
    ] = None
    reference: Annotated[
        Annotated[str, Field(max_length=200)] | None, Field(description="质权登记号 of a pledge")
    ] = None
    document_sha256: Sha256 | None = None


class EncumbranceOut(Shape):
    """An encumbrance as it stands; instants are known once the events it waits for have a day."""

    id: UUID
    work_id: UUID
    kind: Kind
    state: Literal["active", "lifted"]
    terms: Annotated[dict[str, Any], Field(description="As declared, groups written out.")]
    starts_at: AwareDatetime | None
    ends_at: AwareDatetime | None
    waits_for: Annotated[str | None, Field(description="An event that has no day yet.")]
    declared_by: Annotated[UUID | None, Field(description="null: the exchange")]
    beneficiary_id: UUID | None
    beneficiary_name: str | None
    grant_id: UUID | None
    reference: str | None
    document_sha256: str | None
    created_at: AwareDatetime
    lifted_at: AwareDatetime | None
    lifted_reason: str | None


class EncumbrancePage(Shape):
    """A page of encumbrances."""

    items: Sequence[EncumbranceOut]
    next: UUID | None


class LiftingIn(Shape):
    """Why an encumbrance is lifted; owners and whom it served read it."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "主债权已清偿"}]})

    reason: Annotated[str, Field(max_length=1000)]


class ConsentIn(TermsIn):
    """A box in which others may be; its window is two days."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{**_WHERE, "first_day": "2027-01-01", "last_day": "2028-12-31"}]
        }
    )

    document_sha256: Annotated[
        Sha256 | None, Field(description="The exchange gives it, where it consents for another.")
    ] = None


class ConsentOut(Shape):
    """A consent that was given."""

    id: UUID
    encumbrance_id: UUID
    terms: dict[str, Any]
    given_by: Annotated[UUID | None, Field(description="null: the exchange, upon a document")]
    document_sha256: str | None
    given_at: AwareDatetime


class ConsentPage(Shape):
    """A page of consents."""

    items: Sequence[ConsentOut]
    next: UUID | None


@router.put(
    "/works/{work_id}/encumbrances/{encumbrance_id}",
    status_code=201,
    responses={
        200: {"model": EncumbranceOut, "description": "It was declared before, like this."},
        **problems.responses(
            *READ, *_TERMS, BeneficiaryNeeded, ReferenceNeeded, OwnersDisagree,
            EncumbranceViolated,
        ),
    },
)  # fmt: skip
async def declare_encumbrance(
    work_id: UUID,
    encumbrance_id: UUID,
    body: EncumbranceIn,
    *,
    session: Session,
    caller: Signed,
    now: Now,
    response: Response,
) -> EncumbranceOut:
    """Declare a promise or charge on one's own work, and on all that stands below it."""
    caller.need("list", *_OWNERS)
    said = body.model_dump(
        include={
            "kind", "beneficiary_id", "beneficiary_name", "grant_id", "reference",
            "document_sha256",
        }
    )  # fmt: skip
    row = await service.declare(
        session, work_id, encumbrance_id,
        by=caller.for_party, now=now, **said, wire=_wire(body),
    )  # fmt: skip
    _again(response, is_new=row.created_at == now)
    return _out(row, await queries.days(session, [row]))


@router.get("/works/{work_id}/encumbrances", responses=problems.responses(*READ))
async def list_encumbrances(
    work_id: UUID, session: Session, caller: Signed, after: UUID | None = None, limit: Limit = 50
) -> EncumbrancePage:
    """List what is or was on a work, on what it is part of, and on its parts.

    Its owners see all, parties whom an encumbrance serves their own.
    """
    caller.need("read")
    rows = await queries.page(
        session, work_id, viewer=caller.for_party, after=page_after(after), limit=limit
    )
    days = await queries.days(session, rows)
    return EncumbrancePage(items=[_out(row, days) for row in rows], next=next_after(rows, limit))


@router.get(
    "/works/{work_id}/encumbrances/{encumbrance_id}", responses=problems.responses(*READ)
)  # fmt: skip
async def get_encumbrance(
    work_id: UUID, encumbrance_id: UUID, session: Session, caller: Signed
) -> EncumbranceOut:
    """Return an encumbrance to the owners of the work and to whom it serves."""
    row = await _visible(session, work_id, encumbrance_id, caller)
    return _out(row, await queries.days(session, [row]))


@router.post(
    "/works/{work_id}/encumbrances/{encumbrance_id}/lift",
    responses=problems.responses(*READ, Malformed, BadName, NotYoursToLift, EncumbranceLifted),
)
async def lift_encumbrance(
    work_id: UUID,
    encumbrance_id: UUID,
    body: LiftingIn,
    *,
    session: Session,
    caller: Signed,
    now: Now,
) -> EncumbranceOut:
    """Lift an encumbrance (解除): whom it serves gives it up; what serves nobody, an owner."""
    caller.need("deal", *_SERVED)
    row = await service.lift(
        session, work_id, encumbrance_id, by=caller.for_party, reason=body.reason, now=now
    )
    return _out(row, await queries.days(session, [row]))


@router.put(
    "/works/{work_id}/encumbrances/{encumbrance_id}/consents/{consent_id}",
    status_code=201,
    responses={
        200: {"model": ConsentOut, "description": "It was given before, like this."},
        **problems.responses(
            *READ, *_TERMS, NoConsentNeeded, EncumbranceLifted, EvidenceNeeded
        ),
    },
)  # fmt: skip
async def give_encumbrance_consent(  # noqa: PLR0913 - three ids name a consent.
    *,
    work_id: UUID,
    encumbrance_id: UUID,
    consent_id: UUID,
    body: ConsentIn,
    session: Session,
    caller: Signed,
    now: Now,
    response: Response,
) -> ConsentOut:
    """Consent, as whom an encumbrance serves, to a box in which others may be (民法典 art. 444)."""
    caller.need("deal", *_SERVED)
    row = await service.give_consent(
        session, work_id, encumbrance_id, consent_id,
        by=caller.for_party, now=now, wire=_wire(body), document_sha256=body.document_sha256,
    )  # fmt: skip
    _again(response, is_new=row.given_at == now)
    return _consent_out(row)


@router.get(
    "/works/{work_id}/encumbrances/{encumbrance_id}/consents", responses=problems.responses(*READ)
)
async def list_encumbrance_consents(
    *,
    work_id: UUID,
    encumbrance_id: UUID,
    session: Session,
    caller: Signed,
    after: UUID | None = None,
    limit: Limit = 50,
) -> ConsentPage:
    """List what was consented to."""
    row = await _visible(session, work_id, encumbrance_id, caller)
    rows = await queries.consents_page(session, row, after=page_after(after), limit=limit)
    return ConsentPage(items=[_consent_out(one) for one in rows], next=next_after(rows, limit))


async def _visible(
    session: Session, work_id: UUID, encumbrance_id: UUID, caller: Caller
) -> Encumbrance:
    caller.need("read")
    return await queries.get_encumbrance(session, work_id, encumbrance_id, viewer=caller.for_party)


def _again(response: Response, *, is_new: bool) -> None:
    if not is_new:
        response.status_code = 200


def _wire(body: TermsIn) -> dict[str, Any]:
    return body.model_dump(
        mode="json", include=set(TermsIn.model_fields), exclude_none=True, exclude_unset=True
    )


def _out(row: Encumbrance, days: Mapping[UUID, Mapping[str, date]]) -> EncumbranceOut:
    when, happened = moments.when(row.wire), days.get(row.work_id, {})
    span = when.span(happened)
    kept = set(EncumbranceOut.model_fields) - {"terms", "starts_at", "ends_at", "waits_for"}
    return EncumbranceOut(
        **row.model_dump(include=kept),
        terms=row.wire,
        starts_at=_known(span.start_earliest, span.start_latest),
        ends_at=None if when.end is None else _known(span.end_earliest, span.end_latest),
        waits_for=when.waits_for(happened),
    )


def _known(earliest: AwareDatetime | None, latest: AwareDatetime | None) -> AwareDatetime | None:
    return earliest if earliest == latest else None


def _consent_out(row: EncumbranceConsent) -> ConsentOut:
    kept = set(ConsentOut.model_fields) - {"terms"}
    return ConsentOut(**row.model_dump(include=kept), terms=row.wire)
