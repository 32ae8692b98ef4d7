"""Taking over a bank's report about a payment file: a rejected payment waits again, alone.

No money had left for it, so nothing is booked. What the statement has shown meanwhile stands, and
what is only accepted still waits for the statement.
"""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from contracts import ids, locking
from contracts.facts import service as facts
from contracts.money import Money
from settlement.bank import queries, report, rules, service, storing
from settlement.bank.report import Report, Status
from settlement.bank.tables import BankReport, BankReportItem, PaymentBatch, PaymentItem
from settlement.refunds import service as refunds


@dataclass(frozen=True, slots=True)
class Reported:
    """A report as it is kept, about which file, and whether it is new."""

    row: BankReport
    batch: PaymentBatch
    is_new: bool


async def import_report(
    session: AsyncSession, raw: bytes, said: Report, *, person_id: UUID, now: datetime
) -> Reported:
    """Take over a report, whole or not at all; the same report again changes nothing.

    Args:
        session: the transaction of the import.
        raw: the file.
        said: what `report.read` found in it.
        person_id: who imports it.
        now: the instant.

    Raises:
        ReportUnknownFile: it is about no file that was given to a bank here.
        ReportDiffers: it names what the file does not have.
        ReportIdReused: the bank's id is known with other content.
    """
    batch = await _about(session, said)
    items = {item.end_to_end_id: item for item in await queries.items(session, batch.id)}
    _check_fits(said, batch, set(items))
    told = {name: said.payments.get(name, said.rest) for name in sorted(items)}
    file, _ = await storing.keep_file(session, raw, person_id=person_id, now=now)
    known = await _known(session, batch, said, {name: one for name, one in told.items() if one})
    if known is not None:
        return Reported(known, batch, False)
    counts = Counter(one.outcome for one in told.values() if one is not None)
    row = BankReport(
        id=ids.new(now),
        file_id=file.id,
        batch_id=batch.id,
        report_id=said.report_id,
        accepted=counts[report.TAKEN],
        pending=counts[report.WAITS],
        rejected=counts[report.REFUSED],
        imported_at=now,
    )
    session.add(row)
    await session.flush()
    for name, status in told.items():
        if status is not None:
            await _take(session, row, items[name], status, now=now)
    await session.flush()
    await service.settle(session, batch.id)
    await _tell(session, row, batch, now=now)
    return Reported(row, batch, True)


async def _about(session: AsyncSession, said: Report) -> PaymentBatch:
    named = col(PaymentBatch.message_id) == said.message_id
    batch = await locking.find_locked(session, PaymentBatch, named)
    if batch is None or batch.given_at is None:
        raise rules.ReportUnknownFile(
            "The report is about no payment file that was given out.", message=said.message_id
        )
    return batch


def _check_fits(said: Report, batch: PaymentBatch, named: set[str]) -> None:
    total = Money(batch.sum_minor, batch.currency)
    others = sorted(set(said.payments) - named)
    if others:
        raise rules.ReportDiffers("A payment is not in the file.", field=others[0])
    if said.count is not None and said.count != batch.items:
        raise rules.ReportDiffers("The file has another number of payments.", field="OrgnlNbOfTxs")
    if said.sum_text is not None and (
        rules.minor(said.sum_text, batch.currency, point=".") != total.amount_minor
    ):
        raise rules.ReportDiffers("The file has another sum.", field="OrgnlCtrlSum")


async def _known(
    session: AsyncSession, batch: PaymentBatch, said: Report, told: dict[str, Status]
) -> BankReport | None:
    """Return the report of this id, if it says the same."""
    wanted = select(BankReport).where(
        col(BankReport.batch_id) == batch.id, col(BankReport.report_id) == said.report_id
    )
    known = (await session.scalars(wanted)).one_or_none()
    if known is None:
        return None
    rows = (
        select(PaymentItem.end_to_end_id, BankReportItem.status, BankReportItem.reason)
        .join(BankReportItem, col(BankReportItem.item_id) == col(PaymentItem.id))
        .where(col(BankReportItem.report_id) == known.id)
    )
    before = {name: Status(code, reason) for name, code, reason in await session.execute(rows)}
    if before != told:
        raise rules.ReportIdReused("A report of this id said other things.", report=said.report_id)
    return known


async def _take(
    session: AsyncSession, row: BankReport, item: PaymentItem, status: Status, *, now: datetime
) -> None:
    applied = status.outcome == report.REFUSED and item.state == rules.INSTRUCTED
    session.add(
        BankReportItem(
            report_id=row.id,
            item_id=item.id,
            status=status.code,
            reason=status.reason,
            outcome=status.outcome,
            was_applied=applied,
        )
    )
    if not applied:
        return
    # An account that is at fault is not tried again; whatever else it was, the next file may.
    item.state = rules.RETURNED if status.blames_account else rules.FAILED
    item.return_reason = status.reason
    await session.flush()
    if item.refund_id is not None:
        await refunds.rejected(session, item.refund_id, report=f"report:{row.id}", now=now)
        return
    if item.payout_id is None or item.party_id is None:
        return  # a remittance: the file's report says it to the staff
    record = {
        "payout": str(item.payout_id),
        "party": str(item.party_id),
        "amount_minor": item.amount_minor,
        "currency": item.currency,
        "reason": item.return_reason,
    }
    told = [item.party_id]
    await facts.record(session, "transfer.rejected", item.payout_id, record, parties=told, now=now)


async def _tell(
    session: AsyncSession, row: BankReport, batch: PaymentBatch, *, now: datetime
) -> None:
    record = {
        "file": str(batch.id),
        "message": batch.message_id,
        "report": row.report_id,
        "accepted": row.accepted,
        "pending": row.pending,
        "rejected": row.rejected,
    }
    await facts.record(session, "payment-file.reported", row.id, record, parties=[], now=now)
