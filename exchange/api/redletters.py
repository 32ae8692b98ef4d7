"""Red letters (红字): invoices taken back, wholly or in part, by two people."""

from collections.abc import Sequence
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import AwareDatetime, ConfigDict, Field

from contracts.deals import glyphs
from contracts.deals.gateway import PressFailed
from contracts.deals.terms import TextCannotBePrinted
from contracts.money import MOST_MINOR, Money
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
from exchange.api.invoices import PDF, pdf_of
from exchange.api.once import OnceRoute
from exchange.identity.rules import Role
from settlement.invoices import printing
from settlement.invoices import queries as invoices
from settlement.invoices.gateway import INVOICE
from settlement.invoices.printing import Red
from settlement.invoices.rules import PaymentOpen
from settlement.redletters import queries, rules, service
from settlement.redletters.rules import (
    Ask,
    RedLetterNeedsRefund,
    RedLetterNotIssued,
    RedLetterOpen,
    RedLetterTooLarge,
    RefundHasRedLetter,
)
from settlement.redletters.tables import RedLetter

router = APIRouter(route_class=OnceRoute, tags=["red-letters"])

_ROOM = (RedLetterTooLarge, RedLetterNeedsRefund, RefundHasRedLetter, PaymentOpen)
ReasonCode = Literal["error", "return", "service-ended", "allowance"]


class RedLetterIn(Shape):
    """Which invoice is taken back, how much of it, and why.

    The reasons are 开票有误, 销货退回, 服务中止 and 销售折让, in the order of their numbers.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "invoice_id": EXAMPLE_ID,
                    "amount_minor": 500_000,
                    "currency": "CNY",
                    "reason_code": "allowance",
                    "reason": "画质折让 (allowance)",
                }
            ]
        }
    )

    invoice_id: UUID
    amount_minor: Annotated[int, Field(strict=True, gt=0, le=MOST_MINOR)]
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")]
    reason_code: ReasonCode
    reason: Annotated[str, Field(min_length=1, max_length=rules.LONGEST_REASON, pattern=r"\S")]
    refund_id: Annotated[
        UUID | None, Field(description="Of a paid invoice: the refund it stands for.")
    ] = None


class RedLetterOut(Shape):
    """A red letter: `content_sha256` is over everything it says; amounts are positive."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": EXAMPLE_ID,
                    "number": "UHDXR-2026-000001",
                    "invoice_id": EXAMPLE_ID,
                    "refund_id": None,
                    "dispute_id": None,
                    "amount_minor": 500_000,
                    "tax_minor": 28_302,
                    "currency": "CNY",
                    "reason_code": "allowance",
                    "reason": "画质折让 (allowance)",
                    "state": "issued",
                    "content_sha256": EXAMPLE_HASH,
                    "prepared_by": EXAMPLE_ID,
                    "prepared_at": "2026-11-22T09:00:00Z",
                    "decided_by": EXAMPLE_ID,
                    "decided_at": "2026-11-22T09:30:00Z",
                    "refused_reason": None,
                }
            ]
        }
    )

    id: UUID
    number: str | None
    invoice_id: UUID
    refund_id: UUID | None
    dispute_id: Annotated[
        UUID | None, Field(description="The lost dispute that it follows; then nobody decided it.")
    ]
    amount_minor: int
    tax_minor: Annotated[int, Field(description="The VAT that goes back with it.")]
    currency: str
    reason_code: ReasonCode
    reason: str
    state: Literal["prepared", "issued", "refused"]
    content_sha256: str
    prepared_by: UUID | None
    prepared_at: AwareDatetime
    decided_by: UUID | None
    decided_at: AwareDatetime | None
    refused_reason: str | None


class RedLetterPage(Shape):
    """A page of red letters."""

    items: Sequence[RedLetterOut]
    next: UUID | None


@router.put(
    "/red-letters/{red_letter_id}",
    status_code=201,
    responses={
        200: {"model": RedLetterOut, "description": "It was prepared before."},
        **problems.signed(Malformed, Unknown, IdReused, RedLetterOpen, TextCannotBePrinted, *_ROOM),
    },
)
async def prepare_red_letter(
    red_letter_id: UUID,
    body: RedLetterIn,
    response: Response,
    session: Session,
    caller: Signed,
    now: Now,
) -> RedLetterOut:
    """Prepare a red letter of an invoice (经办); another person decides it.

    Of an invoice that is not paid it lowers what is owed. A paid one is refunded first.
    """
    caller.need("money", Role.OPERATOR, Role.APPROVER)
    reason = body.reason.strip()
    await glyphs.need_printable(reason=reason)
    amount = Money(body.amount_minor, body.currency)
    ask = Ask(body.invoice_id, amount, body.reason_code, reason, body.refund_id)
    row, new = await service.prepare(
        session, red_letter_id, ask=ask, person_id=caller.person_id, now=now
    )
    if not new:
        response.status_code = 200
    return _out(row)


@router.post(
    "/red-letters/{red_letter_id}/approval",
    responses=problems.responses(*DECIDED, *PROVING, *_ROOM),
)
async def approve_red_letter(
    red_letter_id: UUID, body: ApprovalIn, session: Session, caller: Signed, now: Now
) -> RedLetterOut:
    """Approve a red letter that another person prepared (复核); it gets its number."""
    decision = await approving(session, caller, body, now=now)
    return _out(await service.approve(session, red_letter_id, decision=decision, now=now))


@router.post("/red-letters/{red_letter_id}/refusal", responses=problems.responses(*DECIDED))
async def refuse_red_letter(
    red_letter_id: UUID, body: RefusalIn, session: Session, caller: Signed, now: Now
) -> RedLetterOut:
    """Refuse a red letter that another person prepared, with a reason."""
    decision, reason = refusing(caller, body), body.reason.strip()
    return _out(
        await service.refuse(session, red_letter_id, decision=decision, reason=reason, now=now)
    )


@router.get("/red-letters", responses=problems.signed())
async def list_red_letters(
    session: Session,
    caller: Signed,
    after: UUID | None = None,
    limit: Limit = 50,
) -> RedLetterPage:
    """List the red letters of one's own invoices; staff see everybody's, undecided ones too."""
    caller.need("read")
    rows = await queries.page(
        session, party_id=caller.for_party, after=page_after(after), limit=limit
    )
    return RedLetterPage(items=[_out(row) for row in rows], next=next_after(rows, limit))


@router.get("/red-letters/{red_letter_id}", responses=problems.signed(Unknown))
async def get_red_letter(red_letter_id: UUID, session: Session, caller: Signed) -> RedLetterOut:
    """Return a red letter to staff, and once it is issued to the buyer and the seller."""
    caller.need("read")
    return _out(await queries.get_red_letter(session, red_letter_id, party_id=caller.for_party))


@router.get(
    "/red-letters/{red_letter_id}/pdf",
    response_class=Response,
    responses={
        **PDF,
        **problems.signed(Unknown, RedLetterNotIssued, PressFailed),
    },
)
async def print_red_letter(red_letter_id: UUID, session: Session, caller: Signed) -> Response:
    """Print a red letter in both languages, for both sides and staff."""
    caller.need("read")
    row = await queries.get_red_letter(session, red_letter_id, party_id=caller.for_party)
    if row.number is None or row.decided_at is None:
        raise RedLetterNotIssued("This red letter is not issued.", state=row.state)
    blue = await invoices.issued(session, row.invoice_id, party_id=None)
    red = Red(
        id=row.id,
        number=row.number,
        issued_at=row.decided_at,
        amount=row.amount,
        tax=Money(row.tax_minor, row.currency),
        code=rules.CODES[row.reason_code],
        kind=rules.WORDS[row.reason_code],
        reason=row.reason,
    )
    pdf = await INVOICE.print(printing.red_page(blue, red), at=red.issued_at)
    return pdf_of(pdf, red.number)


def _out(row: RedLetter) -> RedLetterOut:
    return RedLetterOut.model_validate(row.model_dump(exclude={"content"}))
