"""Following disputes: the reserve when money leaves, and who bears it when one is lost."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from contracts import ids, locking
from contracts.facts import service as facts
from contracts.money import Money
from settlement.disputes import queries, rules
from settlement.disputes.rules import SeenDispute
from settlement.disputes.tables import Dispute
from settlement.invoices.tables import Invoice, Payment
from settlement.ledger import rules as accounts
from settlement.ledger import service as ledger
from settlement.ledger.rules import Line
from settlement.plans.rules import PAYING
from settlement.plans.tables import Settlement
from settlement.recoveries import queries as takings
from settlement.recoveries import rules as taking
from settlement.recoveries import service as recoveries
from settlement.recoveries.rules import Cause
from settlement.recoveries.service import Piece
from settlement.redletters import service as red_letters
from settlement.refunds import queries as refunds

ACTOR = "exchange"


async def apply_seen(
    session: AsyncSession, payment_id: UUID, seen: SeenDispute, *, now: datetime
) -> None:
    """Take over how the provider shows a dispute.

    However often, late or out of order this is called, each effect happens once: every movement of
    money is a journal of its own, and the state only climbs.
    """
    payment = await locking.get_locked(session, Payment, col(Payment.id) == payment_id)
    invoice = await session.get_one(Invoice, payment.invoice_id)
    dispute = await _row(session, payment, invoice, seen, now=now)
    for movement in seen.movements:
        await ledger.post(
            session,
            idem_key=f"{seen.provider_id}:{movement.id}",
            kind="dispute.moved",
            actor=ACTOR,
            deal_id=invoice.deal_id,
            lines=rules.movement_lines(movement),
            now=now,
        )
    if rules.climbs(dispute.state, seen.state):
        dispute.state = seen.state
        dispute.closed_at = None if seen.state in rules.OPEN else now
        await _tell(session, dispute, payment, now=now)
    dispute.drawn_minor = seen.drawn_minor
    await session.flush()
    await _charge(session, dispute, payment, invoice, now=now)


async def charge_due(session: AsyncSession, *, now: datetime) -> bool:
    """Charge one lost dispute that had to wait for transfers under way; False when none can be."""
    wanted = (
        select(Dispute.payment_id, Dispute.id)
        .join(Settlement, col(Settlement.deal_id) == col(Dispute.deal_id))
        .where(
            col(Dispute.state) == rules.LOST,
            col(Dispute.charged_at).is_(None),
            col(Settlement.state) != PAYING,
        )
        .order_by(col(Dispute.opened_at))
        .limit(1)
    )
    found = (await session.execute(wanted)).one_or_none()
    if found is None:
        return False
    payment = await locking.get_locked(session, Payment, col(Payment.id) == found[0])
    dispute = await locking.get_locked(session, Dispute, col(Dispute.id) == found[1])
    invoice = await session.get_one(Invoice, payment.invoice_id)
    await _charge(session, dispute, payment, invoice, now=now)
    return True


async def _row(
    session: AsyncSession, payment: Payment, invoice: Invoice, seen: SeenDispute, *, now: datetime
) -> Dispute:
    known = col(Dispute.provider_id) == seen.provider_id
    found = await locking.find_locked(session, Dispute, known)
    if found is not None:
        found.evidence_due_at = seen.evidence_due_at
        return found
    dispute = Dispute(
        id=ids.new(now),
        provider_id=seen.provider_id,
        payment_id=payment.id,
        deal_id=invoice.deal_id,
        amount_minor=seen.amount.amount_minor,
        currency=seen.amount.currency,
        reason=seen.reason,
        state=seen.state,
        drawn_minor=0,
        evidence_due_at=seen.evidence_due_at,
        opened_at=seen.opened_at,
        closed_at=None if seen.state in rules.OPEN else now,
    )
    session.add(dispute)
    await session.flush()
    await _tell(session, dispute, payment, now=now)
    return dispute


async def _charge(
    session: AsyncSession, dispute: Dispute, payment: Payment, invoice: Invoice, *, now: datetime
) -> None:
    """Let those who were paid bear a lost dispute, once no transfer of theirs is under way."""
    if dispute.state != rules.LOST or dispute.charged_at is not None or dispute.drawn_minor <= 0:
        return
    settlement = await session.get(Settlement, dispute.deal_id, populate_existing=True)
    if settlement is None or settlement.state == PAYING:
        return
    lost = Money(dispute.drawn_minor, dispute.currency)
    borne, pieces, debits = await _borne(session, payment, invoice, lost)
    dispute.charged_at = now
    await session.flush()
    await ledger.post(
        session,
        idem_key=f"{dispute.provider_id}:lost",
        kind="dispute.lost",
        actor=ACTOR,
        deal_id=dispute.deal_id,
        lines=rules.lost_lines(lost, debits),
        now=now,
    )
    cause = Cause(taking.DISPUTE, dispute.id)
    await recoveries.take_back(session, cause, pieces, deal_id=dispute.deal_id, now=now)
    if invoice.paid_by == payment.id:
        await red_letters.follow_dispute(
            session, invoice.id, dispute.id, borne, named=dispute.provider_id, now=now
        )


async def _borne(
    session: AsyncSession, payment: Payment, invoice: Invoice, lost: Money
) -> tuple[Money, list[Piece], list[Line]]:
    """Return what those who were paid bear of a loss, and who bears it with the rest."""
    nothing = Money(0, lost.currency)
    if invoice.paid_by != payment.id:
        return nothing, [], [(accounts.SUSPENSE_PSP, lost)]
    gone = await refunds.booked_minor(session, payment.id)
    gone += await queries.charged_minor(session, payment.id)
    left = min(payment.amount_minor - gone, await takings.left_minor(session, invoice.deal_id))
    borne = rules.borne(lost, left_minor=left)
    pieces = await recoveries.pieces(session, invoice.deal_id, borne) if borne != nothing else []
    debits = [line for piece in pieces for line in piece.debits]
    rest = lost - borne
    return borne, pieces, [*debits, *([(accounts.SUSPENSE_PSP, rest)] if rest != nothing else [])]


async def _tell(
    session: AsyncSession, dispute: Dispute, payment: Payment, *, now: datetime
) -> None:
    await facts.record(
        session,
        "dispute.seen",
        dispute.id,
        {
            "dispute": str(dispute.id),
            "deal": str(dispute.deal_id),
            "payment": str(payment.id),
            "state": dispute.state,
            "amount_minor": dispute.amount_minor,
            "currency": dispute.currency,
            "provider": dispute.provider_id,
        },
        parties=[payment.payer_id],
        now=now,
    )
