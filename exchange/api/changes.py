"""Deals that change: amendments (变更), and contracts handed on to another licensee (合同转让)."""

import base64
from collections.abc import Sequence
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import AwareDatetime, ConfigDict, Field, StrictInt

from contracts import canonical
from contracts.deals import amending, restating, transfers
from contracts.deals.amending import AmendmentWaits, PriceUnpaid
from contracts.deals.holding import PackageStaysWhole
from contracts.deals.lifecycle import DealNotInForce
from contracts.deals.patching import PatchFails
from contracts.deals.regranting import RightsInUse
from contracts.deals.restating import Change, NotAmendable, NothingAmended, PriceNotLowered
from contracts.deals.rules import BadSignature, SessionUsed
from contracts.deals.tables import DealAssignment
from contracts.deals.terms import TextCannotBePrinted
from contracts.deals.transfers import AssigneeNotReady, AssignmentExpired, AssignmentNotPossible
from contracts.money import MOST_MINOR
from contracts.parties.rules import KeyNotActive
from contracts.refusal import IdReused, InvalidContent, Malformed, NotAllowed, Unknown
from contracts.rights import rules as rights
from contracts.titles.explaining import RightsNotAvailable
from contracts.titles.rules import (
    MOST_LOTS,
    CoOwnerConsentMissing,
    RightsAlreadyGranted,
    RightsNotHeld,
)
from contracts.titles.sublicence import ExceedsHolding
from exchange.api import problems
from exchange.api.bodies import JsonRoute
from exchange.api.deals import DealOut, deal_out, decoded
from exchange.api.deps import Now, Session, Shape, Signed
from exchange.api.listings import RIGHTS, RightIn
from exchange.identity.rules import CsrfToken, Role, ScopeMissing, SignInNeeded

router = APIRouter(route_class=JsonRoute, tags=["deals"])

_DO = (SignInNeeded, ScopeMissing, InvalidContent, Unknown, CsrfToken, NotAllowed, Malformed)
_ADMIT = (
    *RIGHTS, RightsInUse, RightsAlreadyGranted, RightsNotAvailable, RightsNotHeld,
    ExceedsHolding, CoOwnerConsentMissing,
)  # fmt: skip
_HAND_ON = (
    *_DO, IdReused, DealNotInForce, PackageStaysWhole, AmendmentWaits, AssignmentNotPossible,
    KeyNotActive, TextCannotBePrinted,
)  # fmt: skip
_ID = "01990000-0000-7000-8000-000000000001"


class ChangeIn(Shape):
    """One operation of RFC 6902 on the terms."""

    op: Literal["replace", "test"]
    path: Annotated[str, Field(max_length=200)]
    value: StrictInt


class AmendmentIn(Shape):
    """What is to change; the rest of the terms is restated as it stands. One of three at least."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"changes": [{"op": "replace", "path": "/parameters/cure_days", "value": 45}]}
            ]
        }
    )

    changes: Annotated[list[ChangeIn], Field(max_length=restating.MOST_CHANGES)] = Field(
        default_factory=list
    )
    rights: Annotated[
        list[RightIn] | None,
        Field(
            min_length=1, max_length=MOST_LOTS,
            description="all rights as they shall be: left out is given back, new is judged anew",
        ),
    ] = None  # fmt: skip
    amount_minor: Annotated[
        int | None,
        Field(
            strict=True, ge=1, le=MOST_MINOR,
            description="the whole fixed price as it shall be, higher than before",
        ),
    ] = None  # fmt: skip


class AssignmentIn(Shape):
    """Who takes the licensee's place, and the licensee's own key that signs the new terms."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"assignee_id": _ID, "key_id": _ID}]}
    )  # fmt: skip

    assignee_id: UUID
    key_id: UUID


class AssignmentOut(Shape):
    """What the assignor signs: the whole terms of the contract with the new licensee."""

    id: UUID
    assignee_id: UUID
    terms_b64: Annotated[str, Field(description="sign these bytes: ECDSA, P-256, SHA-256")]
    terms_sha256: str
    key_id: UUID
    expires_at: AwareDatetime
    signed_at: AwareDatetime | None


class AssignmentSignatureIn(Shape):
    """The signature: r and s of 32 bytes each, or DER; base64."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"signature_b64": base64.b64encode(b"r" * 64).decode()}]}
    )

    signature_b64: Annotated[str, Field(max_length=256)]


@router.put(
    "/deals/{deal_id}/amendments/{amendment_id}",
    status_code=201,
    responses={
        200: {"model": DealOut, "description": "It was proposed before, with these changes."},
        **problems.responses(
            *_DO, IdReused, DealNotInForce, PackageStaysWhole, AmendmentWaits, NotAmendable,
            NothingAmended, PatchFails, PriceNotLowered, PriceUnpaid, TextCannotBePrinted, *_ADMIT,
        ),
    },
)  # fmt: skip
async def propose_amendment(
    deal_id: UUID,
    amendment_id: UUID,
    body: AmendmentIn,
    *,
    response: Response,
    session: Session,
    caller: Signed,
    now: Now,
) -> DealOut:
    """Propose to change a deal in force: a deal of its own, with the full restated terms.

    It is certified and signed like any deal, and takes the place of the one it amends when the
    licensee has signed. Rights that are left out come back to the licensor then, and what is
    granted anew must be free, as in a sale; it is asked before anybody signs, and again with the
    last signature. A price is raised once the one before is paid; the difference is invoiced.
    """
    caller.need("deal", Role.HOLDER, Role.BROADCASTER)
    change = Change(
        [change.model_dump() for change in body.changes],
        None if body.rights is None else _wires(body.rights),
        body.amount_minor,
    )
    deal, created = await amending.propose(
        session, deal_id, amendment_id, party_id=caller.party_id, change=change, now=now
    )
    response.status_code = 201 if created else 200
    return deal_out(deal)


@router.put(
    "/deals/{deal_id}/assignments/{assignment_id}",
    status_code=201,
    responses={
        200: {"model": AssignmentOut, "description": "It was drafted before, to this party."},
        **problems.responses(*_HAND_ON, AssigneeNotReady),
    },
)
async def draft_assignment(
    deal_id: UUID,
    assignment_id: UUID,
    body: AssignmentIn,
    *,
    response: Response,
    session: Session,
    caller: Signed,
    now: Now,
) -> AssignmentOut:
    """Draft the contract with another licensee, for the licensee of today to sign first.

    The price is paid, no notice runs, nothing is licensed on, and the new party has a signing key.
    """
    caller.need("deal", Role.HOLDER, Role.BROADCASTER)
    row, created = await transfers.draft(
        session, deal_id, assignment_id,
        party_id=caller.party_id, assignee_id=body.assignee_id, key_id=body.key_id, now=now,
    )  # fmt: skip
    response.status_code = 201 if created else 200
    return _assignment_out(row)


@router.put(
    "/deals/{deal_id}/assignments/{assignment_id}/signature",
    responses=problems.responses(*_HAND_ON, BadSignature, SessionUsed, AssignmentExpired),
)
async def sign_assignment(
    deal_id: UUID,
    assignment_id: UUID,
    body: AssignmentSignatureIn,
    *,
    session: Session,
    caller: Signed,
    now: Now,
) -> DealOut:
    """Sign the draft as its assignor; the deal of the assignment's id opens for the other two.

    The licensor signs next, which is its consent, then the new licensee. The same signature again
    gets the same answer.
    """
    caller.need("deal", Role.HOLDER, Role.BROADCASTER)
    deal = await transfers.sign(
        session, deal_id, assignment_id,
        party_id=caller.party_id, signature=decoded(body.signature_b64), now=now,
    )  # fmt: skip
    return deal_out(deal)


def _assignment_out(row: DealAssignment) -> AssignmentOut:
    return AssignmentOut(
        id=row.id,
        assignee_id=row.assignee_id,
        terms_b64=base64.b64encode(row.terms).decode(),
        terms_sha256=canonical.sha256_hex(row.terms),
        key_id=row.key_id,
        expires_at=row.expires_at,
        signed_at=row.signed_at,
    )


def _wires(given: Sequence[RightIn]) -> list[dict[str, Any]]:
    wires = [right.model_dump(mode="json") for right in given]
    return [one for wire in wires for one in rights.expand(wire)]
