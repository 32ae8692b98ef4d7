"""The exchange's accounts at banks, how they agree with the ledger, and payment files."""

from collections.abc import Sequence
from datetime import date
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import AwareDatetime, ConfigDict, Field, StrictBool
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.money import WrongCurrency
from contracts.refusal import IdReused, Malformed, Unknown
from exchange.api import problems
from exchange.api.decisions import DECIDING, PROVING, ApprovalIn, RefusalIn, approving, refusing
from exchange.api.deps import Limit, Now, Session, Shape, Signed, next_after, page_after
from exchange.api.once import OnceRoute
from exchange.api.payees import Currency, Name, handled
from exchange.identity.rules import STAFF, Role
from settlement.bank import queries, rules, service
from settlement.bank.service import Following
from settlement.bank.tables import PaymentBatch, PaymentItem
from settlement.payees.rules import BankAccountMalformed, Details
from settlement.reconciliation import queries as positions
from settlement.reconciliation.queries import Position

router = APIRouter(route_class=OnceRoute, tags=["bank"])

_DECIDING = (*DECIDING, rules.BatchDecided, rules.BatchSamePerson, rules.BatchChanged)
_ID = "0199a3c0-7d10-7c3e-9c50-3f1f6a1f0a01"
_HASH = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
XML = "application/xml"


class FollowedIn(Shape):
    """An account of the exchange; `instruct_only`: a licensed bank holds the money (仅指令).

    `other` is a number as the bank's statements write it.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "name": "监管账户 (escrow)",
                    "scheme": "iban",
                    "number": "DE89370400440532013000",
                    "bic": "DEUTDEFF",
                    "holder": "UHD Exchange",
                    "bank_name": "Example Bank",
                    "currency": "EUR",
                    "instruct_only": True,
                }
            ]
        }
    )

    name: Name
    scheme: Literal["iban", "cnaps", "other"]
    number: Annotated[str, Field(min_length=5, max_length=50)]
    member_id: Annotated[str | None, Field(description="With `cnaps` only.")] = None
    holder: Name
    bank_name: Name
    currency: Currency
    bic: Annotated[str | None, Field(pattern="^[A-Z0-9]{4}[A-Z]{2}[A-Z0-9]{2}([A-Z0-9]{3})?$")] = (
        None
    )
    instruct_only: StrictBool = True

    def details(self) -> Details:
        """The value that the rules know.

        Raises:
            WrongCurrency: the exchange does not handle this currency.
        """
        handled(self.currency)
        return Details(
            self.scheme, self.number, self.holder, self.currency, self.bank_name, self.member_id
        )


class PositionOut(Shape):
    """An account, and how ledger, payment files and the bank's last statement agree.

    `difference_minor` is the ledger less the bank: nothing, because what nothing explains is booked
    as suspended; `suspended_minor` is that part. `in_flight_minor` was instructed and not yet seen.
    """

    id: UUID
    name: str
    scheme: Literal["iban", "cnaps", "other"]
    number: str
    currency: str
    instruct_only: bool
    closed_on: date | None
    ledger_minor: int
    bank_minor: int
    difference_minor: int
    suspended_minor: int
    in_flight_minor: int


class SuspendedOut(Shape):
    """Suspense (待核销) of a currency: `unexplained_minor` is the ledger less the named items, and
    nothing as long as nobody books past them."""

    currency: str
    ledger_minor: int
    named_minor: int
    unexplained_minor: int


class PositionsOut(Shape):
    """Every account that the ledger mirrors, and what is in suspense by currency."""

    items: Sequence[PositionOut]
    suspense: Sequence[SuspendedOut]


class BatchIn(Shape):
    """Out of which account, and on which day the bank is to pay; the payments follow from what is
    approved."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"account_id": _ID, "execute_on": "2026-11-24"}]}
    )

    account_id: UUID
    execute_on: date


class ItemOut(Shape):
    """One payment of a file: to a payee, of withheld tax, of a refund, or of a deposit."""

    id: UUID
    payout_id: UUID | None
    party_id: UUID | None
    payee_account_id: UUID | None
    remittance_id: UUID | None
    refund_id: UUID | None
    deposit_movement_id: UUID | None
    amount_minor: int
    currency: str
    end_to_end_id: str
    state: Literal["waiting", "instructed", "paid", "returned", "failed"]
    return_reason: str | None


class BatchOut(Shape):
    """A payment file (pain.001); `content_sha256` is over its bytes."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": _ID,
                    "account_id": _ID,
                    "refund_id": None,
                    "message_id": "BABCDEFGHIJKLMNO",
                    "currency": "EUR",
                    "sum_minor": 95_000_000,
                    "execute_on": "2026-11-24",
                    "state": "prepared",
                    "content_sha256": _HASH,
                    "prepared_by": _ID,
                    "prepared_at": "2026-11-22T09:00:00Z",
                    "decided_by": None,
                    "decided_at": None,
                    "reason": None,
                    "given_at": None,
                    "items": [],
                }
            ]
        }
    )

    id: UUID
    account_id: UUID
    refund_id: Annotated[UUID | None, Field(description="Approved with this refund.")]
    message_id: str
    currency: str
    sum_minor: int
    execute_on: date
    state: Literal["prepared", "approved", "refused", "settled"]
    content_sha256: str
    prepared_by: UUID
    prepared_at: AwareDatetime
    decided_by: UUID | None
    decided_at: AwareDatetime | None
    reason: str | None
    given_at: AwareDatetime | None
    items: Sequence[ItemOut]


class BatchPage(Shape):
    """A page of payment files."""

    items: Sequence[BatchOut]
    next: UUID | None


@router.put(
    "/bank/accounts/{account_id}",
    status_code=201,
    responses={
        200: {"model": PositionOut, "description": "It is followed already."},
        **problems.signed(Malformed, IdReused, WrongCurrency, BankAccountMalformed),
    },
)
async def follow_bank_account(
    account_id: UUID,
    body: FollowedIn,
    response: Response,
    session: Session,
    caller: Signed,
    now: Now,
) -> PositionOut:
    """Follow an account at a bank: its statements can be imported, payments made out of it."""
    caller.need("money", Role.APPROVER)
    following = Following(body.name, body.details(), body.bic, body.instruct_only)
    account, new = await service.open_account(
        session, account_id, account=following, person_id=caller.person_id, now=now
    )
    response.status_code = 201 if new else 200
    return position_out(await positions.position(session, account))


@router.get("/bank/accounts", responses=problems.signed())
async def list_positions(session: Session, caller: Signed) -> PositionsOut:
    """Show how ledger, payment files and bank agree on each account (三方对账), for staff."""
    caller.need("read", *STAFF)
    return PositionsOut(
        items=[position_out(one) for one in await positions.positions(session)],
        suspense=[
            SuspendedOut.model_validate(one, from_attributes=True)
            for one in await positions.suspended(session)
        ],
    )


@router.put(
    "/bank/payment-files/{batch_id}",
    status_code=201,
    responses={
        200: {"model": BatchOut, "description": "It was prepared before."},
        **problems.signed(Malformed, Unknown, IdReused, rules.BatchEmpty),
    },
)
async def prepare_payment_file(
    batch_id: UUID,
    body: BatchIn,
    response: Response,
    session: Session,
    caller: Signed,
    now: Now,
) -> BatchOut:
    """Put every approved transfer in the account's currency into a payment file (经办)."""
    caller.need("money", Role.OPERATOR, Role.APPROVER)
    batch, new = await service.prepare(
        session,
        batch_id,
        account_id=body.account_id,
        execute_on=body.execute_on,
        person_id=caller.person_id,
        now=now,
    )
    response.status_code = 201 if new else 200
    return await _out(session, batch)


@router.get("/bank/payment-files", responses=problems.signed())
async def list_payment_files(
    session: Session,
    caller: Signed,
    after: UUID | None = None,
    limit: Limit = 50,
) -> BatchPage:
    """List the payment files, without their payments, for staff."""
    caller.need("read", *STAFF)
    rows = await queries.page_of_batches(session, after=page_after(after), limit=limit)
    return BatchPage(items=[batch_out(row, ()) for row in rows], next=next_after(rows, limit))


@router.get("/bank/payment-files/{batch_id}", responses=problems.signed(Unknown))
async def get_payment_file(batch_id: UUID, session: Session, caller: Signed) -> BatchOut:
    """Return a payment file with its payments, for staff."""
    caller.need("read", *STAFF)
    return await _out(session, await queries.get_batch(session, batch_id))


@router.post(
    "/bank/payment-files/{batch_id}/document",
    response_class=Response,
    responses={
        200: {
            "description": "The file for the bank (pain.001.001.09), the same bytes each time.",
            "content": {XML: {"schema": {"type": "string", "format": "binary"}}},
        },
        **problems.signed(Unknown, rules.BatchDecided),
    },
)
async def give_payment_file(batch_id: UUID, session: Session, caller: Signed, now: Now) -> Response:
    """Give out an approved payment file, to be handed to the bank; the first time is noted."""
    caller.need("money", Role.OPERATOR, Role.APPROVER)
    content = await service.give(session, batch_id, now=now)
    named = {"Content-Disposition": f'attachment; filename="payments-{batch_id}.xml"'}
    return Response(content, media_type=XML, headers=named)


@router.post(
    "/bank/payment-files/{batch_id}/approval",
    responses=problems.responses(*_DECIDING, *PROVING),
)
async def approve_payment_file(
    batch_id: UUID, body: ApprovalIn, session: Session, caller: Signed, now: Now
) -> BatchOut:
    """Approve a payment file that another person prepared (复核)."""
    decision = await approving(session, caller, body, now=now)
    batch = await service.approve(session, batch_id, decision=decision, now=now)
    return await _out(session, batch)


@router.post("/bank/payment-files/{batch_id}/refusal", responses=problems.responses(*_DECIDING))
async def refuse_payment_file(
    batch_id: UUID, body: RefusalIn, session: Session, caller: Signed, now: Now
) -> BatchOut:
    """Refuse a payment file that another person prepared; its transfers can go into another."""
    decision, reason = refusing(caller, body), body.reason.strip()
    batch = await service.refuse(session, batch_id, decision=decision, reason=reason, now=now)
    return await _out(session, batch)


def position_out(position: Position) -> PositionOut:
    """Return an account as it is told."""
    account = position.account.model_dump(
        include={"id", "name", "scheme", "number", "currency", "instruct_only"}
    )
    return PositionOut(
        **account,
        closed_on=position.closed_on,
        ledger_minor=position.ledger_minor,
        bank_minor=position.bank_minor,
        difference_minor=position.difference_minor,
        suspended_minor=position.suspended_minor,
        in_flight_minor=position.in_flight_minor,
    )


def batch_out(batch: PaymentBatch, items: Sequence[PaymentItem]) -> BatchOut:
    """Return a payment file as it is told."""
    said = batch.model_dump(exclude={"document", "sha256", "items"})
    paid = [ItemOut.model_validate(item.model_dump(exclude={"batch_id"})) for item in items]
    return BatchOut.model_validate({**said, "content_sha256": batch.sha256, "items": paid})


async def _out(session: AsyncSession, batch: PaymentBatch) -> BatchOut:
    return batch_out(batch, await queries.items(session, batch.id))
