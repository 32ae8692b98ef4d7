"""Sweeps of the provider's balance to our bank, and what of that balance is free, for staff."""

from collections.abc import Sequence
from datetime import date
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import AwareDatetime, ConfigDict, Field

from contracts.money import MOST_MINOR, Money, WrongCurrency
from contracts.refusal import IdReused, Malformed, Unknown
from exchange.api import problems
from exchange.api.decisions import DECIDED, PROVING, ApprovalIn, RefusalIn, approving, refusing
from exchange.api.deps import Limit, Now, Session, Shape, Signed, next_after, page_after
from exchange.api.once import OnceRoute
from exchange.identity.rules import STAFF, Role
from settlement.sweeps import queries, service
from settlement.sweeps.rules import Ask, SweepTooLarge
from settlement.sweeps.tables import Sweep

router = APIRouter(route_class=OnceRoute, tags=["bank"])

_ID = "0199a3c0-7d10-7c3e-9c50-3f1f6a1f0a01"
_HASH = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"


class SweepIn(Shape):
    """How much of the provider's balance goes to which followed account at a bank."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"account_id": _ID, "amount_minor": 6_000_000, "currency": "CNY"}]
        }
    )

    account_id: UUID
    amount_minor: Annotated[int, Field(strict=True, gt=0, le=MOST_MINOR)]
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")]


class SweepOut(Shape):
    """A sweep (归集): `state` is the provider's word, `landed_at` the bank's."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": _ID,
                    "account_id": _ID,
                    "amount_minor": 6_000_000,
                    "currency": "CNY",
                    "descriptor": "SABCDEFGHIJKLMNO",
                    "state": "prepared",
                    "content_sha256": _HASH,
                    "prepared_by": _ID,
                    "prepared_at": "2026-11-22T09:00:00Z",
                    "decided_by": None,
                    "decided_at": None,
                    "refused_reason": None,
                    "provider_id": None,
                    "made_at": None,
                    "arrives_on": None,
                    "fault": None,
                    "landed_at": None,
                    "on_the_way_minor": 0,
                }
            ]
        }
    )

    id: UUID
    account_id: UUID
    amount_minor: int
    currency: str
    descriptor: Annotated[str, Field(description="What the bank's statement repeats.")]
    state: Literal["prepared", "approved", "refused", "in_transit", "paid", "failed"]
    content_sha256: str
    prepared_by: UUID
    prepared_at: AwareDatetime
    decided_by: UUID | None
    decided_at: AwareDatetime | None
    refused_reason: str | None
    provider_id: str | None
    made_at: AwareDatetime | None
    arrives_on: date | None
    fault: str | None
    landed_at: AwareDatetime | None
    on_the_way_minor: Annotated[
        int, Field(description="In transit; negative where the bank was faster than the provider.")
    ]


class SweepPage(Shape):
    """A page of sweeps."""

    items: Sequence[SweepOut]
    next: UUID | None


class FundsOut(Shape):
    """What there is at the provider in a currency; `free_minor` may be swept."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "currency": "CNY",
                    "available_minor": 120_000_000,
                    "pending_minor": 0,
                    "ledger_minor": 120_000_000,
                    "owed_minor": 114_000_000,
                    "disputed_minor": 0,
                    "instructed_minor": 0,
                    "free_minor": 6_000_000,
                }
            ]
        }
    )

    currency: str
    available_minor: Annotated[int, Field(description="By the provider's list, usable by now.")]
    pending_minor: int
    ledger_minor: int
    owed_minor: Annotated[int, Field(description="To payees, payers and bidders.")]
    disputed_minor: Annotated[int, Field(description="What open disputes may still draw.")]
    instructed_minor: Annotated[int, Field(description="Approved sweeps, not known to be made.")]
    free_minor: int


class FundsPage(Shape):
    """The provider's balance by currency."""

    items: Sequence[FundsOut]


@router.get("/provider/funds", responses=problems.signed())
async def list_provider_funds(session: Session, caller: Signed, now: Now) -> FundsPage:
    """Return what there is at the provider, who waits for it, and what is free, for staff."""
    caller.need("read", *STAFF)
    items = []
    for currency in await queries.currencies(session):
        found = await queries.funds(session, currency, now=now)
        items.append(
            FundsOut(
                currency=currency,
                available_minor=found.available_minor,
                pending_minor=found.pending_minor,
                ledger_minor=found.ledger_minor,
                owed_minor=found.owed_minor,
                disputed_minor=found.disputed_minor,
                instructed_minor=found.instructed_minor,
                free_minor=found.free_minor,
            )
        )
    return FundsPage(items=items)


@router.put(
    "/sweeps/{sweep_id}",
    status_code=201,
    responses={
        200: {"model": SweepOut, "description": "It was prepared before."},
        **problems.signed(Malformed, Unknown, IdReused, WrongCurrency, SweepTooLarge),
    },
)
async def prepare_sweep(
    sweep_id: UUID,
    body: SweepIn,
    response: Response,
    session: Session,
    caller: Signed,
    now: Now,
) -> SweepOut:
    """Prepare a sweep of what is free at the provider (经办); another person decides it."""
    caller.need("money", Role.OPERATOR, Role.APPROVER)
    ask = Ask(body.account_id, Money(body.amount_minor, body.currency))
    sweep, new = await service.prepare(
        session, sweep_id, ask=ask, person_id=caller.person_id, now=now
    )
    if not new:
        response.status_code = 200
    return _out(sweep)


@router.post(
    "/sweeps/{sweep_id}/approval",
    responses=problems.responses(*DECIDED, *PROVING, SweepTooLarge),
)
async def approve_sweep(
    sweep_id: UUID, body: ApprovalIn, session: Session, caller: Signed, now: Now
) -> SweepOut:
    """Approve a sweep that another person prepared (复核); the provider is told at once."""
    decision = await approving(session, caller, body, now=now)
    return _out(await service.approve(session, sweep_id, decision=decision, now=now))


@router.post("/sweeps/{sweep_id}/refusal", responses=problems.responses(*DECIDED))
async def refuse_sweep(
    sweep_id: UUID, body: RefusalIn, session: Session, caller: Signed, now: Now
) -> SweepOut:
    """Refuse a sweep that another person prepared, with a reason; another can be prepared."""
    decision, reason = refusing(caller, body), body.reason.strip()
    return _out(await service.refuse(session, sweep_id, decision=decision, reason=reason, now=now))


@router.get("/sweeps", responses=problems.signed())
async def list_sweeps(
    session: Session,
    caller: Signed,
    after: UUID | None = None,
    limit: Limit = 50,
) -> SweepPage:
    """List every sweep, for staff."""
    caller.need("read", *STAFF)
    rows = await queries.page(session, after=page_after(after), limit=limit)
    return SweepPage(items=[_out(row) for row in rows], next=next_after(rows, limit))


@router.get("/sweeps/{sweep_id}", responses=problems.signed(Unknown))
async def get_sweep(sweep_id: UUID, session: Session, caller: Signed) -> SweepOut:
    """Return a sweep, for staff."""
    caller.need("read", *STAFF)
    return _out(await queries.get_sweep(session, sweep_id))


def _out(sweep: Sweep) -> SweepOut:
    shown = sweep.model_dump(exclude={"content", "intent_id", "look_at"})
    return SweepOut.model_validate({**shown, "on_the_way_minor": sweep.on_the_way_minor})
