"""Where a wire goes (汇款指引): the account that collects a currency, decided by two people."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import AwareDatetime, ConfigDict, Field, JsonValue
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import calendar
from contracts.money import Money
from contracts.refusal import IdReused, Malformed, Unknown
from exchange.api import problems
from exchange.api.decisions import DECIDED, PROVING, ApprovalIn, RefusalIn, approving, refusing
from exchange.api.deps import Now, Session, Shape, Signed
from exchange.api.once import OnceRoute
from exchange.identity.rules import STAFF, Role
from settlement.bank import queries as bank
from settlement.bank.tables import BankAccount
from settlement.collecting import queries, rules, service
from settlement.collecting.rules import Wire
from settlement.collecting.tables import CollectingAccount

router = APIRouter(route_class=OnceRoute, tags=["bank"])

_ID = "0199a3c0-7d10-7c3e-9c50-3f1f6a1f0a01"
WIRE_EXAMPLE: dict[str, JsonValue] = {
    "beneficiary": "示范银行客户资金监管专户",
    "account_name": "监管账户 (escrow)",
    "scheme": "cnaps",
    "number": "6222020200012345678",
    "bank_code": "102100099996",
    "bic": None,
    "bank_name": "示范银行北京分行",
    "custody": True,
    "reference": "RF79UHDX2026000001",
    "amount_minor": 100_000_000,
    "currency": "CNY",
    "due_on": "2026-12-07",
}


class WireOut(Shape):
    """What to write into a bank transfer; the reference alone tells whose money it is.

    `custody`: a licensed bank holds the account (监管账户), and the exchange only instructs it.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [WIRE_EXAMPLE]})

    beneficiary: str
    account_name: str
    scheme: Literal["iban", "cnaps"]
    number: str
    bank_code: Annotated[str | None, Field(description="The bank's twelve digits (CNAPS 行号).")]
    bic: str | None
    bank_name: str
    custody: bool
    reference: Annotated[str, Field(description="ISO 11649, with check digits.")]
    amount_minor: int
    currency: str
    due_on: Annotated[str | None, Field(description="The last day that is in time, in China.")]


class CollectingIn(Shape):
    """The account that is to collect its currency."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"account_id": _ID}]})

    account_id: UUID


class CollectingOut(Shape):
    """That an account collects a currency; `content_sha256` is over what is decided."""

    id: UUID
    account_id: UUID
    account_name: str
    number: str
    currency: str
    state: Literal["proposed", "approved", "refused", "ended"]
    content_sha256: str
    proposed_by: UUID
    proposed_at: AwareDatetime
    decided_by: UUID | None
    decided_at: AwareDatetime | None
    reason: str | None
    ended_at: AwareDatetime | None


class CollectingsOut(Shape):
    """What is in force and what waits, by currency."""

    items: Sequence[CollectingOut]


@router.put(
    "/bank/collecting/{proposal_id}",
    status_code=201,
    responses={
        200: {"model": CollectingOut, "description": "It was proposed before."},
        **problems.signed(
            Malformed, Unknown, IdReused, rules.CollectingWaits,
            rules.AccountCannotCollect,
        ),
    },
)  # fmt: skip
async def propose_collecting(
    proposal_id: UUID,
    body: CollectingIn,
    response: Response,
    session: Session,
    caller: Signed,
    now: Now,
) -> CollectingOut:
    """Propose that wires in an account's currency go to it (经办); another person decides."""
    caller.need("money", Role.OPERATOR, Role.APPROVER)
    proposal, new = await service.propose(
        session, proposal_id, account_id=body.account_id, person_id=caller.person_id, now=now
    )
    response.status_code = 201 if new else 200
    return await _out(session, proposal)


@router.get("/bank/collecting", responses=problems.signed())
async def list_collecting(session: Session, caller: Signed) -> CollectingsOut:
    """Show where each currency is wired, and what waits for a decision, for staff."""
    caller.need("read", *STAFF)
    found = await queries.standing(session)
    return CollectingsOut(items=[_shown(one, account) for one, account in found])


@router.post(
    "/bank/collecting/{proposal_id}/approval", responses=problems.responses(*DECIDED, *PROVING)
)
async def approve_collecting(
    proposal_id: UUID, body: ApprovalIn, session: Session, caller: Signed, now: Now
) -> CollectingOut:
    """Approve where a currency is wired (复核): from now on every payer is told this account."""
    decision = await approving(session, caller, body, now=now)
    done = await service.approve(session, proposal_id, decision=decision, now=now)
    return await _out(session, done)


@router.post("/bank/collecting/{proposal_id}/refusal", responses=problems.responses(*DECIDED))
async def refuse_collecting(
    proposal_id: UUID, body: RefusalIn, session: Session, caller: Signed, now: Now
) -> CollectingOut:
    """Refuse a proposal with a reason; wires go where they went."""
    decision, reason = refusing(caller, body), body.reason.strip()
    done = await service.refuse(session, proposal_id, decision=decision, reason=reason, now=now)
    return await _out(session, done)


async def wire_of(
    session: AsyncSession,
    amount: Money,
    *,
    reference: str,
    until: datetime | None,
    now: datetime,
) -> WireOut | None:
    """Return how an amount is wired now; None where nothing is due or no account collects it."""
    if amount.amount_minor <= 0:
        return None
    found = await queries.find_wire(session, amount, reference=reference, until=until, at=now)
    return None if found is None else wire_out(found)


def wire_out(wire: Wire) -> WireOut:
    """Return what a payer writes into a transfer, as the wire carries it."""
    last = wire.last_instant
    return WireOut.model_validate(
        {
            "beneficiary": wire.holder,
            "account_name": wire.name,
            "scheme": wire.scheme,
            "number": wire.number,
            "bank_code": wire.member_id,
            "bic": wire.bic,
            "bank_name": wire.bank_name,
            "custody": wire.custody,
            "reference": wire.reference,
            "amount_minor": wire.amount_minor,
            "currency": wire.currency,
            "due_on": None if last is None else calendar.day_of(last).isoformat(),
        }
    )


async def _out(session: AsyncSession, proposal: CollectingAccount) -> CollectingOut:
    return _shown(proposal, await bank.get_account(session, proposal.account_id))


def _shown(proposal: CollectingAccount, account: BankAccount) -> CollectingOut:
    said = proposal.model_dump(exclude={"content", "sha256"})
    return CollectingOut.model_validate(
        {
            **said,
            "account_name": account.name,
            "number": account.number,
            "content_sha256": proposal.sha256,
        }
    )
