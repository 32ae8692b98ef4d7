"""What waits for the staff about money: decisions, evidence, suspense, files, what is overdue."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from contracts import calendar
from contracts.deals.tables import Deal
from exchange.console import tax_queue
from exchange.console.tasks import APPROVER, MOST, OPERATOR, contracts_of, task, to_decide
from exchange.portal import names
from exchange.portal.language import Language, mark
from settlement.bank.tables import PaymentBatch
from settlement.batches import queries as batches
from settlement.clearing import queries as clearing
from settlement.clearing.tables import PspItem
from settlement.disputes.tables import Dispute
from settlement.fees import queries as fees
from settlement.invoices.tables import Invoice
from settlement.orders import queries as orders
from settlement.outbound.tables import Outbound
from settlement.payees import queries as payees
from settlement.plans.tables import Settlement
from settlement.reconciliation import queries as reconciliation
from settlement.reconciliation.rules import due_on
from settlement.reconciliation.tables import SuspenseItem
from settlement.redletters import queries as red_letters
from settlement.refunds import queries as refunds
from settlement.refunds.tables import Refund
from settlement.sweeps import queries as sweeps
from settlement.timeline.rules import DECIDE_WITHIN_DAYS

Tasks = list[dict[str, Any]]


async def waiting(session: AsyncSession, spoken: Language, *, now: datetime) -> Tasks:
    """Return all that waits about money, except payouts and deposits."""
    return [
        *await _batches(session),
        *await _orders(session),
        *await _refunds(session),
        *await _sweeps(session),
        *await _red_letters(session),
        *await _disputes(session),
        *await _suspense(session),
        *await _held(session),
        *await _differences(session),
        *await _files(session),
        *await _payees(session, spoken),
        *await tax_queue.waiting(session, spoken),
        *await _fees(session),
        *await _unpaid(session, now=now),
        *await _in_doubt(session),
    ]


async def _batches(session: AsyncSession) -> Tasks:
    return [
        to_decide(
            mark("Decide on a batch of payouts"),
            f"/console/payout-batches/{row.id}",
            row,
            whose=await names.person(session, row.prepared_by),
        )
        for row in await batches.waiting(session, limit=MOST)
    ]


async def _orders(session: AsyncSession) -> Tasks:
    return [
        to_decide(
            mark("Decide on an order to the ledger"),
            f"/console/ledger/orders/{row.id}",
            row,
            whose=row.reason,
        )
        for row in await orders.waiting(session, limit=MOST)
    ]


async def _refunds(session: AsyncSession) -> Tasks:
    wanted = select(Refund).where(col(Refund.state) == "prepared")
    rows = (await session.scalars(wanted.order_by(col(Refund.prepared_at)).limit(MOST))).all()
    failed = await refunds.to_resend(session, limit=MOST)
    deals = await contracts_of(session, [row.deal_id for row in (*rows, *failed)])
    return [
        to_decide(
            mark("Decide on a refund"),
            f"/console/refunds/{row.id}",
            row,
            whose=deals[row.deal_id].contract_no,
            amount=(row.amount_minor, row.currency),
        )
        for row in rows
    ] + [
        task(
            mark("A refund failed: send it again"),
            f"/console/refunds/{row.id}#again",
            role=OPERATOR,
            whose=deals[row.deal_id].contract_no,
            since=row.failed_at or row.made_at or row.prepared_at,
            amount=(row.amount_minor, row.currency),
            within_days=DECIDE_WITHIN_DAYS,
        )
        for row in failed
    ]


async def _sweeps(session: AsyncSession) -> Tasks:
    return [
        to_decide(
            mark("Decide on a sweep of the provider's balance"),
            f"/console/sweeps/{row.id}",
            row,
            whose=await names.person(session, row.prepared_by),
            amount=(row.amount_minor, row.currency),
        )
        for row in await sweeps.waiting(session, limit=MOST)
    ]


async def _red_letters(session: AsyncSession) -> Tasks:
    return [
        to_decide(
            mark("Decide on a red letter"),
            f"/console/red-letters/{row.id}",
            row,
            whose=row.reason,
            amount=(row.amount_minor, row.currency),
        )
        for row in await red_letters.prepared(session, limit=MOST)
    ]


async def _disputes(session: AsyncSession) -> Tasks:
    """Return disputes that the bank still takes evidence for."""
    wanted = select(Dispute).where(col(Dispute.state).in_(("inquiry", "received")))
    rows = (await session.scalars(wanted.order_by(col(Dispute.opened_at)).limit(MOST))).all()
    deals = await contracts_of(session, [row.deal_id for row in rows])
    return [
        task(
            mark("Hand in the evidence for a dispute"),
            f"/console/disputes/{row.id}",
            role=OPERATOR,
            whose=deals[row.deal_id].contract_no,
            since=row.opened_at,
            amount=(row.amount_minor, row.currency),
            due_on=row.evidence_due_at and calendar.day_of(row.evidence_due_at),
        )
        for row in rows
    ]


async def _suspense(session: AsyncSession) -> Tasks:
    wanted = select(SuspenseItem).where(
        col(SuspenseItem.state) == "open", col(SuspenseItem.match_id).is_(None)
    )
    items = (await session.scalars(wanted.order_by(col(SuspenseItem.due_on)).limit(MOST))).all()
    found = [
        task(
            mark("Find out what money in suspense is"),
            "/console/bank#suspense",
            role=OPERATOR,
            whose=await names.person(session, item.owner_id),
            since=item.opened_at,
            amount=(item.amount_minor, item.currency),
            due_on=item.due_on,
        )
        for item in items
    ]
    return found + [
        task(
            mark("Decide on a release from suspense"),
            "/console/bank#releases",
            role=APPROVER,
            whose=await names.person(session, release.proposed_by),
            since=release.made_at,
            within_days=DECIDE_WITHIN_DAYS,
            maker=release.proposed_by,
        )
        for release in await reconciliation.proposed(session, limit=MOST)
    ]


async def _held(session: AsyncSession) -> Tasks:
    """Return the money in suspense at the card provider, with who has it in hand."""
    items = (await clearing.held(session))[:MOST]
    owners = await clearing.owners(session, [item.id for item in items])
    return [
        task(
            mark("Find out what money in suspense at the card provider is"),
            f"/console/provider/suspense#item-{item.id}",
            role=OPERATOR,
            whose=await _in_hands(session, owners.get(item.id), item.reference),
            since=item.opened_at,
            amount=(item.amount_minor, item.currency),
            due_on=due_on(item.opened_at),
        )
        for item in items
    ]


async def _in_hands(session: AsyncSession, owner_id: UUID | None, what: str) -> str:
    """Return the name of who has taken it up; what it is while nobody has."""
    return what if owner_id is None else await names.person(session, owner_id)


async def _files(session: AsyncSession) -> Tasks:
    """Return payment files that wait for their decision, or to be handed to the bank."""
    wanted = select(PaymentBatch).where(
        (col(PaymentBatch.state) == "prepared")
        | ((col(PaymentBatch.state) == "approved") & col(PaymentBatch.given_at).is_(None))
    )
    rows = await session.scalars(wanted.order_by(col(PaymentBatch.prepared_at)).limit(MOST))
    decide, hand = mark("Decide on a payment file"), mark("Hand a payment file to the bank")
    return [
        task(
            decide if row.state == "prepared" else hand,
            f"/console/bank/files/{row.id}",
            role=APPROVER if row.state == "prepared" else OPERATOR,
            whose=row.message_id,
            since=row.decided_at or row.prepared_at,
            amount=(row.sum_minor, row.currency),
            due_on=row.execute_on,
            maker=row.prepared_by if row.state == "prepared" else None,
        )
        for row in rows
    ]


async def _payees(session: AsyncSession, spoken: Language) -> Tasks:
    return [
        task(
            mark("Verify a payee's account"),
            "/console/bank#payees",
            role=APPROVER,
            whose=await names.party(session, row.party_id, spoken=spoken),
            since=row.declared_at,
        )
        for row in await payees.waiting(session, limit=MOST)
    ]


async def _fees(session: AsyncSession) -> Tasks:
    """Return fee schedules that wait; on the day from which they would be in force it is late."""
    return [
        task(
            mark("Decide on a fee schedule"),
            f"/console/fees/{row.id}",
            role=APPROVER,
            whose=row.schedule,
            since=row.prepared_at,
            due_on=row.valid_from - timedelta(days=1),
            maker=row.prepared_by,
        )
        for row in await fees.waiting(session, limit=MOST)
    ]


async def _unpaid(session: AsyncSession, *, now: datetime) -> Tasks:
    """Return invoices that are past the instant by which the contract has them paid."""
    wanted = (
        select(Invoice, Settlement, Deal)
        .join(Settlement, col(Settlement.deal_id) == col(Invoice.deal_id))
        .join(Deal, col(Deal.id) == func.coalesce(Settlement.of_deal, Settlement.deal_id))
        .where(col(Invoice.state) == "issued", col(Invoice.due_at) < now)
        .order_by(col(Invoice.due_at))
        .limit(MOST)
    )
    return [
        task(
            mark("An invoice is overdue: remind the licensee"),
            f"/console/settlements/{settlement.deal_id}",
            role=OPERATOR,
            whose=f"{deal.contract_no} · {invoice.number}",
            since=invoice.issued_at,
            amount=(invoice.amount_minor, invoice.currency),
            due_on=invoice.due_at and calendar.day_of(invoice.due_at),
        )
        for invoice, settlement, deal in (await session.execute(wanted)).all()
    ]


async def _differences(session: AsyncSession) -> Tasks:
    """Return what differs between the ledger and the card provider's balance."""
    wanted = select(PspItem).where(col(PspItem.closed_at).is_(None))
    rows = await session.scalars(wanted.order_by(col(PspItem.due_on)).limit(MOST))
    return [
        task(
            mark("Explain a difference at the payment provider"),
            "/console/provider",
            role=OPERATOR,
            whose=row.reference,
            since=row.opened_at,
            amount=(row.ledger_minor - row.provider_minor, row.currency),
            due_on=row.due_on,
        )
        for row in rows
    ]


async def _in_doubt(session: AsyncSession) -> Tasks:
    """Return instructions whose outcome is not known, and those that the provider refused."""
    wanted = select(Outbound).where(col(Outbound.state).in_(("unknown", "failed")))
    rows = await session.scalars(wanted.order_by(col(Outbound.created_at)).limit(MOST))
    doubt = mark("What became of an instruction is not known: look at the payment provider")
    failed = mark("The payment provider refused an instruction")
    return [
        task(
            doubt if row.state == "unknown" else failed,
            "/console/settlements",
            role=OPERATOR,
            whose=f"{row.op} · {row.object_key}" + (f" · {row.fault}" if row.fault else ""),
            since=row.last_sent_at or row.created_at,
        )
        for row in rows
    ]
