"""Money at the bank that nothing explains yet (待核销), and its release by two people."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import AwareDatetime, ConfigDict, Field
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import calendar, canonical
from contracts.refusal import IdReused, InvalidContent, Malformed, Unknown
from exchange.api import problems
from exchange.api.decisions import DECIDING, PROVING, ApprovalIn, RefusalIn, approving, refusing
from exchange.api.deps import Limit, Now, Session, Shape, Signed, next_after, page_after
from exchange.api.once import OnceRoute
from exchange.identity.rules import STAFF, Role
from settlement.bank import queries as bank
from settlement.bank.rules import CustodyMoney
from settlement.bank.tables import BankEntry
from settlement.reconciliation import queries, releasing, rules
from settlement.reconciliation.rules import Part
from settlement.reconciliation.tables import ReconMatch, SuspenseItem

router = APIRouter(route_class=OnceRoute, tags=["bank"])

MOST = 200
_DECIDING = (*DECIDING, rules.ReleaseDecided, rules.ReleaseSamePerson, rules.ReleaseChanged)
_ID = "0199a3c0-7d10-7c3e-9c50-3f1f6a1f0a01"


class SuggestionOut(Shape):
    """An invoice that money was perhaps meant for; a person decides, whatever the score."""

    invoice_id: UUID
    number: str
    due_minor: int
    score: int


class SuspenseOut(Shape):
    """Money that nothing explains yet: whose task it is, since when, until when."""

    id: UUID
    account_id: UUID
    cause: Literal["unmatched", "opening", "overpaid"]
    invoice_id: Annotated[
        UUID | None, Field(description="The one invoice that it names: a part, or too much.")
    ]
    amount_minor: Annotated[int, Field(description="A credit is positive.")]
    currency: str
    owner_id: UUID
    opened_at: AwareDatetime
    age_days: int
    due_on: date
    overdue: bool
    release_id: UUID | None
    name: str | None
    text: str | None
    booked_on: date | None
    suggestions: Sequence[SuggestionOut]


class SuspensePage(Shape):
    """A page of suspended money."""

    items: Sequence[SuspenseOut]
    next: UUID | None


class ReleasePart(Shape):
    """What a part of the money is: an invoice paid, a payment made, a sweep, or an account."""

    kind: Literal["invoice", "payment", "sweep", "account"]
    name: Annotated[str, Field(max_length=40, description="An id, or one of the accounts named.")]
    amount_minor: Annotated[
        int, Field(strict=True, ge=-(10**13), le=10**13, description="As on the statement.")
    ]


class ReleaseIn(Shape):
    """Suspended items and what they are; both make the same amount."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "items": [_ID],
                    "parts": [
                        {"kind": "invoice", "name": _ID, "amount_minor": 120_000_000},
                        {"kind": "account", "name": "bank-fees", "amount_minor": -1_500},
                    ],
                }
            ]
        }
    )

    items: Annotated[list[UUID], Field(min_length=1, max_length=rules.MOST_SIDES)]
    parts: Annotated[list[ReleasePart], Field(min_length=1, max_length=rules.MOST_SIDES)]


class ReleaseOut(Shape):
    """A release of suspended money: proposed by one person, decided by another."""

    id: UUID
    account_id: UUID
    state: Literal["proposed", "approved", "refused"]
    content_sha256: str
    proposed_by: UUID
    proposed_at: AwareDatetime
    decided_by: UUID | None
    decided_at: AwareDatetime | None
    reason: str | None
    items: Sequence[UUID]
    parts: Sequence[ReleasePart]


class ReleasesOut(Shape):
    """Releases that wait for a decision."""

    items: Sequence[ReleaseOut]


@router.get("/bank/suspense", responses=problems.signed())
async def list_suspense(
    session: Session,
    caller: Signed,
    now: Now,
    after: UUID | None = None,
    limit: Limit = 50,
) -> SuspensePage:
    """List the money that nothing explains yet, with what it may be, for staff."""
    caller.need("read", *STAFF)
    rows = await queries.open_items(session, after=page_after(after), limit=limit)
    entries = await bank.entries_by_id(session, [row.entry_id for row in rows if row.entry_id])
    today = calendar.day_of(now)
    items = [await _suspense(session, row, entries, today=today) for row in rows]
    return SuspensePage(items=items, next=next_after(rows, limit))


@router.put(
    "/bank/releases/{release_id}",
    status_code=201,
    responses={
        200: {"model": ReleaseOut, "description": "It was proposed before."},
        **problems.signed(
            Malformed,
            Unknown,
            IdReused,
            rules.SuspenseNotOpen,
            rules.SuspenseUneven,
            CustodyMoney,
        ),
    },
)
async def propose_release(
    release_id: UUID,
    body: ReleaseIn,
    response: Response,
    session: Session,
    caller: Signed,
    now: Now,
) -> ReleaseOut:
    """Propose what suspended money is (经办); another person decides."""
    caller.need("money", Role.OPERATOR, Role.APPROVER)
    release, new = await releasing.propose(
        session,
        release_id,
        items=body.items,
        parts=[_part(part) for part in body.parts],
        person_id=caller.person_id,
        now=now,
    )
    response.status_code = 201 if new else 200
    return release_out(release)


@router.get("/bank/releases", responses=problems.signed())
async def list_releases(session: Session, caller: Signed) -> ReleasesOut:
    """List the releases that wait for a decision, the oldest first, for staff."""
    caller.need("read", *STAFF)
    rows = await queries.proposed(session, limit=MOST)
    return ReleasesOut(items=[release_out(row) for row in rows])


@router.get("/bank/releases/{release_id}", responses=problems.signed(Unknown))
async def get_release(release_id: UUID, session: Session, caller: Signed) -> ReleaseOut:
    """Return a release, for staff."""
    caller.need("read", *STAFF)
    return release_out(await queries.get_release(session, release_id))


@router.post(
    "/bank/releases/{release_id}/approval", responses=problems.responses(*_DECIDING, *PROVING)
)
async def approve_release(
    release_id: UUID, body: ApprovalIn, session: Session, caller: Signed, now: Now
) -> ReleaseOut:
    """Approve a release that another person proposed (复核); it is booked at once."""
    decision = await approving(session, caller, body, now=now)
    return release_out(await releasing.approve(session, release_id, decision=decision, now=now))


@router.post("/bank/releases/{release_id}/refusal", responses=problems.responses(*_DECIDING))
async def refuse_release(
    release_id: UUID, body: RefusalIn, session: Session, caller: Signed, now: Now
) -> ReleaseOut:
    """Refuse a release that another person proposed; its items wait as before."""
    decision, reason = refusing(caller, body), body.reason.strip()
    release = await releasing.refuse(session, release_id, decision=decision, reason=reason, now=now)
    return release_out(release)


def release_out(release: ReconMatch) -> ReleaseOut:
    """Return a release as it is told."""
    content = canonical.loads(release.content)
    said = release.model_dump(
        include={"id", "account_id", "state", "proposed_by", "decided_by", "decided_at", "reason"}
    )
    return ReleaseOut.model_validate(
        {
            **said,
            "content_sha256": release.sha256,
            "proposed_at": release.made_at,
            "items": content["items"],
            "parts": content["parts"],
        }
    )


def _part(part: ReleasePart) -> Part:
    if part.kind == "account":
        if part.name not in rules.TARGETS:
            raise InvalidContent("No such account.", field="parts", known=sorted(rules.TARGETS))
        return Part(part.kind, part.name, part.amount_minor)
    try:
        return Part(part.kind, str(UUID(part.name)), part.amount_minor)
    except ValueError as wrong:
        raise InvalidContent("An id is no id.", field="parts") from wrong


async def _suspense(
    session: AsyncSession,
    item: SuspenseItem,
    entries: Mapping[UUID, BankEntry],
    *,
    today: date,
) -> SuspenseOut:
    entry = entries.get(item.entry_id) if item.entry_id else None
    told = (
        await queries.suggestions(session, item.currency, entry.entry())
        if entry is not None and entry.amount_minor > 0
        else []
    )
    said = item.model_dump(exclude={"entry_id", "state", "match_id", "released_at"})
    return SuspenseOut(
        **said,
        age_days=(today - calendar.day_of(item.opened_at)).days,
        overdue=item.due_on < today,
        release_id=item.match_id,
        name=entry.name if entry else None,
        text=entry.text if entry else None,
        booked_on=entry.booked_on if entry else None,
        suggestions=[
            SuggestionOut(
                invoice_id=one.invoice_id, number=one.number, due_minor=one.due_minor,
                score=one.score,
            )
            for one in told
        ],
    )  # fmt: skip
