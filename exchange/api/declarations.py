"""Declarations: what a rights holder says common seconds are, objections, and decisions."""

from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import AwareDatetime, ConfigDict, Field

from contracts.refusal import IdReused, Malformed, Unknown
from exchange.api import problems
from exchange.api.bodies import JsonRoute
from exchange.api.deps import Now, Session, Shape, Signed
from exchange.identity.rules import Role
from listings.masters import queries as masters
from listings.recognition import queries, rules, service
from listings.recognition.tables import Declaration

router = APIRouter(route_class=JsonRoute, tags=["recognition"])

_ID = "0199a3c0-7d10-7c3e-9c50-3f1f6a1f0a01"
_OTHER = "0199a3c0-7d10-7c3e-9c50-3f1f6a1f0a02"
EXAMPLE: dict[str, Any] = {
    "id": _ID, "master_id": _ID, "listing_id": _OTHER, "claim": "archive",
    "source": "中央新影资料片 1984-0317", "here_ms": 12_000, "length_ms": 44_000,
    "state": "declared", "reason": None, "objection": None,
    "declared_at": "2026-11-22T09:00:00Z", "decided_at": None,
}  # fmt: skip
Words = Annotated[str, Field(min_length=1, max_length=rules.LONGEST_TEXT, pattern=r"\S")]
Milliseconds = Annotated[int, Field(strict=True, ge=0, le=rules.LONGEST_MS)]


class DeclarationIn(Shape):
    """What the seconds in common with a listing are: whose version, which archive, which licence.

    Without `here_ms` and `length_ms` it is about all that the two have in common.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    name: EXAMPLE[name]
                    for name in ("listing_id", "claim", "source", "here_ms", "length_ms")
                }
            ]
        }
    )

    listing_id: UUID
    claim: Annotated[
        Literal["version", "archive", "licensed"],
        Field(description="own version (版本), shared archive footage (资料镜头), licensed use"),
    ]
    source: Annotated[
        Words, Field(description="Which version, archive and item, or licence it is.")
    ]
    here_ms: Milliseconds | None = None
    length_ms: Milliseconds | None = None


class DeclarationOut(Shape):
    """A declaration, what the other side says to it, and what staff made of it."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})

    id: UUID
    master_id: UUID
    listing_id: UUID
    claim: str
    source: str
    here_ms: int | None
    length_ms: int | None
    state: Literal["declared", "accepted", "rejected"]
    reason: str | None
    objection: str | None
    declared_at: AwareDatetime
    decided_at: AwareDatetime | None


class ObjectionIn(Shape):
    """Why the owner of the listed work objects."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"objection": "我方未授权 (we gave no licence)"}]}
    )

    objection: Words


class VerdictIn(Shape):
    """What staff decide on a declaration, and why."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"outcome": "accepted", "reason": "授权书已核对 (licence seen)"}]
        }
    )

    outcome: Literal["accepted", "rejected"]
    reason: Words


@router.put(
    "/masters/{master_id}/declarations/{declaration_id}",
    status_code=201,
    responses={
        200: {"model": DeclarationOut, "description": "It was declared before."},
        **problems.signed(Malformed, Unknown, IdReused, rules.NothingToDeclare, rules.BadStretch),
    },
)
async def make_declaration(
    master_id: UUID,
    declaration_id: UUID,
    body: DeclarationIn,
    response: Response,
    session: Session,
    caller: Signed,
    *,
    now: Now,
) -> DeclarationOut:
    """Declare what common seconds are; the listed work's owner is told and may object."""
    caller.need("list", Role.HOLDER)
    row, new = await service.declare(
        session,
        declaration_id,
        master=await masters.get_master_of(session, master_id, caller.party_id),
        listing_id=body.listing_id,
        claim=rules.Claim(body.claim),
        source=body.source.strip(),
        stretch=(body.here_ms, body.length_ms),
        now=now,
    )
    if not new:
        response.status_code = 200
    return shown(row)


@router.get(
    "/masters/{master_id}/declarations/{declaration_id}",
    responses=problems.signed(Unknown),
)
async def get_declaration(
    master_id: UUID, declaration_id: UUID, session: Session, caller: Signed
) -> DeclarationOut:
    """Show a declaration to both sides and staff."""
    caller.need("read")
    viewer = caller.for_party
    return shown(
        await queries.get_declaration(session, declaration_id, master_id=master_id, viewer=viewer)
    )


@router.post(
    "/masters/{master_id}/declarations/{declaration_id}/objection",
    responses=problems.signed(Malformed, Unknown, rules.DeclarationDecided),
)
async def object_to_declaration(
    master_id: UUID,
    declaration_id: UUID,
    body: ObjectionIn,
    session: Session,
    caller: Signed,
    *,
    now: Now,
) -> DeclarationOut:
    """Object to what is declared about one's listed work, before staff decide."""
    caller.need("list", Role.HOLDER)
    row = await queries.get_declaration(
        session, declaration_id, master_id=master_id, viewer=caller.party_id
    )
    if row.other_party_id != caller.party_id:
        raise Unknown("There is no such declaration.")
    return shown(await service.object_to(session, row, objection=body.objection.strip(), now=now))


@router.post(
    "/masters/{master_id}/declarations/{declaration_id}/decision",
    responses=problems.signed(Malformed, Unknown, rules.DeclarationDecided),
)
async def decide_declaration(
    master_id: UUID,
    declaration_id: UUID,
    body: VerdictIn,
    session: Session,
    caller: Signed,
    *,
    now: Now,
) -> DeclarationOut:
    """Accept or reject a declaration, for staff; what it accounts for counts no more."""
    caller.need("list", Role.OPERATOR)
    row = await queries.get_declaration(session, declaration_id, master_id=master_id, viewer=None)
    return shown(
        await service.settle(
            session, row, outcome=body.outcome, reason=body.reason.strip(),
            person_id=caller.person_id, now=now,
        )
    )  # fmt: skip


def shown(row: Declaration) -> DeclarationOut:
    """Return the wire shape of a declaration."""
    return DeclarationOut.model_validate(row.model_dump(include=set(DeclarationOut.model_fields)))
