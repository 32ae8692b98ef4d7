"""Disputes of card holders, as the provider shows them."""

from collections.abc import Sequence
from typing import Literal
from uuid import UUID

from fastapi import APIRouter
from pydantic import AwareDatetime, ConfigDict
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.refusal import Unknown
from exchange.api import problems
from exchange.api.bodies import JsonRoute
from exchange.api.deps import Limit, Session, Shape, Signed, next_after, page_after
from exchange.api.recoveries import RecoveryOut, given_back
from exchange.identity.rules import Caller
from settlement.disputes import queries
from settlement.disputes.tables import Dispute
from settlement.recoveries import rules as taking
from settlement.recoveries.rules import Cause

router = APIRouter(route_class=JsonRoute, tags=["disputes"])

_ID = "0199a3c0-7d10-7c3e-9c50-3f1f6a1f0a01"


class DisputeOut(Shape):
    """A dispute (拒付争议): `drawn_minor` is what the provider has taken and not given back.

    What is sent to the bank before `evidence_due_at` is the evidence bundle of the deal.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": _ID,
                    "provider_id": "du_1",
                    "payment_id": _ID,
                    "deal_id": _ID,
                    "amount_minor": 120_000_000,
                    "currency": "CNY",
                    "reason": "fraudulent",
                    "state": "received",
                    "drawn_minor": 120_000_000,
                    "evidence_due_at": "2026-11-29T09:00:00Z",
                    "opened_at": "2026-11-22T09:00:00Z",
                    "closed_at": None,
                    "charged_at": None,
                    "given_back": [],
                }
            ]
        }
    )

    id: UUID
    provider_id: str
    payment_id: UUID
    deal_id: UUID
    amount_minor: int
    currency: str
    reason: str
    state: Literal["inquiry", "inquiry_closed", "received", "under_review", "won", "lost"]
    drawn_minor: int
    evidence_due_at: AwareDatetime | None
    opened_at: AwareDatetime
    closed_at: AwareDatetime | None
    charged_at: AwareDatetime | None
    given_back: Sequence[RecoveryOut]


class DisputePage(Shape):
    """A page of disputes."""

    items: Sequence[DisputeOut]
    next: UUID | None


@router.get("/disputes", responses=problems.signed())
async def list_disputes(
    session: Session,
    caller: Signed,
    after: UUID | None = None,
    limit: Limit = 50,
) -> DisputePage:
    """List disputes: every one for staff; for a party those of its payments, or that it bears."""
    caller.need("read")
    rows = await queries.page(
        session, party_id=caller.for_party, after=page_after(after), limit=limit
    )
    return DisputePage(
        items=[await _out(session, row, caller) for row in rows], next=next_after(rows, limit)
    )


@router.get("/disputes/{dispute_id}", responses=problems.signed(Unknown))
async def get_dispute(dispute_id: UUID, session: Session, caller: Signed) -> DisputeOut:
    """Return a dispute: to staff, to the payer, and to payees who bear it."""
    caller.need("read")
    row = await queries.get_told(session, dispute_id, party_id=caller.for_party)
    return await _out(session, row, caller)


async def _out(session: AsyncSession, row: Dispute, caller: Caller) -> DisputeOut:
    back = await given_back(session, Cause(taking.DISPUTE, row.id), caller=caller)
    return DisputeOut.model_validate({**row.model_dump(), "given_back": back})
