"""Disclosures (信息披露): filed by the seller, reviewed by staff, public once they have begun."""

from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import ConfigDict, Field

from contracts.calendar import YearNotLoaded
from contracts.money import MOST_MINOR
from contracts.parties import queries as parties
from contracts.parties.rules import BadName
from contracts.refusal import CommitUnknown, InvalidContent, Malformed, Unknown
from contracts.works import queries as works
from exchange.api import problems
from exchange.api.bodies import JsonRoute
from exchange.api.deps import Limit, MaybeCaller, Now, Session, Shape, Signed, page_after
from exchange.identity.rules import Caller, Role, SignInNeeded
from listings.disclosures import filing as filings
from listings.disclosures import progress, queries, rules, running, service
from listings.disclosures.tables import Disclosure, DisclosureStep, PartyOwnership
from listings.incidents.rules import IncidentState

router = APIRouter(route_class=JsonRoute, tags=["disclosures"])

_FILED = (
    rules.BadDisclosure, rules.FloorBelowAssessed, rules.ConsentNeeded, rules.AssessmentTooOld,
    progress.DisclosureState, BadName,
)  # fmt: skip
Text = Annotated[str, Field(min_length=1, max_length=400)]
Reason = Annotated[str, Field(min_length=1, max_length=500)]
Amount = Annotated[int, Field(strict=True, ge=1, le=MOST_MINOR)]
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Ownership = Literal["state", "state_controlled", "other"]


class OwnershipIn(Shape):
    """Who owns the party; a state-owned one may set the floor from which it discloses licences."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"ownership": "state", "threshold_minor": 100000000}]}
    )

    ownership: Annotated[Ownership, Field(description="国有独资/全资, 国有控股, 其他")]
    threshold_minor: Annotated[
        Annotated[int, Field(strict=True, ge=0, le=MOST_MINOR)] | None,
        Field(description="From this floor on its licences are disclosed too (32号令 art. 49)."),
    ] = None


class OwnershipOut(Shape):
    """Who owns the party, and who said so."""

    party_id: UUID
    ownership: Ownership
    threshold_minor: int | None
    by_exchange: bool
    declared_at: datetime


class ConsentIn(Shape):
    """The approving body's written consent to a floor below nine tenths of the assessed value."""

    body: Text
    number: Text
    given_on: date
    document_sha256: Sha256


class DisclosureIn(Shape):
    """What a disclosure files; the floor and the rights are those of the listing."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "subject": "licence",
                    "assessed_minor": 90000000,
                    "assessed_on": "2026-09-30",
                    "assessor": "示范资产评估有限公司",
                    "assessment_no": "评备字〔2026〕第0018号",
                    "approving_body": "示范广播电视集团",
                    "decision_no": "集团会纪〔2026〕31号",
                    "summary": "4K纪录片信息网络传播权，大陆地区，两年。",
                    "extension_days": 5,
                }
            ]
        }
    )

    subject: Annotated[Literal["assignment", "licence"], Field(description="转让, 许可")]
    assessed_minor: Amount
    assessed_on: date
    assessor: Text
    assessment_no: Annotated[Text, Field(description="评估备案或核准文号")]
    approving_body: Text
    decision_no: Annotated[Text, Field(description="内部决策或批准文号")]
    summary: Annotated[str, Field(min_length=1, max_length=4000)]
    extension_days: Annotated[
        Annotated[int, Field(strict=True, ge=5, le=60)] | None,
        Field(description="Working days of each extension, if the notice announces one."),
    ] = None
    previous: Annotated[UUID | None, Field(description="The listing disclosed before.")] = None
    consent: ConsentIn | None = None


class ReviewIn(Shape):
    """What the exchange says to a filing; a return says why."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"outcome": "accepted"}]})

    outcome: Literal["accepted", "returned"]
    reason: Reason | None = None


class ChangeIn(Shape):
    """A change of a running disclosure; where its end moves, the new auction's times."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"kind": "suspend", "reason": "权属异议，待核实"}]}
    )

    kind: Annotated[
        Literal["extend", "supplement", "suspend", "resume", "terminate"],
        Field(description="延期, 补充公告, 中止, 恢复, 终结"),
    ]
    reason: Reason
    auction_id: UUID | None = None
    opens_at: datetime | None = None
    closes_at: datetime | None = None
    hard_stop_at: datetime | None = None


class StepOut(Shape):
    """One step of a disclosure."""

    number: int
    kind: str
    at: datetime
    reason: str | None
    last_on: date | None


class DisclosureOut(Shape):
    """A disclosure: what was filed, how far it has come, and its result."""

    id: Annotated[UUID, Field(description="The listing's id.")]
    party_id: UUID
    party_zh: str
    party_en: str
    work_id: UUID
    title_zh: str
    title_en: str
    subject: Literal["assignment", "licence"]
    state: str
    currency: str
    floor_minor: int
    assessed_minor: int
    assessed_on: date
    filing: dict[str, Any]
    extension_days: int | None
    previous: UUID | None
    required_days: int | None
    started_on: date | None
    last_on: date | None
    lawful_from: datetime | None
    suspended_on: date | None
    extensions: int
    basis: str | None
    price_minor: int | None
    publicity_from: date | None
    publicity_until: date | None
    steps: list[StepOut]


class DisclosuresOut(Shape):
    """A page of disclosures by the listing's id."""

    items: list[DisclosureOut]
    next: UUID | None


@router.put(
    "/parties/{party_id}/ownership",
    responses=problems.signed(
        Malformed, Unknown, rules.OwnershipDeclared, rules.BadDisclosure, CommitUnknown
    ),
)
async def declare_ownership(
    party_id: UUID, given: OwnershipIn, now: Now, session: Session, caller: Signed
) -> OwnershipOut:
    """Declare who owns a party: the party itself once, an operator to correct it."""
    caller.need("list", Role.HOLDER, Role.OPERATOR)
    _own(caller, party_id)
    await parties.get_party(session, party_id)
    row = await service.declare_ownership(
        session,
        party_id,
        ownership=given.ownership,
        threshold_minor=given.threshold_minor,
        person_id=caller.person_id,
        by_exchange=caller.is_staff,
        now=now,
    )
    return _ownership(row)


@router.get("/parties/{party_id}/ownership", responses=problems.signed(Unknown))
async def get_ownership(party_id: UUID, session: Session, caller: Signed) -> OwnershipOut:
    """Show what was declared about who owns a party: to itself and to the staff."""
    caller.need("read")
    _own(caller, party_id)
    row = await queries.ownership(session, party_id)
    if row is None:
        raise Unknown("Nothing was declared about this party.")
    return _ownership(row)


@router.put(
    "/listings/{listing_id}/disclosure",
    responses={
        200: {"model": DisclosureOut, "description": "The filing, replaced."},
        201: {"model": DisclosureOut, "description": "The disclosure is filed."},
        **problems.signed(Malformed, Unknown, *_FILED, CommitUnknown),
    },
)
async def file_disclosure(
    listing_id: UUID,
    given: DisclosureIn,
    now: Now,
    session: Session,
    caller: Signed,
    response: Response,
) -> DisclosureOut:
    """File the disclosure of a draft listing; until it has begun, other content replaces it."""
    caller.need("list", Role.HOLDER)
    row, created = await service.file(
        session,
        listing_id,
        party_id=caller.party_id,
        person_id=caller.person_id,
        filing=filings.read(given.model_dump()),
        now=now,
    )
    response.status_code = 201 if created else 200
    return await _out(session, row)


@router.get(
    "/listings/{listing_id}/disclosure", responses=problems.responses(Unknown, SignInNeeded)
)
async def get_disclosure(listing_id: UUID, session: Session, caller: MaybeCaller) -> DisclosureOut:
    """Show a disclosure: public once it has begun."""
    reads = caller is not None and "read" in caller.scopes
    row = await queries.get_disclosure(
        session,
        listing_id,
        viewer=caller.party_id if caller and reads else None,
        is_staff=bool(caller and reads and caller.is_staff),
    )
    return await _out(session, row)


@router.post(
    "/listings/{listing_id}/disclosure/review",
    responses=problems.signed(
        Malformed, Unknown, progress.DisclosureState, rules.BadDisclosure, CommitUnknown
    ),
)
async def review_disclosure(
    listing_id: UUID, given: ReviewIn, now: Now, session: Session, caller: Signed
) -> DisclosureOut:
    """Accept a filing, or return it (受理审核)."""
    caller.need("list", Role.OPERATOR)
    row = await service.review(
        session,
        listing_id,
        outcome=given.outcome,
        reason=given.reason,
        person_id=caller.person_id,
        now=now,
    )
    return await _out(session, row)


@router.post(
    "/listings/{listing_id}/disclosure/changes",
    responses=problems.signed(
        Malformed, Unknown, progress.DisclosureState, progress.DisclosureTooShort,
        progress.ExtensionNotAnnounced, progress.SuspensionTooLong, rules.BadDisclosure,
        YearNotLoaded, IncidentState, CommitUnknown,
    ),
)  # fmt: skip
async def change_disclosure(
    listing_id: UUID, given: ChangeIn, now: Now, session: Session, caller: Signed
) -> DisclosureOut:
    """Extend, supplement, suspend, resume or terminate a running disclosure.

    Where its end moves, a new auction with later times takes the place of the old.
    """
    caller.need("list", Role.OPERATOR)
    row = await running.change(
        session,
        listing_id,
        change=running.Change(**given.model_dump()),
        person_id=caller.person_id,
        now=now,
    )
    return await _out(session, row)


@router.get("/disclosures", responses=problems.responses(InvalidContent, SignInNeeded))
async def list_disclosures(
    session: Session,
    state: Annotated[str | None, Query(max_length=20, pattern="^[a-z]+$")] = None,
    after: UUID | None = None,
    limit: Limit = 50,
) -> DisclosuresOut:
    """List what has been disclosed: notices that run, and results. Public."""
    found = await queries.public_board(session, state=state, after=page_after(after), limit=limit)
    items = [await _out(session, row) for row in found]
    return DisclosuresOut(items=items, next=items[-1].id if len(items) == limit else None)


def _own(caller: Caller, party_id: UUID) -> None:
    if not caller.is_staff and caller.party_id != party_id:
        raise Unknown("There is no such party.")


def _ownership(row: PartyOwnership) -> OwnershipOut:
    return OwnershipOut.model_validate(row.model_dump(include=set(OwnershipOut.model_fields)))


async def _out(session: Session, row: Disclosure) -> DisclosureOut:
    work = await works.get_work(session, row.work_id)
    party = await parties.get_party(session, row.party_id)
    taken = await queries.steps(session, row.listing_id)
    return DisclosureOut.model_validate(
        {
            **row.model_dump(include=set(DisclosureOut.model_fields)),
            "id": row.listing_id,
            "party_zh": party.name_zh,
            "party_en": party.name_en,
            "title_zh": work.title_zh,
            "title_en": work.title_en,
            "previous": row.previous_id,
            "lawful_from": progress.lawful_from(row.progress()) if row.last_on else None,
            "steps": [_step(step) for step in taken],
        }
    )


def _step(step: DisclosureStep) -> StepOut:
    return StepOut.model_validate(step.model_dump(include=set(StepOut.model_fields)))
