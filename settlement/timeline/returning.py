"""Reading what went back of a settlement's money: refunds, disputes and red letters, as steps."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from contracts import calendar
from contracts.money import Money
from settlement.disputes import queries as disputes
from settlement.disputes import rules as disputing
from settlement.disputes.tables import Dispute
from settlement.recoveries.tables import Recovery
from settlement.redletters import queries as red_letters
from settlement.redletters import rules as reversing
from settlement.redletters.tables import RedLetter
from settlement.refunds import queries as refunds
from settlement.refunds import rules as refunding
from settlement.refunds.tables import Refund
from settlement.timeline import rules
from settlement.timeline.rules import DECIDE_WITHIN_DAYS, STEP, Entry, Next

MOST = 200


@dataclass(frozen=True, slots=True)
class Returned:
    """The steps of what went back, what waits of it, and the objects that it is about."""

    entries: list[Entry] = field(default_factory=list)
    waiting: list[Next] = field(default_factory=list)
    subjects: list[UUID] = field(default_factory=list)  # of facts and instructions


async def of_settlement(session: AsyncSession, deal_id: UUID, invoices: Iterable[UUID]) -> Returned:
    """Return what refunds, disputes and red letters did to a settlement."""
    found = Returned()
    for refund in await refunds.of_deal(session, deal_id):
        _add_refund(found, refund)
    for refund in await refunds.to_resend(session, limit=MOST, deal_id=deal_id):
        since = refund.failed_at or refund.made_at
        due = None if since is None else rules.due_on(since, DECIDE_WITHIN_DAYS)
        found.waiting.append(Next(rules.RESEND_REFUND, "operator", due, refund.id))
    for dispute in await disputes.of_deal(session, deal_id):
        _add_dispute(found, dispute)
    for invoice_id in invoices:
        for letter in await red_letters.of_invoice(session, invoice_id):
            _add_red_letter(found, letter)
    # Transfers are reversed for what payees were paid already.
    taken = select(Recovery.id).where(col(Recovery.deal_id) == deal_id)
    found.subjects.extend((await session.scalars(taken)).all())
    return found


def _add_refund(found: Returned, row: Refund) -> None:
    found.subjects.append(row.id)
    made = Entry(
        row.prepared_at, STEP, "refund.prepared", by=row.prepared_by, amount=row.amount,
        name=None if row.resends is None else str(row.resends), note=row.reason,
    )  # fmt: skip
    found.entries.append(made)
    found.entries.extend(_decided(row, "refund.refused", "refund.approved"))
    if row.made_at is not None and (row.state == refunding.MADE or row.failed_at is not None):
        found.entries.append(
            Entry(row.made_at, STEP, "refund.made", amount=row.amount, name=row.provider_id)
        )
    failed_at = row.failed_at or row.made_at  # those that failed before it was kept tell the latter
    if row.state == refunding.FAILED and failed_at is not None:
        found.entries.append(
            Entry(failed_at, STEP, "refund.failed", amount=row.amount, name=row.provider_id)
        )
    if row.state == refunding.PREPARED:
        due = rules.due_on(row.prepared_at, DECIDE_WITHIN_DAYS)
        found.waiting.append(Next(rules.DECIDE_REFUND, "approver", due, row.id))
    elif row.state == refunding.APPROVED:
        found.waiting.append(Next(rules.WAIT_REFUND, "exchange", None, row.id))


def _add_dispute(found: Returned, row: Dispute) -> None:
    found.subjects.append(row.id)
    amount = Money(row.amount_minor, row.currency)
    found.entries.append(
        Entry(
            row.opened_at,
            STEP,
            "dispute.opened",
            amount=amount,
            name=row.provider_id,
            note=row.reason,
        )
    )
    if row.closed_at is not None:
        found.entries.append(
            Entry(row.closed_at, STEP, f"dispute.{row.state}", amount=amount, name=row.provider_id)
        )
    if row.charged_at is not None:
        found.entries.append(Entry(row.charged_at, STEP, "dispute.charged", name=row.provider_id))
    if row.state in (disputing.INQUIRY, disputing.RECEIVED):
        until = row.evidence_due_at
        due = None if until is None else calendar.day_of(until)
        found.waiting.append(Next(rules.EVIDENCE, "operator", due, row.id))
    elif row.state == disputing.UNDER_REVIEW:
        found.waiting.append(Next(rules.JUDGED, "bank", None, row.id))


def _add_red_letter(found: Returned, row: RedLetter) -> None:
    if row.prepared_by is not None:
        found.entries.append(
            Entry(
                row.prepared_at,
                STEP,
                "red-letter.prepared",
                by=row.prepared_by,
                amount=row.ask().amount,
                note=row.reason,
            )
        )
    found.entries.extend(_decided(row, "red-letter.refused", "red-letter.issued"))
    if row.state == reversing.PREPARED:
        due = rules.due_on(row.prepared_at, DECIDE_WITHIN_DAYS)
        found.waiting.append(Next(rules.DECIDE_RED_LETTER, "approver", due, row.id))


def _decided(row: Refund | RedLetter, refused: str, approved: str) -> Sequence[Entry]:
    """Return the step of a decision, if there was one; of a lost dispute's red letter by nobody."""
    if row.decided_at is None:
        return []
    number = row.number if isinstance(row, RedLetter) else None
    kind = approved if row.refused_reason is None else refused
    note = row.content_sha256 if row.refused_reason is None else row.refused_reason
    return [Entry(row.decided_at, STEP, kind, by=row.decided_by, name=number, note=note)]
