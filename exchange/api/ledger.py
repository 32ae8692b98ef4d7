"""Settlements and the books."""

from collections.abc import Sequence
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import AwareDatetime, ConfigDict, Field

from contracts.refusal import Unknown
from exchange.api import problems
from exchange.api.deps import Limit, Session, Shape, Signed, page_after
from exchange.identity.rules import STAFF, Caller
from settlement.ledger import names
from settlement.ledger import queries as books
from settlement.plans import queries
from settlement.plans.tables import Settlement, SettlementLine

router = APIRouter(tags=["ledger"])

_ID = "0199a3c0-7d10-7c3e-9c50-3f1f6a1f0a01"


class SettlementLineOut(Shape):
    """One part of the price: who gets it, and why."""

    payee: UUID
    kind: Literal["commission", "share"]
    basis_minor: int
    rate_bp: int
    amount_minor: int
    reason: str


class SettlementOut(Shape):
    """A settlement (结算): staff see every line, an owner its own and the commission.

    `others_minor` is what goes to those whose lines are not shown, so that the sums add up.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "deal_id": _ID,
                    "of_deal": None,
                    "kind": "price",
                    "part": None,
                    "state": "awaiting_payment",
                    "gross_minor": 120_000_000,
                    "currency": "CNY",
                    "licensor": _ID,
                    "licensee": _ID,
                    "planned_at": "2026-11-22T09:00:00Z",
                    "lines": [
                        {
                            "payee": _ID,
                            "kind": "share",
                            "basis_minor": 114_000_000,
                            "rate_bp": 7000,
                            "amount_minor": 79_800_000,
                            "reason": "70.00 % of the net price (份额)",
                        }
                    ],
                    "others_minor": 40_200_000,
                }
            ]
        }
    )

    deal_id: Annotated[UUID, Field(description="The deal, or a claim under it.")]
    of_deal: Annotated[UUID | None, Field(description="The deal of a claim.")]
    kind: Literal["price", "instalment", "deferral", "royalties", "interest", "service-fee"]
    part: Annotated[int | None, Field(description="Of a price that is paid in parts, from 1.")]
    state: Literal["awaiting_payment", "funded", "paying", "paid_out"]
    gross_minor: int
    currency: str
    licensor: UUID
    licensee: UUID
    planned_at: AwareDatetime
    lines: Sequence[SettlementLineOut]
    others_minor: int


class SettlementPage(Shape):
    """A page of settlements."""

    items: Sequence[SettlementOut]
    next: UUID | None


class BalanceOut(Shape):
    """An account with its balance: debit positive, credit negative (借正贷负)."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "code": "psp:stripe:clearing:CNY",
                    "name_zh": "其他货币资金——支付渠道",
                    "name_en": "Money at the card provider",
                    "kind": "asset",
                    "currency": "CNY",
                    "balance_minor": 6_000_000,
                    "postings": 3,
                }
            ]
        }
    )

    code: str
    name_zh: str
    name_en: str
    kind: Literal["asset", "liability", "income", "expense", "equity"]
    currency: str
    balance_minor: int
    postings: int


class TotalOut(Shape):
    """All accounts of a currency together (合计); neither sum has a sign, and both are the same."""

    currency: str
    debit_minor: int
    credit_minor: int


class TrialBalanceOut(Shape):
    """A page of the accounts (科目余额表) by currency and code; `totals` are of all of them."""

    items: Sequence[BalanceOut]
    totals: Sequence[TotalOut]
    next: str | None


@router.get("/settlements", tags=["settlements"], responses=problems.signed())
async def list_settlements(
    session: Session,
    caller: Signed,
    after: UUID | None = None,
    limit: Limit = 50,
) -> SettlementPage:
    """List every settlement, for staff."""
    caller.need("read", *STAFF)
    rows = await queries.page(session, after=page_after(after), limit=limit)
    lines = await queries.lines_of(session, [row.deal_id for row in rows])
    items = [_out(row, lines[row.deal_id]) for row in rows]
    return SettlementPage(items=items, next=rows[-1].deal_id if len(rows) == limit else None)


@router.get("/settlements/{deal_id}", tags=["settlements"], responses=problems.signed(Unknown))
async def get_settlement(deal_id: UUID, session: Session, caller: Signed) -> SettlementOut:
    """Return the settlement of a deal to staff, its parties and its payees."""
    caller.need("read")
    settlement = await queries.get_settlement(session, deal_id)
    lines = await queries.lines(session, deal_id)
    if not caller.is_staff:
        lines = _own(settlement, lines, caller)
    return _out(settlement, lines)


@router.get("/ledger/trial-balance", responses=problems.signed())
async def get_trial_balance(
    session: Session,
    caller: Signed,
    after: Annotated[
        str | None, Query(pattern=r"^[ -~]{1,200}$", description="The last code seen.")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 1_000,
) -> TrialBalanceOut:
    """Return the accounts with their names and balances, for staff."""
    caller.need("read", *STAFF)
    rows = await books.balances(session, after=after, limit=limit)
    totals = await books.totals(session)
    return TrialBalanceOut(
        items=[BalanceOut.model_validate({**row, **_named(row["code"])}) for row in rows],
        totals=[
            TotalOut(currency=currency, debit_minor=debit, credit_minor=credit)
            for currency, debit, credit in totals
        ],
        next=rows[-1]["code"] if len(rows) == limit else None,
    )


def _named(code: str) -> dict[str, str]:
    found = names.name(code)
    return {"name_zh": found.zh, "name_en": found.en}


def _own(
    settlement: Settlement, lines: Sequence[SettlementLine], caller: Caller
) -> Sequence[SettlementLine]:
    """Return the lines that a party may read: what it gets, and what the exchange takes of it."""
    payees = {line.payee_id for line in lines}
    if caller.party_id not in {settlement.licensor_id, settlement.licensee_id, *payees}:
        raise Unknown("There is no such settlement.")
    if caller.party_id not in payees:
        return []
    return [line for line in lines if line.payee_id == caller.party_id or line.kind == "commission"]


def _out(settlement: Settlement, lines: Sequence[SettlementLine]) -> SettlementOut:
    return SettlementOut(
        deal_id=settlement.deal_id,
        of_deal=settlement.of_deal,
        kind=settlement.kind,
        part=settlement.part,
        state=settlement.state,
        gross_minor=settlement.gross_minor,
        currency=settlement.currency,
        licensor=settlement.licensor_id,
        licensee=settlement.licensee_id,
        planned_at=settlement.planned_at,
        lines=[
            SettlementLineOut(
                payee=line.payee_id,
                kind=line.kind,
                basis_minor=line.basis_minor,
                rate_bp=line.rate_bp,
                amount_minor=line.amount_minor,
                reason=line.reason,
            )
            for line in lines
        ],
        others_minor=settlement.gross_minor - sum(line.amount_minor for line in lines),
    )
