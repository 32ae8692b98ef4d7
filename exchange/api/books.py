"""Statements of accounts (对账单), for staff and for whom the account is about."""

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Path, Query
from pydantic import AwareDatetime, ConfigDict, Field
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.calendar import ZONE
from contracts.refusal import InvalidContent, Unknown
from exchange.api import problems
from exchange.api.deps import Session, Shape, Signed
from exchange.identity.rules import Caller
from settlement.ledger import rules, statements
from settlement.ledger.statements import Moved, Period, Summary
from settlement.ledger.tables import LedgerAccount

router = APIRouter(tags=["ledger"])

MOST_LINES = 10_000_000
_SIGNED = (*problems.SIGNED, Unknown)
_ID = "0199a3c0-7d10-7c3e-9c50-3f1f6a1f0a01"
From = Annotated[date, Query(alias="from", description="The first day, in Shanghai.")]
Until = Annotated[date, Query(description="The last day, in Shanghai.")]
Code = Annotated[
    str, Path(pattern=r"^[ -~]{1,200}$", description="The account, its currency last.")
]


class SummaryOut(Shape):
    """An account over a period: opening + debits + credits = closing (期初 + 借 + 贷 = 期末)."""

    code: Annotated[str, Field(description="The account (科目), its currency last.")]
    kind: Literal["asset", "liability", "income", "expense", "equity"]
    currency: str
    status: Literal["open", "frozen", "closed"]
    opening_minor: int
    debits_minor: int
    credits_minor: Annotated[int, Field(description="Not positive.")]
    closing_minor: int
    lines: int


class MovedOut(Shape):
    """A line, with the balance after it; `occurred_at` tells of one that took effect later."""

    effective_at: AwareDatetime
    occurred_at: AwareDatetime | None
    kind: str
    key: str
    deal: UUID | None
    reason: str | None
    amount_minor: int
    balance_minor: int


class AccountStatementOut(SummaryOut):
    """A page of the lines of an account over a period; `next` is the `after` of the next page."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "code": f"payee:{_ID}:due:CNY",
                    "kind": "liability",
                    "currency": "CNY",
                    "status": "open",
                    "opening_minor": 0,
                    "debits_minor": 0,
                    "credits_minor": -79_800_000,
                    "closing_minor": -79_800_000,
                    "lines": 1,
                    "moved": [
                        {
                            "effective_at": "2026-11-22T09:00:00Z",
                            "occurred_at": None,
                            "kind": "payment.received",
                            "key": "pi_123:received",
                            "deal": _ID,
                            "reason": None,
                            "amount_minor": -79_800_000,
                            "balance_minor": -79_800_000,
                        }
                    ],
                    "next": None,
                }
            ]
        }
    )

    moved: Sequence[MovedOut]
    next: int | None


class PartyStatementOut(Shape):
    """A party's accounts over a period, each summed up."""

    items: Sequence[SummaryOut]


@router.get("/ledger/accounts/{code}/statement", responses=problems.responses(*_SIGNED))
async def get_account_statement(
    code: Code,
    session: Session,
    caller: Signed,
    from_: From,
    until: Until,
    after: Annotated[int, Query(ge=0, le=MOST_LINES)] = 0,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 200,
) -> AccountStatementOut:
    """Return the lines of an account to staff, or to the party that it is about."""
    caller.need("read")
    period = period_of(from_, until)
    account = await account_for(session, caller, code)
    summed = await statements.summary(session, account, period)
    moved = await statements.lines(session, account, period, after=after, limit=limit)
    more = after + len(moved)
    return AccountStatementOut(
        **_summary(summed).model_dump(),
        moved=[_moved(line) for line in moved],
        next=more if more < summed.lines and moved else None,
    )


@router.get("/parties/{party_id}/statement", responses=problems.responses(*_SIGNED))
async def get_party_statement(
    party_id: UUID, session: Session, caller: Signed, from_: From, until: Until
) -> PartyStatementOut:
    """Return a party's accounts, each summed up, to staff or to the party."""
    caller.need("read")
    if not caller.is_staff and caller.party_id != party_id:
        raise Unknown("There is no such party.")
    period = period_of(from_, until)
    found = await statements.accounts_of(session, party_id)
    summed = [await statements.summary(session, account, period) for account in found]
    return PartyStatementOut(items=[_summary(one) for one in summed])


async def account_for(session: AsyncSession, caller: Caller, code: str) -> LedgerAccount:
    """Return an account to staff, or to the party that it is about.

    Raises:
        Unknown: there is none, or it is another's.
    """
    own = caller.party_id is not None and rules.owner_of(code) == caller.party_id
    if not caller.is_staff and not own:
        raise Unknown("There is no such account.")
    return await statements.find_account(session, code)


def period_of(first: date, last: date) -> Period:
    """Return the days, both of them whole, as instants.

    Raises:
        InvalidContent: the last day comes before the first, or is the last there is.
    """
    if last < first:
        raise InvalidContent("The last day comes before the first.", field="until")
    if last == date.max:
        raise InvalidContent("The last day is out of range.", field="until")
    return Period(_midnight(first), _midnight(last + timedelta(days=1)))


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min, ZONE)


def _summary(one: Summary) -> SummaryOut:
    return SummaryOut(
        code=one.account.code,
        kind=one.account.kind,
        currency=one.account.currency,
        status=one.account.status,
        opening_minor=one.opening_minor,
        debits_minor=one.debits_minor,
        credits_minor=one.credits_minor,
        closing_minor=one.closing_minor,
        lines=one.lines,
    )


def _moved(line: Moved) -> MovedOut:
    return MovedOut(
        effective_at=line.effective_at,
        occurred_at=line.occurred_at,
        kind=line.kind,
        key=line.key,
        deal=line.deal_id,
        reason=line.reason,
        amount_minor=line.amount_minor,
        balance_minor=line.balance_minor,
    )
