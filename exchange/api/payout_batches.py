"""Payout batches: several payouts read together, approved or refused at once by another person."""

from collections.abc import Sequence
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import AwareDatetime, ConfigDict, Field
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.refusal import IdReused, Malformed, Unknown
from exchange.api import problems
from exchange.api.decisions import (
    DECIDED,
    EXAMPLE_HASH,
    EXAMPLE_ID,
    PROVING,
    ApprovalIn,
    RefusalIn,
    approving,
    refusing,
)
from exchange.api.deps import Limit, Now, Session, Shape, Signed, next_after, page_after
from exchange.api.once import OnceRoute
from exchange.identity.rules import STAFF, Role
from settlement.batches import queries, rules, service
from settlement.batches.tables import PayoutBatch

router = APIRouter(route_class=OnceRoute, tags=["payouts"])


class PayoutBatchIn(Shape):
    """The payouts that are decided together; each waits for its decision."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"payouts": [EXAMPLE_ID]}]})

    payouts: Annotated[list[UUID], Field(min_length=1, max_length=rules.MOST_ITEMS)]


class BatchedOut(Shape):
    """A payout of a batch, with the hash that it had when it was put there."""

    payout_id: UUID
    payout_sha256: str
    amount_minor: int
    currency: str


class TotalOut(Shape):
    """What a batch pays in one currency."""

    amount_minor: int
    currency: str


class PayoutBatchOut(Shape):
    """A batch of payouts (付款批次): `content_sha256` is over the hashes of all of them."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": EXAMPLE_ID,
                    "state": "prepared",
                    "content_sha256": EXAMPLE_HASH,
                    "prepared_by": EXAMPLE_ID,
                    "prepared_at": "2026-11-22T09:00:00Z",
                    "decided_by": None,
                    "decided_at": None,
                    "reason": None,
                    "payouts": [
                        {
                            "payout_id": EXAMPLE_ID,
                            "payout_sha256": EXAMPLE_HASH,
                            "amount_minor": 114_000_000,
                            "currency": "CNY",
                        }
                    ],
                    "totals": [{"amount_minor": 114_000_000, "currency": "CNY"}],
                }
            ]
        }
    )

    id: UUID
    state: Literal["prepared", "approved", "refused"]
    content_sha256: str
    prepared_by: UUID
    prepared_at: AwareDatetime
    decided_by: UUID | None
    decided_at: AwareDatetime | None
    reason: str | None
    payouts: Sequence[BatchedOut]
    totals: Sequence[TotalOut]


class PayoutBatchPage(Shape):
    """A page of batches."""

    items: Sequence[PayoutBatchOut]
    next: UUID | None


@router.put(
    "/payout-batches/{payout_batch_id}",
    status_code=201,
    responses={
        200: {"model": PayoutBatchOut, "description": "It was prepared before."},
        **problems.signed(Malformed, Unknown, IdReused, rules.PayoutInBatch),
    },
)
async def prepare_payout_batch(
    payout_batch_id: UUID,
    body: PayoutBatchIn,
    response: Response,
    session: Session,
    caller: Signed,
    now: Now,
) -> PayoutBatchOut:
    """Put payouts that wait into one batch (经办); another person decides on all of them."""
    caller.need("money", Role.OPERATOR, Role.APPROVER)
    batch, new = await service.prepare(
        session, payout_batch_id, payout_ids=body.payouts, person_id=caller.person_id, now=now
    )
    response.status_code = 201 if new else 200
    return await _out(session, batch)


@router.post(
    "/payout-batches/{payout_batch_id}/approval",
    responses=problems.responses(*DECIDED, *PROVING, rules.PayoutBatchVoid),
)
async def approve_payout_batch(
    payout_batch_id: UUID, body: ApprovalIn, session: Session, caller: Signed, now: Now
) -> PayoutBatchOut:
    """Approve every payout of a batch that another person prepared (复核), or none."""
    decision = await approving(session, caller, body, now=now)
    batch = await service.approve(session, payout_batch_id, decision=decision, now=now)
    return await _out(session, batch)


@router.post("/payout-batches/{payout_batch_id}/refusal", responses=problems.responses(*DECIDED))
async def refuse_payout_batch(
    payout_batch_id: UUID, body: RefusalIn, session: Session, caller: Signed, now: Now
) -> PayoutBatchOut:
    """Refuse a batch that another person prepared; its payouts wait as before."""
    decision, reason = refusing(caller, body), body.reason.strip()
    batch = await service.refuse(
        session, payout_batch_id, decision=decision, reason=reason, now=now
    )
    return await _out(session, batch)


@router.get("/payout-batches", responses=problems.signed())
async def list_payout_batches(
    session: Session,
    caller: Signed,
    after: UUID | None = None,
    limit: Limit = 50,
) -> PayoutBatchPage:
    """List every batch, for staff."""
    caller.need("read", *STAFF)
    rows = await queries.page(session, after=page_after(after), limit=limit)
    items = [await _out(session, row) for row in rows]
    return PayoutBatchPage(items=items, next=next_after(rows, limit))


@router.get("/payout-batches/{payout_batch_id}", responses=problems.signed(Unknown))
async def get_payout_batch(
    payout_batch_id: UUID, session: Session, caller: Signed
) -> PayoutBatchOut:
    """Return a batch with its payouts and what it pays in each currency, for staff."""
    caller.need("read", *STAFF)
    return await _out(session, await queries.get_batch(session, payout_batch_id))


async def _out(session: AsyncSession, batch: PayoutBatch) -> PayoutBatchOut:
    items = await queries.items(session, batch.id)
    wanted = set(BatchedOut.model_fields)
    totals = rules.totals([item.item() for item in items])
    return PayoutBatchOut.model_validate(
        {
            **batch.model_dump(exclude={"content"}),
            "payouts": [item.model_dump(include=wanted) for item in items],
            "totals": [
                {"amount_minor": each.amount_minor, "currency": each.currency} for each in totals
            ],
        }
    )
