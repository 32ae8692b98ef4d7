"""Reading the whole way of a settlement's money out of the rows that were written on it."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from contracts.facts.tables import Fact
from contracts.log.tables import LogEntry
from contracts.money import Money
from settlement.approvals import rules as approvals
from settlement.approvals.tables import Approval
from settlement.invoices.rules import FAILED, SUCCEEDED
from settlement.invoices.tables import Invoice, Payment
from settlement.ledger.tables import LedgerAccount, LedgerJournal, LedgerPosting
from settlement.outbound.tables import Outbound
from settlement.payouts.tables import Payout
from settlement.plans import queries as plans
from settlement.plans.tables import Settlement
from settlement.timeline import returning, rules
from settlement.timeline.rules import FACT, JOURNAL, STEP, Entry, Next


async def of_settlement(
    session: AsyncSession, deal_id: UUID
) -> tuple[Settlement, list[Entry], list[Next]]:
    """Return a settlement, all that happened on its way by time, and what waits, soonest first.

    Raises:
        Unknown: there is no such settlement.
    """
    settlement = await plans.get_settlement(session, deal_id)
    made = [Entry(settlement.planned_at, STEP, "settlement.planned", amount=settlement.gross)]
    subjects = [deal_id]
    late_from, invoiced = None, select(Invoice).where(col(Invoice.deal_id) == deal_id)
    for invoice in (await session.scalars(invoiced)).all():
        subjects.append(invoice.id)
        late_from = invoice.due_at
        issued, *settled = _of_invoice(invoice)
        made += [issued, *await _of_payments(session, invoice.id, subjects), *settled]
    for payout in await session.scalars(select(Payout).where(col(Payout.deal_id) == deal_id)):
        subjects.append(payout.id)
        made += await _of_payout(session, payout)
    back = await returning.of_settlement(session, deal_id, subjects[1:])
    made, subjects = made + back.entries, subjects + back.subjects
    made += await _instructions(session, subjects)
    made += await _journals(session, deal_id)
    made += await _facts(session, subjects)
    entries = rules.ordered(made)
    following = rules.next_of(settlement.state, entries, late_from=late_from)
    waiting = [*back.waiting, *([] if following is None else [following])]
    return settlement, entries, rules.soonest(waiting)


def _of_invoice(invoice: Invoice) -> list[Entry]:
    made = [
        Entry(invoice.issued_at, STEP, "invoice.issued", amount=invoice.amount, name=invoice.number)
    ]
    if invoice.paid_at is not None:
        made.append(Entry(invoice.paid_at, STEP, "invoice.paid", name=invoice.number))
    return made


async def _of_payments(
    session: AsyncSession, invoice_id: UUID, subjects: list[UUID]
) -> list[Entry]:
    made = []
    for one in await session.scalars(select(Payment).where(col(Payment.invoice_id) == invoice_id)):
        subjects.append(one.id)
        amount = Money(one.amount_minor, one.currency)
        made.append(
            Entry(one.requested_at, STEP, "payment.requested", amount=amount, note=one.method)
        )
        if one.settled_at is not None and one.state in (SUCCEEDED, FAILED):
            kind, name = f"payment.{one.state}", one.charge_id or one.provider_id
            made.append(Entry(one.settled_at, STEP, kind, amount=amount, name=name))
    return made


async def _of_payout(session: AsyncSession, payout: Payout) -> list[Entry]:
    prepared = Entry(
        payout.prepared_at,
        STEP,
        "payout.prepared",
        by=payout.prepared_by,
        note=payout.content_sha256,
    )
    decided = await session.scalars(
        select(Approval).where(
            col(Approval.object_type) == "payout", col(Approval.object_id) == payout.id
        )
    )
    made = [prepared] + [
        Entry(
            one.decided_at,
            STEP,
            f"payout.{one.outcome}",
            by=one.checker_id,
            note=one.reason if one.outcome == approvals.REFUSED else one.object_hash,
        )
        for one in decided
    ]
    if payout.paid_at is not None:
        made.append(Entry(payout.paid_at, STEP, "payout.paid"))
    return made


async def _instructions(session: AsyncSession, objects: Sequence[UUID]) -> list[Entry]:
    """Return what was asked of the provider: when it was sent last, and how it ended."""
    made = []
    for row in await session.scalars(select(Outbound).where(col(Outbound.object_id).in_(objects))):
        made.append(Entry(row.created_at, STEP, "instruction.written", note=row.op))
        if row.last_sent_at is not None:
            sent = f"{row.op}, {row.tries}" + (f": {row.fault}" if row.fault else "")
            made.append(Entry(row.last_sent_at, STEP, "instruction.sent", note=sent))
        if row.done_at is not None:
            made.append(
                Entry(
                    row.done_at, STEP, f"instruction.{row.state}", name=row.provider_id, note=row.op
                )
            )
    return made


async def _journals(session: AsyncSession, deal_id: UUID) -> list[Entry]:
    wanted = (
        select(LedgerJournal, LedgerPosting, LedgerAccount.code)
        .join(LedgerPosting, col(LedgerPosting.journal_id) == col(LedgerJournal.id))
        .join(LedgerAccount, col(LedgerAccount.id) == col(LedgerPosting.account_id))
        .where(col(LedgerJournal.deal_id) == deal_id)
        .order_by(col(LedgerJournal.id), col(LedgerPosting.line))
    )
    journals: dict[int | None, tuple[LedgerJournal, list[tuple[str, Money]]]] = {}
    for journal, posting, code in await session.execute(wanted):
        _, lines = journals.setdefault(journal.id, (journal, []))
        lines.append((code, Money(posting.amount_minor, posting.currency)))
    return [
        Entry(
            journal.effective_at,
            JOURNAL,
            journal.kind,
            by=_person(journal.actor),
            name=str(journal.id),
            number=journal.id,
            note=journal.reason or journal.idem_key,
            lines=tuple(lines),
        )
        for journal, lines in journals.values()
    ]


def _person(actor: str) -> UUID | None:
    """Return who booked a journal, where a person did; the exchange itself is nobody."""
    try:
        return UUID(actor)
    except ValueError:
        return None


async def _facts(session: AsyncSession, subjects: Sequence[UUID]) -> list[Entry]:
    wanted = (
        select(Fact.kind, Fact.recorded_at, LogEntry.seq)
        .outerjoin(LogEntry, col(LogEntry.fact_id) == col(Fact.id))
        .where(col(Fact.subject).in_(subjects))
        .order_by(col(Fact.recorded_at), col(Fact.id))
    )
    return [
        Entry(at, FACT, kind, name=None if leaf is None else f"#{leaf}", number=leaf)
        for kind, at, leaf in await session.execute(wanted)
    ]
