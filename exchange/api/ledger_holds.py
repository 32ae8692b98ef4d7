"""Money held in the ledger before it moves (预留), and the quotes that currencies change at."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import AwareDatetime, ConfigDict, Field, JsonValue

from contracts.money import WrongCurrency
from contracts.refusal import IdReused, InvalidContent, Malformed, Unknown
from exchange.api import problems
from exchange.api.decisions import EXAMPLE_ID, Reason
from exchange.api.deps import Limit, Now, Session, Shape, Signed, page_after
from exchange.api.ledger_orders import OrderLine
from exchange.api.once import OnceRoute
from exchange.identity.rules import STAFF, Role
from settlement.ledger import exchanging, holds, rules
from settlement.ledger.holds import Wanted
from settlement.ledger.rules import Quote
from settlement.ledger.tables import LedgerHold, LedgerQuote
from settlement.orders import queries as orders
from settlement.orders import rules as ordering

router = APIRouter(route_class=OnceRoute, tags=["ledger"])

_HOLD: dict[str, JsonValue] = {
    "account": f"payee:{EXAMPLE_ID}:due:CNY",
    "amount_minor": 1_000_000,
    "reason": "争议处理期间暂留",
    "expires_at": "2026-12-22T09:00:00Z",
}
_QUOTE: dict[str, JsonValue] = {
    "base": "USD",
    "counter": "CNY",
    "rate": "7.1023",
    "source": "中国人民银行中间价",
    "quoted_at": "2026-11-22T01:15:00Z",
    "valid_until": "2026-11-23T01:15:00Z",
}
Currency = Annotated[str, Field(pattern="^[A-Z]{3}$", description="ISO 4217")]
Rate = Annotated[
    str, Field(pattern=r"^\d{1,10}(\.\d{1,10})?$", description="Major units of `counter`.")
]


class MoneyHoldIn(OrderLine):
    """What is set aside: in the sign of the movement to come, until when, and why."""

    model_config = ConfigDict(json_schema_extra={"examples": [_HOLD]})

    reason: Reason
    expires_at: AwareDatetime


class MoneyHoldOut(Shape):
    """A hold that has not ended; it counts against the account's limit."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"id": EXAMPLE_ID, **_HOLD, "made_at": "2026-11-22T09:00:00Z"}]
        }
    )

    id: UUID
    account: str
    amount_minor: int
    reason: str
    made_at: AwareDatetime
    expires_at: AwareDatetime


class MoneyHoldPage(Shape):
    """A page of holds."""

    items: Sequence[MoneyHoldOut]
    next: UUID | None


class HoldEndOut(Shape):
    """How a hold ended."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "hold_id": EXAMPLE_ID,
                    "outcome": "released",
                    "ended_at": "2026-11-22T09:00:00Z",
                }
            ]
        }
    )

    hold_id: UUID
    outcome: str
    ended_at: AwareDatetime


class QuoteIn(Shape):
    """A rate as it was quoted (牌价): one `base` costs `rate` of `counter`, for a day at most."""

    model_config = ConfigDict(json_schema_extra={"examples": [_QUOTE]})

    base: Currency
    counter: Currency
    rate: Rate
    source: Annotated[str, Field(min_length=1, max_length=200, pattern=r"\S")]
    quoted_at: AwareDatetime
    valid_until: AwareDatetime


class QuoteOut(QuoteIn):
    """A quote that is kept; what is booked at it names it."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"id": EXAMPLE_ID, **_QUOTE}]})

    id: UUID


@router.put(
    "/ledger/holds/{hold_id}",
    status_code=201,
    responses={
        200: {"model": MoneyHoldOut, "description": "It was made before."},
        **problems.signed(
            Malformed, IdReused, ordering.AccountNotByHand, rules.LimitReached,
            rules.AccountNotOpen, rules.AccountUnlimited,
        ),
    },
)  # fmt: skip
async def hold_money(
    hold_id: UUID,
    body: MoneyHoldIn,
    response: Response,
    session: Session,
    caller: Signed,
    now: Now,
) -> MoneyHoldOut:
    """Set a part of an account aside (预留): it pays nothing until the hold ends."""
    caller.need("money", Role.OPERATOR, Role.APPROVER)
    code, amount = ordering.line(body.account, body.amount_minor)
    if body.expires_at <= now or not amount.amount_minor:
        raise InvalidContent("A hold holds something until an instant to come.")
    ordering.check_known([(code, amount)], await orders.known_accounts(session, [body.account]))
    wanted = Wanted(code, amount, body.reason.strip(), body.expires_at)
    made, new = await holds.hold(session, hold_id, wanted, actor=str(caller.person_id), now=now)
    response.status_code = 201 if new else 200
    return _hold_out(made, body.account)


@router.post(
    "/ledger/holds/{hold_id}/release",
    responses=problems.signed(Unknown, rules.HoldEnded),
)
async def release_money(hold_id: UUID, session: Session, caller: Signed, now: Now) -> HoldEndOut:
    """Let a hold go (解除); a second time changes nothing."""
    caller.need("money", Role.OPERATOR, Role.APPROVER)
    end = await holds.release(session, hold_id, actor=str(caller.person_id), now=now)
    return HoldEndOut(hold_id=end.hold_id, outcome=end.outcome, ended_at=end.ended_at)


@router.get("/ledger/holds", responses=problems.signed())
async def list_money_holds(
    session: Session,
    caller: Signed,
    after: UUID | None = None,
    limit: Limit = 50,
) -> MoneyHoldPage:
    """List the holds that have not ended, for staff."""
    caller.need("read", *STAFF)
    found = await holds.open_holds(session, after=page_after(after), limit=limit)
    items = [_hold_out(row, code) for row, code in found]
    return MoneyHoldPage(items=items, next=items[-1].id if len(items) == limit else None)


@router.put(
    "/ledger/quotes/{quote_id}",
    status_code=201,
    responses={
        200: {"model": QuoteOut, "description": "It is kept already."},
        **problems.signed(Malformed, IdReused, rules.RateInvalid, WrongCurrency),
    },
)
async def keep_quote(
    quote_id: UUID, body: QuoteIn, response: Response, session: Session, caller: Signed
) -> QuoteOut:
    """Keep a rate as it was quoted, with its source; exchanges are ordered at it."""
    caller.need("money", Role.OPERATOR, Role.APPROVER)
    quoted = Quote(body.base, body.counter, Decimal(body.rate), body.quoted_at, body.valid_until)
    row, new = await exchanging.quote(
        session, quote_id, quoted, source=body.source.strip(), actor=str(caller.person_id)
    )
    response.status_code = 201 if new else 200
    return _quote_out(row)


@router.get("/ledger/quotes/{quote_id}", responses=problems.signed(Unknown))
async def get_quote(quote_id: UUID, session: Session, caller: Signed) -> QuoteOut:
    """Return a quote, for staff."""
    caller.need("read", *STAFF)
    return _quote_out(await exchanging.get_quote(session, quote_id))


def _hold_out(row: LedgerHold, code: str) -> MoneyHoldOut:
    said = row.model_dump(include={"id", "amount_minor", "reason", "made_at", "expires_at"})
    return MoneyHoldOut(account=code, **said)


def _quote_out(row: LedgerQuote) -> QuoteOut:
    said = row.model_dump(exclude={"rate", "actor"})
    return QuoteOut(**said, rate=format(row.rate.normalize(), "f"))
