"""The register of grants (授权): what of a work is taken, held, recorded, and what came back."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import ConfigDict, Field

from contracts.parties.rules import BadName
from contracts.refusal import CommitUnknown, IdReused, InvalidContent, Malformed, Unknown
from contracts.refusal import NotAllowed as RoleMissing
from contracts.rights import rules as rights
from contracts.titles import holds, queries, recording, rules
from contracts.titles.explaining import RightsNotAvailable
from contracts.titles.recording import Licensee
from contracts.titles.sublicence import ExceedsHolding
from contracts.titles.tables import RightsGrant
from exchange.api import problems
from exchange.api.bodies import JsonRoute
from exchange.api.deps import Limit, Now, Session, Shape, Signed, next_after, page_after
from exchange.api.listings import RIGHT, RIGHTS, RightIn, WordingOut, said
from exchange.api.sales import Instant
from exchange.identity.rules import CsrfToken, Role, ScopeMissing, SignInNeeded

router = APIRouter(route_class=JsonRoute, tags=["grants"])

_SIGNED = (SignInNeeded, CsrfToken, ScopeMissing, RoleMissing, InvalidContent)
_ADMITTED = (
    Malformed, Unknown, IdReused, *RIGHTS, rules.TooManyLots, rules.RightsNotHeld, ExceedsHolding,
    rules.CoOwnerConsentMissing, rules.RightsAlreadyGranted, RightsNotAvailable, CommitUnknown,
)  # fmt: skip
_ID = "01990000-0000-7000-8000-000000000003"
Lots = Annotated[list[RightIn], Field(min_length=1, max_length=rules.MOST_LOTS)]


class GrantOut(Shape):
    """Rights taken out of a work: offered, held, granted, or given back."""

    id: UUID
    work_id: UUID
    state: Literal["reserved", "held", "effective", "released", "ended"]
    origin: Annotated[
        Literal["exchange", "recorded"], Field(description="`recorded`: made off the exchange.")
    ]
    source: Annotated[
        str, Field(description="The listing that reserved them, `hold:<id>` or `recorded:<id>`.")
    ]
    grantor_id: UUID
    grantee_id: UUID | None
    licensee_name: Annotated[str | None, Field(description="A licensee off the exchange.")]
    deal_id: UUID | None
    under: Annotated[
        UUID | None, Field(description="The grant it is licensed on from (转授权); null: owners'.")
    ]
    sublicence_depth: int
    round_no: int | None
    right: dict[str, Any]
    wording: WordingOut
    created_at: datetime
    expires_at: Annotated[datetime | None, Field(description="When a hold ends by itself.")]
    effective_at: datetime | None
    ended_at: datetime | None
    ended_reason: str | None


class GrantsOut(Shape):
    """A page of grants, oldest first."""

    items: Sequence[GrantOut]
    next: UUID | None


class HoldIn(Shape):
    """Rights to keep for a party until an instant."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"grantee_id": _ID, "rights": [RIGHT], "expires_at": "2026-12-22T09:00:00Z"}
            ]
        }
    )

    grantee_id: UUID
    rights: Lots
    expires_at: Instant


class RecordIn(Shape):
    """A licence made off the exchange: to whom, what, and the filed documents that show it."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "licensee_name": "Example Broadcasting Ltd",
                    "rights": [RIGHT],
                    "documents": ["01990000-0000-7000-8000-000000000009"],
                }
            ]
        }
    )

    licensee_id: UUID | None = None
    licensee_name: Annotated[str, Field(max_length=400)] | None = None
    rights: Lots
    documents: Annotated[list[UUID], Field(max_length=50)] = Field(default_factory=list)
    hold_id: Annotated[
        UUID | None, Field(description="The hold that kept the rights for it; lifted by this.")
    ] = None


class LotsOut(Shape):
    """A hold or a record with its grants, one for each right."""

    id: UUID
    work_id: UUID
    grants: Sequence[GrantOut]


class ReversionIn(Shape):
    """Why a grant comes back, for both sides to read."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"reason": "default", "note": "The second instalment was not paid."}]
        }
    )

    reason: Literal["default", "expiry-of-option", "agreement", "termination"]
    note: Annotated[str, Field(min_length=1, max_length=rules.LONGEST_NOTE)]


@router.get("/works/{work_id}/grants", responses=problems.responses(*_SIGNED, Unknown))
async def list_grants(
    work_id: UUID, session: Session, caller: Signed, after: UUID | None = None, limit: Limit = 50
) -> GrantsOut:
    """List what touches a work: grants in it, in what it is part of, and in its parts.

    Its owners see all; other grantors and licensees their own.
    """
    caller.need("read")
    viewer = caller.for_party
    grants = await queries.grants_page(
        session, work_id, viewer=viewer, after=page_after(after), limit=limit
    )
    return GrantsOut(items=[grant_out(one) for one in grants], next=next_after(grants, limit))


@router.put(
    "/works/{work_id}/holds/{hold_id}",
    status_code=201,
    responses={
        200: {"model": LotsOut, "description": "The hold, and what became of it."},
        **problems.responses(*_SIGNED, *_ADMITTED, rules.BadHoldExpiry),
    },
)
async def place_hold(
    work_id: UUID,
    hold_id: UUID,
    body: HoldIn,
    response: Response,
    session: Session,
    caller: Signed,
    now: Now,
) -> LotsOut:
    """Keep rights for a party while a contract is negotiated (保留), until it ends by itself."""
    caller.need("deal", Role.HOLDER, Role.BROADCASTER)
    grants = await holds.place_hold(
        session,
        work_id,
        hold_id,
        grantor_id=caller.party_id,
        grantee_id=body.grantee_id,
        boxes=_wires(body.rights),
        expires_at=body.expires_at,
        now=now,
    )
    return _lots_out(hold_id, grants, response, now=now)


@router.delete("/works/{work_id}/holds/{hold_id}", responses=problems.responses(*_SIGNED, Unknown))
async def lift_hold(
    work_id: UUID, hold_id: UUID, session: Session, caller: Signed, now: Now
) -> LotsOut:
    """Give a hold up before it ends, by either side; one that has ended stays as it is."""
    caller.need("deal", Role.HOLDER, Role.BROADCASTER)
    grants = await holds.lift_hold(session, work_id, hold_id, party_id=caller.party_id, now=now)
    return _lots(hold_id, grants)


@router.put(
    "/works/{work_id}/recorded-grants/{record_id}",
    status_code=201,
    responses={
        200: {"model": LotsOut, "description": "It was recorded before, with this content."},
        **problems.responses(*_SIGNED, *_ADMITTED, rules.BadLicensee, BadName),
    },
)
async def record_grant(
    work_id: UUID,
    record_id: UUID,
    body: RecordIn,
    response: Response,
    session: Session,
    caller: Signed,
    now: Now,
) -> LotsOut:
    """Enter a licence that was made off the exchange: from now on nobody can be sold the same."""
    caller.need("deal", Role.HOLDER, Role.BROADCASTER)
    known = await recording.is_recorded(session, work_id, record_id)
    if body.hold_id is not None and not known:  # in one transaction: nobody comes between
        await holds.lift_hold(session, work_id, body.hold_id, party_id=caller.party_id, now=now)
    grants = await recording.record_grant(
        session,
        work_id,
        record_id,
        grantor_id=caller.party_id,
        licensee=Licensee(body.licensee_id, body.licensee_name),
        boxes=_wires(body.rights),
        documents=body.documents,
        now=now,
    )
    return _lots_out(record_id, grants, response, now=now)


@router.post(
    "/works/{work_id}/grants/{grant_id}/reversion",
    responses=problems.responses(
        *_SIGNED, Malformed, Unknown, rules.GrantNotEffective, BadName, CommitUnknown
    ),
)
async def revert_grant(
    work_id: UUID, grant_id: UUID, body: ReversionIn, session: Session, caller: Signed, now: Now
) -> GrantOut:
    """End a grant before its time (权利回归), with all that was licensed on under it.

    Operators only. The same again changes nothing.
    """
    caller.need("deal", Role.OPERATOR)
    grant = await recording.revert(
        session, work_id, grant_id,
        reason=body.reason, note=body.note, by=caller.person_id, now=now,
    )  # fmt: skip
    return grant_out(grant)


def grant_out(grant: RightsGrant) -> GrantOut:
    """Return a grant as the wire carries it."""
    kept = set(GrantOut.model_fields) - {"right", "wording", "under"}
    ground = None if grant.under == rules.NIL else grant.under
    told = {"right": grant.wire, "wording": said(grant.wire), "under": ground}
    return GrantOut.model_validate({**grant.model_dump(include=kept), **told})


def _wires(given: Sequence[RightIn]) -> list[dict[str, Any]]:
    wires = [right.model_dump(mode="json") for right in given]
    return [one for wire in wires for one in rights.expand(wire)]


def _lots_out(
    id: UUID, grants: Sequence[RightsGrant], response: Response, *, now: datetime
) -> LotsOut:
    if grants[0].created_at != now:
        response.status_code = 200
    return _lots(id, grants)


def _lots(id: UUID, grants: Sequence[RightsGrant]) -> LotsOut:
    return LotsOut(id=id, work_id=grants[0].work_id, grants=[grant_out(one) for one in grants])
