"""The way of one settlement's money, for staff."""

from collections.abc import Sequence
from datetime import date
from typing import Literal
from uuid import UUID

from fastapi import APIRouter
from pydantic import AwareDatetime, ConfigDict, JsonValue

from contracts.refusal import Unknown
from exchange.api import problems
from exchange.api.deps import Session, Shape, Signed
from exchange.identity.rules import STAFF
from settlement.timeline import queries
from settlement.timeline.rules import Entry

router = APIRouter(tags=["settlements"])

_REFUSALS = (*problems.SIGNED, Unknown)
_ID = "0199a3c0-7d10-7c3e-9c50-3f1f6a1f0a01"
_NEXT: JsonValue = {
    "kind": "prepare", "role": "operator", "due_on": "2026-11-25", "about": None,
}  # fmt: skip


class PostingOut(Shape):
    """A line of a journal: debit positive, credit negative."""

    account: str
    amount_minor: int
    currency: str


class EntryOut(Shape):
    """One line: a step of somebody's work, a journal in the books, or a fact in the log."""

    at: AwareDatetime
    source: Literal["step", "journal", "fact"]
    kind: str
    by: UUID | None
    amount_minor: int | None
    currency: str | None
    name: str | None
    note: str | None
    lines: Sequence[PostingOut]


class NextOut(Shape):
    """What has to happen next, who does it, and by the end of which day (Beijing).

    `about` is the refund, dispute or red letter that waits.
    """

    kind: Literal[
        "pay", "prepare", "decide", "wait", "decide-refund", "wait-refund", "resend-refund",
        "decide-red-letter", "evidence", "judged",
    ]  # fmt: skip
    role: Literal["broadcaster", "operator", "approver", "exchange", "bank"]
    due_on: date | None
    about: UUID | None


class TimelineOut(Shape):
    """All that happened to the money of a settlement (结算时间线), by time.

    `waiting` is all that has to happen, what is due first before the rest; `next` is its first.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "deal_id": _ID,
                    "state": "funded",
                    "next": _NEXT,
                    "waiting": [_NEXT],
                    "entries": [
                        {
                            "at": "2026-11-22T09:00:00Z",
                            "source": "step",
                            "kind": "invoice.paid",
                            "by": None,
                            "amount_minor": None,
                            "currency": None,
                            "name": "UHDX-2026-000001",
                            "note": None,
                            "lines": [],
                        }
                    ],
                }
            ]
        }
    )

    deal_id: UUID
    state: Literal["awaiting_payment", "funded", "paying", "paid_out"]
    next: NextOut | None
    waiting: Sequence[NextOut]
    entries: Sequence[EntryOut]


@router.get("/settlements/{deal_id}/timeline", responses=problems.responses(*_REFUSALS))
async def get_settlement_timeline(deal_id: UUID, session: Session, caller: Signed) -> TimelineOut:
    """Return every step of a settlement's money, its journals and facts, and what comes next."""
    caller.need("read", *STAFF)
    settlement, entries, found = await queries.of_settlement(session, deal_id)
    waiting = [NextOut.model_validate(one, from_attributes=True) for one in found]
    return TimelineOut(
        deal_id=deal_id,
        state=settlement.state,
        next=waiting[0] if waiting else None,
        waiting=waiting,
        entries=[_out(entry) for entry in entries],
    )


def _out(entry: Entry) -> EntryOut:
    return EntryOut(
        at=entry.at,
        source=entry.source,
        kind=entry.kind,
        by=entry.by,
        amount_minor=entry.amount and entry.amount.amount_minor,
        currency=entry.amount and entry.amount.currency,
        name=entry.name,
        note=entry.note,
        lines=[
            PostingOut(account=code, amount_minor=paid.amount_minor, currency=paid.currency)
            for code, paid in entry.lines
        ],
    )
