"""Remittances of withheld taxes (解缴): what is due, and what two people had a bank pay."""

from collections.abc import Sequence
from datetime import date
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import AwareDatetime, ConfigDict, Field
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.money import WrongCurrency
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
from exchange.api.payees import handled
from exchange.api.withholding_shapes import Tax
from exchange.identity.rules import STAFF, Role
from settlement.payees.rules import LONGEST_NAME, BankAccountMalformed, Details
from settlement.remittances import queries, rules, service
from settlement.remittances.rules import (
    AuthorityAccountMissing,
    Group,
    NothingToRemit,
    ReceiptRecorded,
    RemittanceNotPaid,
)
from settlement.remittances.tables import Remittance, TaxAuthority

router = APIRouter(route_class=OnceRoute, tags=["remittances"])

MOST_DUE = 500
Name = Annotated[str, Field(min_length=1, max_length=LONGEST_NAME, pattern=r"\S")]
Currency = Annotated[str, Field(pattern="^[A-Z]{3}$")]
Code = Annotated[str, Field(pattern="^[A-Z]{2}(-[A-Z0-9]{1,10})?$")]
_GROUP = {"authority": "CN", "tax": "withheld-income", "currency": "CNY", "period": "2026-11-23"}


class TaxAuthorityIn(Shape):
    """Where taxes withheld for an authority are paid in one currency (国库账户)."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "name_zh": "国家税务总局北京市税务局",
                    "name_en": "Beijing Municipal Tax Service",
                    "scheme": "cnaps",
                    "number": "1100123456789",
                    "member_id": "011100000003",
                    "holder": "国家金库北京市分库",
                    "bank_name": "国家金库北京市分库",
                    "currency": "CNY",
                }
            ]
        }
    )

    name_zh: Name
    name_en: Name
    scheme: Literal["iban", "cnaps"]
    number: Annotated[str, Field(min_length=8, max_length=50)]
    member_id: Annotated[str | None, Field(description="With `cnaps` only.")] = None
    holder: Name
    bank_name: Name
    currency: Currency


class TaxAuthorityOut(Shape):
    """The account of a tax authority."""

    code: str
    currency: str
    name_zh: str
    name_en: str
    scheme: Literal["iban", "cnaps"]
    number: str
    member_id: str | None
    holder: str
    bank_name: str
    updated_at: AwareDatetime


class TaxAuthorities(Shape):
    """Every account of a tax authority."""

    items: Sequence[TaxAuthorityOut]


class DueOut(Shape):
    """What waits to be remitted of one tax, currency and period."""

    authority: str
    tax: Tax
    currency: str
    period: str
    items: int
    amount_minor: int
    due_on: date


class DuesOut(Shape):
    """What waits to be remitted, the first due first."""

    items: Sequence[DueOut]


class RemittanceIn(Shape):
    """Which tax, in which currency and period; the amount follows from what was withheld."""

    model_config = ConfigDict(json_schema_extra={"examples": [{**_GROUP}]})

    authority: Code
    tax: Tax
    currency: Currency
    period: Annotated[str, Field(pattern="^[0-9]{4}-[0-9]{2}(-[0-9]{2})?$")]

    def group(self) -> Group:
        """The value that the rules know."""
        return Group(self.authority, self.tax, self.currency, self.period)


class ReceiptIn(Shape):
    """The tax office's receipt (完税凭证): its number and its day."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"number": "351106261100012345", "issued_on": "2026-11-24"}]
        }
    )

    number: Annotated[str, Field(pattern=f"^[0-9A-Za-z-]{{1,{rules.LONGEST_RECEIPT}}}$")]
    issued_on: date


class RemittedOut(Shape):
    """A withheld tax in a remittance."""

    withheld_id: UUID
    amount_minor: int


class RemittanceOut(Shape):
    """A remittance: `content_sha256` is over everything it will do."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": EXAMPLE_ID,
                    **_GROUP,
                    "due_on": "2026-11-30",
                    "amount_minor": 7_528_302,
                    "account": "cnaps:011100000003:1100123456789",
                    "holder": "国家金库北京市分库",
                    "state": "prepared",
                    "content_sha256": EXAMPLE_HASH,
                    "prepared_by": EXAMPLE_ID,
                    "prepared_at": "2026-11-23T09:00:00Z",
                    "decided_by": None,
                    "decided_at": None,
                    "reason": None,
                    "paid_at": None,
                    "receipt_no": None,
                    "receipt_on": None,
                    "items": [{"withheld_id": EXAMPLE_ID, "amount_minor": 7_528_302}],
                }
            ]
        }
    )

    id: UUID
    authority: str
    tax: Tax
    currency: str
    period: str
    due_on: date
    amount_minor: int
    account: str
    holder: str
    state: Literal["prepared", "approved", "refused", "paid"]
    content_sha256: str
    prepared_by: UUID
    prepared_at: AwareDatetime
    decided_by: UUID | None
    decided_at: AwareDatetime | None
    reason: str | None
    paid_at: AwareDatetime | None
    receipt_no: str | None
    receipt_on: date | None
    items: Sequence[RemittedOut]


class RemittancePage(Shape):
    """A page of remittances."""

    items: Sequence[RemittanceOut]
    next: UUID | None


@router.put(
    "/tax-authorities/{authority_code}",
    responses=problems.signed(Malformed, WrongCurrency, BankAccountMalformed),
)
async def record_tax_authority(
    authority_code: str,
    body: TaxAuthorityIn,
    session: Session,
    caller: Signed,
    now: Now,
) -> TaxAuthorityOut:
    """Record where taxes withheld for an authority are paid; every remittance is approved with its
    account."""
    caller.need("money", Role.OPERATOR, Role.APPROVER)
    handled(body.currency)
    account = Details(
        body.scheme, body.number, body.holder, body.currency, body.bank_name, body.member_id
    )
    row = await service.record_authority(
        session,
        authority_code,
        names=(body.name_zh, body.name_en),
        account=account,
        person_id=caller.person_id,
        now=now,
    )
    return _authority(row)


@router.get("/tax-authorities", responses=problems.signed())
async def list_tax_authorities(session: Session, caller: Signed) -> TaxAuthorities:
    """List the accounts of tax authorities, for staff."""
    caller.need("read", *STAFF)
    return TaxAuthorities(items=[_authority(one) for one in await queries.authorities(session)])


@router.get("/withholding-dues", responses=problems.signed())
async def list_withholding_dues(session: Session, caller: Signed) -> DuesOut:
    """List what was withheld and no remittance holds yet, for staff."""
    caller.need("read", *STAFF)
    dues = await queries.dues(session, limit=MOST_DUE)
    return DuesOut(
        items=[
            DueOut(
                authority=one.group.authority,
                tax=one.group.tax,
                currency=one.group.currency,
                period=one.group.period,
                items=one.items,
                amount_minor=one.amount.amount_minor,
                due_on=one.due_on,
            )
            for one in dues
        ]
    )


@router.put(
    "/remittances/{remittance_id}",
    status_code=201,
    responses={
        200: {"model": RemittanceOut, "description": "It was prepared before."},
        **problems.signed(Malformed, IdReused, NothingToRemit, AuthorityAccountMissing),
    },
)
async def prepare_remittance(
    remittance_id: UUID,
    body: RemittanceIn,
    response: Response,
    session: Session,
    caller: Signed,
    now: Now,
) -> RemittanceOut:
    """Put all that waits of a tax and period into a remittance (经办); another person decides."""
    caller.need("money", Role.OPERATOR, Role.APPROVER)
    row, new = await service.prepare(
        session, remittance_id, group=body.group(), person_id=caller.person_id, now=now
    )
    response.status_code = 201 if new else 200
    return await _out(session, row)


@router.post(
    "/remittances/{remittance_id}/approval",
    responses=problems.responses(*DECIDED, *PROVING, AuthorityAccountMissing),
)
async def approve_remittance(
    remittance_id: UUID, body: ApprovalIn, session: Session, caller: Signed, now: Now
) -> RemittanceOut:
    """Approve a remittance that another person prepared (复核); the next payment file pays it."""
    decision = await approving(session, caller, body, now=now)
    return await _out(
        session, await service.approve(session, remittance_id, decision=decision, now=now)
    )


@router.post("/remittances/{remittance_id}/refusal", responses=problems.responses(*DECIDED))
async def refuse_remittance(
    remittance_id: UUID, body: RefusalIn, session: Session, caller: Signed, now: Now
) -> RemittanceOut:
    """Refuse a remittance that another person prepared; what is in it waits as before."""
    decision, reason = refusing(caller, body), body.reason.strip()
    row = await service.refuse(session, remittance_id, decision=decision, reason=reason, now=now)
    return await _out(session, row)


@router.post(
    "/remittances/{remittance_id}/receipt",
    responses=problems.signed(Malformed, Unknown, RemittanceNotPaid, ReceiptRecorded),
)
async def record_tax_receipt(
    remittance_id: UUID, body: ReceiptIn, session: Session, caller: Signed, now: Now
) -> RemittanceOut:
    """Note the tax office's receipt of a remittance; payees' certificates name it from then on."""
    caller.need("money", Role.OPERATOR, Role.APPROVER)
    row = await service.record_receipt(
        session,
        remittance_id,
        number=body.number,
        issued_on=body.issued_on,
        person_id=caller.person_id,
        now=now,
    )
    return await _out(session, row)


@router.get("/remittances", responses=problems.signed())
async def list_remittances(
    session: Session,
    caller: Signed,
    after: UUID | None = None,
    limit: Limit = 50,
) -> RemittancePage:
    """List every remittance, for staff."""
    caller.need("read", *STAFF)
    rows = await queries.page(session, after=page_after(after), limit=limit)
    items = [await _out(session, row) for row in rows]
    return RemittancePage(items=items, next=next_after(rows, limit))


@router.get("/remittances/{remittance_id}", responses=problems.signed(Unknown))
async def get_remittance(remittance_id: UUID, session: Session, caller: Signed) -> RemittanceOut:
    """Return a remittance with what is in it, for staff."""
    caller.need("read", *STAFF)
    return await _out(session, await queries.get_remittance(session, remittance_id))


async def _out(session: AsyncSession, row: Remittance) -> RemittanceOut:
    wanted = set(RemittedOut.model_fields)
    items = await queries.items(session, row.id)
    return RemittanceOut.model_validate(
        {
            **row.model_dump(exclude={"content", "receipt_by"}),
            "items": [item.model_dump(include=wanted) for item in items],
        }
    )


def _authority(row: TaxAuthority) -> TaxAuthorityOut:
    return TaxAuthorityOut.model_validate(row.model_dump(exclude={"updated_by"}))
