"""Orders to the ledger by two people: journals by hand, reversals, exchanges, freezes, closes."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import AwareDatetime, ConfigDict, Field, JsonValue

from contracts import canonical
from contracts.money import MOST_MINOR
from contracts.refusal import IdReused, Malformed, Unknown
from exchange.api import problems
from exchange.api.decisions import (
    DECIDED,
    EXAMPLE_HASH,
    EXAMPLE_ID,
    PROVING,
    ApprovalIn,
    Reason,
    RefusalIn,
    Sha256,
    approving,
    refusing,
)
from exchange.api.deps import Limit, Now, Session, Shape, Signed, next_after, page_after
from exchange.api.once import OnceRoute
from exchange.identity.rules import STAFF, Role
from settlement.ledger import closing
from settlement.ledger import rules as ledger
from settlement.orders import queries, rules, service
from settlement.orders.tables import LedgerOrder

router = APIRouter(route_class=OnceRoute, tags=["ledger"])

MOST = 100
_CHECKED = (
    rules.JournalUnbalanced, rules.JournalInTwoCurrencies, rules.AccountNotByHand,
    rules.JournalItemNotNamed, rules.JournalStays, ledger.PeriodClosed, ledger.CloseNotLater,
)  # fmt: skip
_BOOKED = (
    ledger.LimitReached, ledger.AccountNotOpen, ledger.AccountUnlimited,
    ledger.AccountNotMarkable, ledger.AlreadyReversed, ledger.ReversalStays,
    ledger.QuoteNotValid, ledger.JournalKeyReused,
)  # fmt: skip
Account = Annotated[
    str, Field(pattern=r"^[ -~]{1,200}$", description="The account (科目), its currency last.")
]
_FEE: JsonValue = [
    {"account": "expense:bank-fees:CNY", "amount_minor": 1_500},
    {"account": "expense:psp-fees:CNY", "amount_minor": -1_500},
]


class OrderLine(Shape):
    """A line: debit positive, credit negative (借正贷负)."""

    account: Account
    amount_minor: Annotated[int, Field(strict=True, ge=-MOST_MINOR, le=MOST_MINOR)]


class JournalLine(OrderLine):
    """A line by hand; on an account made of items (往来、待核销等) it names the one it explains."""

    explains: Annotated[
        str | None,
        Field(
            pattern=r"^[ -~]{1,200}$",
            description=(
                "The key of the journal whose line on this account is moved back, as the account's "
                "statement shows it. Only commission, expenses and equity need none."
            ),
        ),
    ] = None


class JournalOrder(Shape):
    """A journal made by hand (手工凭证), in one currency; the hash is of a paper behind it."""

    kind: Literal["journal"]
    lines: Annotated[list[JournalLine], Field(min_length=2, max_length=rules.MOST_LINES)]
    attachment_sha256: Sha256 | None = None
    effective_at: Annotated[
        AwareDatetime | None, Field(description="In an open period; without it, the approval's.")
    ] = None


class ReversalOrder(Shape):
    """The exact negative of a journal that was made by hand or is an exchange (红冲)."""

    kind: Literal["reversal"]
    journal: Annotated[str, Field(max_length=200, description="Its key, as statements show it.")]


class ExchangeOrder(Shape):
    """Money changed at a quote (换汇): what leaves an account, and what the quote makes of it."""

    kind: Literal["exchange"]
    quote: UUID
    give: OrderLine
    take: OrderLine


class MarkOrder(Shape):
    """An account frozen, opened again, or closed for good (冻结, 解冻, 销户)."""

    kind: Literal["mark"]
    account: Account
    status: Literal["open", "frozen", "closed"]


class CloseOrder(Shape):
    """The books closed up to an instant (结账): nothing takes effect before it any more."""

    kind: Literal["close"]
    until: AwareDatetime


What = Annotated[
    JournalOrder | ReversalOrder | ExchangeOrder | MarkOrder | CloseOrder,
    Field(discriminator="kind"),
]


class LedgerOrderIn(Shape):
    """What is asked of the ledger, and why."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"what": {"kind": "journal", "lines": _FEE}, "reason": "手续费科目更正"},
                {
                    "what": {"kind": "reversal", "journal": f"order:{EXAMPLE_ID}"},
                    "reason": "科目有误",
                },
            ]
        }
    )

    what: What
    reason: Reason


class LedgerOrderOut(Shape):
    """An order to the ledger (账务指令): `content_sha256` is over what it does and why."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": EXAMPLE_ID,
                    "kind": "journal",
                    "what": {"lines": _FEE},
                    "reason": "手续费科目更正",
                    "state": "prepared",
                    "content_sha256": EXAMPLE_HASH,
                    "prepared_by": EXAMPLE_ID,
                    "prepared_at": "2026-11-22T09:00:00Z",
                    "decided_by": None,
                    "decided_at": None,
                    "refused_reason": None,
                    "approval_id": None,
                    "journal": None,
                }
            ]
        }
    )

    id: UUID
    kind: Literal["journal", "reversal", "exchange", "mark", "close"]
    what: dict[str, JsonValue]
    reason: str
    state: Literal["prepared", "approved", "refused"]
    content_sha256: str
    prepared_by: UUID
    prepared_at: AwareDatetime
    decided_by: UUID | None
    decided_at: AwareDatetime | None
    refused_reason: str | None
    approval_id: UUID | None
    journal: Annotated[str | None, Field(description="The key of the journal that it left.")]


class LedgerOrderPage(Shape):
    """A page of orders."""

    items: Sequence[LedgerOrderOut]
    next: UUID | None


class CloseOut(Shape):
    """The books closed up to an instant, with the hash of every balance there."""

    id: UUID
    until: AwareDatetime
    journals: int
    balances_sha256: str
    reason: str
    closed_at: AwareDatetime


class ClosesOut(Shape):
    """The closes, the latest first."""

    items: Sequence[CloseOut]


@router.put(
    "/ledger/orders/{order_id}",
    status_code=201,
    responses={
        200: {"model": LedgerOrderOut, "description": "It was prepared before."},
        **problems.signed(Malformed, Unknown, IdReused, *_CHECKED),
    },
)
async def prepare_ledger_order(
    order_id: UUID,
    body: LedgerOrderIn,
    response: Response,
    session: Session,
    caller: Signed,
    now: Now,
) -> LedgerOrderOut:
    """Order something of the ledger (经办); another person decides, and then it is done."""
    caller.need("money", Role.OPERATOR, Role.APPROVER)
    order, new = await service.prepare(
        session,
        order_id,
        kind=body.what.kind,
        what=body.what.model_dump(mode="json", exclude={"kind"}, exclude_none=True),
        reason=body.reason.strip(),
        person_id=caller.person_id,
        now=now,
    )
    response.status_code = 201 if new else 200
    return order_out(order)


@router.post(
    "/ledger/orders/{order_id}/approval",
    responses=problems.responses(*DECIDED, *PROVING, *_CHECKED, *_BOOKED),
)
async def approve_ledger_order(
    order_id: UUID, body: ApprovalIn, session: Session, caller: Signed, now: Now
) -> LedgerOrderOut:
    """Approve an order that another person prepared (复核); the ledger does it at once."""
    decision = await approving(session, caller, body, now=now)
    return order_out(await service.approve(session, order_id, decision=decision, now=now))


@router.post("/ledger/orders/{order_id}/refusal", responses=problems.responses(*DECIDED))
async def refuse_ledger_order(
    order_id: UUID, body: RefusalIn, session: Session, caller: Signed, now: Now
) -> LedgerOrderOut:
    """Refuse an order that another person prepared; nothing is booked."""
    decision, reason = refusing(caller, body), body.reason.strip()
    order = await service.refuse(session, order_id, decision=decision, reason=reason, now=now)
    return order_out(order)


@router.get("/ledger/orders", responses=problems.signed())
async def list_ledger_orders(
    session: Session,
    caller: Signed,
    after: UUID | None = None,
    limit: Limit = 50,
) -> LedgerOrderPage:
    """List every order, for staff."""
    caller.need("read", *STAFF)
    rows = await queries.page(session, after=page_after(after), limit=limit)
    return LedgerOrderPage(items=[order_out(row) for row in rows], next=next_after(rows, limit))


@router.get("/ledger/orders/{order_id}", responses=problems.signed(Unknown))
async def get_ledger_order(order_id: UUID, session: Session, caller: Signed) -> LedgerOrderOut:
    """Return an order, for staff."""
    caller.need("read", *STAFF)
    return order_out(await queries.get_order(session, order_id))


@router.get("/ledger/closes", responses=problems.signed())
async def list_closes(session: Session, caller: Signed) -> ClosesOut:
    """List up to when the books were closed, the latest first, for staff."""
    caller.need("read", *STAFF)
    rows = await closing.closes(session, limit=MOST)
    return ClosesOut(
        items=[
            CloseOut(
                **row.model_dump(exclude={"balances_sha256", "actor"}),
                balances_sha256=row.balances_sha256.hex(),
            )
            for row in rows
        ]
    )


def order_out(row: LedgerOrder) -> LedgerOrderOut:
    """Return an order as it is told."""
    said: dict[str, Any] = row.model_dump(exclude={"content", "journal_id"})
    return LedgerOrderOut.model_validate(
        {
            **said,
            "what": canonical.loads(row.content)["what"],
            "journal": None if row.journal_id is None else service.key(row.id),
        }
    )
