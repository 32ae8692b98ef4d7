"""Money in suspense at the payment provider (渠道待核销): whose task it is, and until when."""

from collections.abc import Sequence
from datetime import date
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter
from pydantic import AwareDatetime, ConfigDict, Field
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import calendar
from contracts.refusal import Unknown
from exchange.api import problems
from exchange.api.deps import Now, Session, Shape, Signed
from exchange.api.once import OnceRoute
from exchange.identity.rules import STAFF, Role
from settlement.clearing import queries, service
from settlement.clearing.rules import Held
from settlement.reconciliation.rules import due_on

router = APIRouter(route_class=OnceRoute, prefix="/provider/suspense", tags=["disputes"])

_ID = "0199a3c0-7d10-7c3e-9c50-3f1f6a1f0a01"


class ProviderSuspenseOut(Shape):
    """What the provider told of one of its objects and nothing explains.

    A payment is refunded; anything else is explained by an order to the ledger whose line names
    `key`.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": _ID,
                    "reference": "pi_1",
                    "kind": "payment.suspended",
                    "key": "pi_1:received",
                    "account": "suspense:psp:CNY",
                    "amount_minor": 7_700,
                    "currency": "CNY",
                    "owner_id": None,
                    "opened_at": "2026-11-22T09:00:00Z",
                    "age_days": 0,
                    "due_on": "2026-11-27",
                    "overdue": False,
                    "payment_id": _ID,
                    "deal_id": _ID,
                }
            ]
        }
    )

    id: UUID
    reference: Annotated[str, Field(description="The provider's object, or a journal of none.")]
    kind: Annotated[str, Field(description="Of the journal that put it there.")]
    key: Annotated[str, Field(description="Of that journal; a line by hand names it.")]
    account: str
    amount_minor: Annotated[int, Field(description="Held for nobody; negative where it misses.")]
    currency: str
    owner_id: Annotated[UUID | None, Field(description="Who took it up.")]
    opened_at: AwareDatetime
    age_days: int
    due_on: date
    overdue: bool
    payment_id: UUID | None
    deal_id: Annotated[UUID | None, Field(description="The settlement that it was paid for.")]


class ProviderSuspensePage(Shape):
    """All money in suspense at the provider, the oldest first."""

    items: Sequence[ProviderSuspenseOut]


@router.get("", responses=problems.signed())
async def list_provider_suspense(
    session: Session, caller: Signed, now: Now
) -> ProviderSuspensePage:
    """List what the provider told and nothing explains, the oldest first, for staff."""
    caller.need("read", *STAFF)
    return ProviderSuspensePage(items=await _shown(session, await queries.held(session), now=now))


@router.put("/{item_id}/owner", responses=problems.signed(Unknown))
async def take_up_provider_suspense(
    item_id: UUID, session: Session, caller: Signed, now: Now
) -> ProviderSuspenseOut:
    """Take up money in suspense: it is the caller's task from then on."""
    caller.need("money", Role.OPERATOR, Role.APPROVER)
    item = await service.take_up(session, item_id, person_id=caller.person_id, now=now)
    [shown] = await _shown(session, [item], now=now)
    return shown


async def _shown(
    session: AsyncSession, items: Sequence[Held], *, now: Any
) -> list[ProviderSuspenseOut]:
    owners = await queries.owners(session, [one.id for one in items])
    payments = await queries.payments_of(session, {one.reference for one in items})
    today = calendar.day_of(now)
    shown = []
    for one in items:
        payment_id, deal_id = payments.get(one.reference, (None, None))
        due = due_on(one.opened_at)
        shown.append(
            ProviderSuspenseOut(
                id=one.id,
                reference=one.reference,
                kind=one.kind,
                key=one.key,
                account=one.account,
                amount_minor=one.amount_minor,
                currency=one.currency,
                owner_id=owners.get(one.id),
                opened_at=one.opened_at,
                age_days=max(0, (today - calendar.day_of(one.opened_at)).days),
                due_on=due,
                overdue=due < today,
                payment_id=payment_id,
                deal_id=deal_id,
            )
        )
    return shown
