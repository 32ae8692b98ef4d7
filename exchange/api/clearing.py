"""The payment provider's balance beside the ledger, and what differs, for staff."""

from collections.abc import Sequence
from datetime import date
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter
from pydantic import AwareDatetime, ConfigDict, Field

from contracts import calendar
from exchange.api import problems
from exchange.api.deps import Limit, Now, Session, Shape, Signed, next_after, page_after
from exchange.identity.rules import STAFF
from settlement.clearing import queries

router = APIRouter(prefix="/provider", tags=["disputes"])

_ID = "0199a3c0-7d10-7c3e-9c50-3f1f6a1f0a01"


class CutoffOut(Shape):
    """How ledger and provider stood once (渠道对账); all of `difference_minor` is in items."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "at": "2026-11-22T09:00:00Z",
                    "currency": "CNY",
                    "entries": 12,
                    "ledger_minor": 5_000_000,
                    "provider_minor": 5_000_777,
                    "difference_minor": -777,
                    "items": 1,
                    "in_transit_minor": 0,
                }
            ]
        }
    )

    at: AwareDatetime
    currency: str
    entries: Annotated[int, Field(description="Movements at the provider up to then.")]
    ledger_minor: int
    provider_minor: int
    difference_minor: int
    items: int
    in_transit_minor: Annotated[int, Field(description="Sweeps that left and did not land.")]


class CutoffsOut(Shape):
    """The last cut-off of each currency."""

    items: Sequence[CutoffOut]


class DifferenceOut(Shape):
    """One of the provider's objects, or one journal, of which ledger and provider differ."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": _ID,
                    "reference": "re_1",
                    "currency": "CNY",
                    "ledger_minor": 0,
                    "provider_minor": -777,
                    "difference_minor": 777,
                    "opened_at": "2026-11-22T09:00:00Z",
                    "age_days": 0,
                    "due_on": "2026-11-27",
                    "overdue": False,
                }
            ]
        }
    )

    id: UUID
    reference: str
    currency: str
    ledger_minor: int
    provider_minor: int
    difference_minor: int
    opened_at: AwareDatetime
    age_days: int
    due_on: date
    overdue: bool


class DifferencePage(Shape):
    """A page of differences that nothing explains yet."""

    items: Sequence[DifferenceOut]
    next: UUID | None


@router.get("/cutoffs", responses=problems.signed())
async def list_cutoffs(session: Session, caller: Signed) -> CutoffsOut:
    """Return the last comparison of ledger and provider in each currency, for staff."""
    caller.need("read", *STAFF)
    return CutoffsOut(
        items=[
            CutoffOut(
                at=one.at,
                currency=one.currency,
                entries=one.entries,
                ledger_minor=one.ledger_minor,
                provider_minor=one.provider_minor,
                difference_minor=one.open_minor,
                items=one.items,
                in_transit_minor=one.in_transit_minor,
            )
            for one in await queries.cutoffs(session)
        ]
    )


@router.get("/differences", responses=problems.signed())
async def list_differences(
    session: Session,
    caller: Signed,
    now: Now,
    after: UUID | None = None,
    limit: Limit = 50,
) -> DifferencePage:
    """List what ledger and provider differ in and nothing explains yet, for staff."""
    caller.need("read", *STAFF)
    rows = await queries.open_items(session, after=page_after(after), limit=limit)
    today = calendar.day_of(now)
    return DifferencePage(
        items=[
            DifferenceOut(
                id=one.id,
                reference=one.reference,
                currency=one.currency,
                ledger_minor=one.ledger_minor,
                provider_minor=one.provider_minor,
                difference_minor=one.ledger_minor - one.provider_minor,
                opened_at=one.opened_at,
                age_days=max(0, (today - calendar.day_of(one.opened_at)).days),
                due_on=one.due_on,
                overdue=one.due_on < today,
            )
            for one in rows
        ],
        next=next_after(rows, limit),
    )
