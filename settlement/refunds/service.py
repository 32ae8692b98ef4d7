"""Refunding: prepared, decided by another person, instructed, booked when it was made."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from contracts import canonical, ids, locking
from contracts.facts import service as facts
from contracts.money import Money
from contracts.refusal import IdReused, Unknown
from settlement.approvals import rules as deciding
from settlement.approvals import service as approvals
from settlement.approvals.rules import AlreadyDecided, Decision, Subject
from settlement.disputes import queries as disputes
from settlement.invoices.rules import SUCCEEDED
from settlement.invoices.tables import Invoice, Payment
from settlement.ledger import rules as accounts
from settlement.ledger import service as ledger
from settlement.ledger.rules import Line
from settlement.outbound import rules as outbound_rules
from settlement.outbound import service as outbound
from settlement.recoveries import rules as taking
from settlement.recoveries import service as recoveries
from settlement.recoveries.rules import Cause
from settlement.recoveries.service import Piece
from settlement.refunds import owing, queries, rules, wiring
from settlement.refunds.rules import Ask, SeenRefund
from settlement.refunds.tables import Refund

ACTOR = "exchange"
OBJECT = "refund"


async def prepare(
    session: AsyncSession, refund_id: UUID, *, ask: Ask, person_id: UUID, now: datetime
) -> tuple[Refund, bool]:
    """Prepare a refund of a payment (经办); return it and whether it is new.

    The file that brings a bank transfer back is made now, and approved with the refund as it is.

    Raises:
        Unknown: there is no such payment.
        IdReused: the id names another refund.
        PaymentNotRefundable: it did not succeed, or came another way than it is to go back.
        RefundAccountMissing: there is no account at a bank that it could go to.
        PaymentDisputed, RefundOpen, WrongCurrency: see there.
        RefundTooLarge: more would go back than refunds and disputes have left.
        PayoutUnderWay: transfers are on their way.
        RefundNotFailed, RefundSentAgain, CustodyMoney: see `resending`.
    """
    payment = await _payment(session, ask.payment_id)
    known = await session.get(Refund, refund_id)
    if known is not None:
        if known.ask() != ask:
            raise IdReused("This id names another refund.")
        return known, False
    other = await queries.find_open(session, payment.id)
    if other is not None:
        raise rules.RefundOpen("Another refund of this payment is open.", refund=str(other.id))
    invoice, _, debits = await _given_back(session, refund_id, payment, ask, now=now)
    columns, bank = await wiring.prepared(session, refund_id, payment, ask, now=now)
    raw = _content(refund_id, ask, payment, debits, bank)
    refund = Refund(
        id=refund_id,
        payment_id=payment.id,
        deal_id=invoice.deal_id,
        payer_id=payment.payer_id,
        amount_minor=ask.amount.amount_minor,
        currency=ask.amount.currency,
        reason=ask.reason,
        goes_to=ask.goes_to,
        resends=ask.resends,
        **columns,
        state=rules.PREPARED,
        content=raw,
        content_sha256=canonical.sha256_hex(raw),
        prepared_by=person_id,
        prepared_at=now,
    )
    session.add(refund)
    await session.flush()
    await _tell(session, "refund.prepared", refund, now=now)
    return refund, True


async def approve(
    session: AsyncSession, refund_id: UUID, *, decision: Decision, now: datetime
) -> Refund:
    """Approve a refund (复核): book who gives back what, and write the instructions.

    The same approval again gets the same answer.

    Raises:
        Unknown: there is no such refund.
        AlreadyDecided, SamePerson, ContentChanged: see `approvals.rules`.
        ProofSpent: the proof has served for another decision.
        PaymentDisputed, PayoutUnderWay, RefundTooLarge, RefundSentAgain: what happened since keeps
            it from being made.
    """
    refund, payment = await _both(session, refund_id)
    again = decision.repeats(refund.decided_by, refund.content_sha256)
    if again and refund.state in (rules.APPROVED, rules.MADE, rules.FAILED):
        return refund
    if refund.state != rules.PREPARED:
        raise AlreadyDecided(f"This refund is {refund.state}.", state=refund.state)
    invoice, pieces, debits = await _given_back(session, refund.id, payment, refund.ask(), now=now)
    bank = await wiring.said_now(session, refund, payment, now=now)
    deciding.check_decision(
        decision,
        subject=_subject(refund),
        state=refund.state,
        content_now=_content(refund.id, refund.ask(), payment, debits, bank),
    )
    await approvals.approve_and_use(session, _subject(refund), decision=decision, now=now)
    refund.state, refund.decided_by, refund.decided_at = rules.APPROVED, decision.person_id, now
    await ledger.post(
        session,
        idem_key=f"refund:{refund.id}:approved",
        kind="refund.approved",
        actor=str(decision.person_id),
        deal_id=invoice.deal_id,
        lines=rules.approved_lines(refund.payer_id, refund.amount, debits),
        reason=refund.reason,
        now=now,
    )
    cause = Cause(taking.REFUND, refund.id)
    await recoveries.take_back(session, cause, pieces, deal_id=invoice.deal_id, now=now)
    await session.flush()
    if refund.goes_to == rules.TO_CARD:
        await _instruct(session, refund, payment, now=now)
    else:
        await wiring.instruct(session, refund, now=now)
    await _tell(session, "refund.approved", refund, now=now)
    return refund


async def refuse(
    session: AsyncSession, refund_id: UUID, *, decision: Decision, reason: str, now: datetime
) -> Refund:
    """Refuse a refund with a reason; another can be prepared.

    Raises:
        Unknown: there is no such refund.
        AlreadyDecided, SamePerson, ContentChanged: see `approvals.rules`.
    """
    refund, _ = await _both(session, refund_id)
    again = decision.repeats(refund.decided_by, refund.content_sha256)
    if again and refund.refused_reason == reason:
        return refund
    await approvals.refuse_prepared(
        session, refund, _subject(refund), decision=decision, reason=reason, now=now
    )
    refund.refused_reason = reason
    await session.flush()
    await _tell(session, "refund.refused", refund, now=now)
    return refund


async def made(
    session: AsyncSession,
    refund_id: UUID,
    *,
    provider_id: str,
    out_of: str = accounts.PSP_CLEARING,
    now: datetime,
) -> None:
    """Book a refund that the provider made, or a statement shows, once, however it was heard of."""
    refund, payment = await _both(session, refund_id)
    if refund.state != rules.APPROVED:
        return
    refund.state, refund.provider_id, refund.made_at = rules.MADE, provider_id, now
    lines = rules.made_lines(payment.payer_id, refund.amount, out_of=out_of)
    await _book(session, refund, "refund.made", lines, now=now)


async def came_back(session: AsyncSession, refund_id: UUID, *, into: str, now: datetime) -> None:
    """Book a refund that a bank sent back, once: the payer is still owed it."""
    refund, payment = await _both(session, refund_id)
    if refund.state == rules.MADE:
        lines = rules.failed_lines(payment.payer_id, refund.amount, into=into)
        await _fail(session, refund, lines, now=now)


async def rejected(session: AsyncSession, refund_id: UUID, *, report: str, now: datetime) -> None:
    """Note that a bank will not make a refund: nothing had left, and the payer is still owed it."""
    refund, _ = await _both(session, refund_id)
    if refund.state == rules.APPROVED:
        refund.state, refund.provider_id = rules.FAILED, f"{report}:{refund_id}"
        refund.failed_at = now
        await session.flush()
        await owing.owe(session, refund, now=now)
        await _tell(session, "refund.failed", refund, now=now)


async def apply_seen(
    session: AsyncSession, payment_provider_id: str, seen: SeenRefund, *, now: datetime
) -> None:
    """Take over how the provider shows a refund; one not ordered here is held in suspense."""
    refund = await _of_seen(session, seen)
    if refund is None:
        await _foreign(session, payment_provider_id, seen, now=now)
        return
    await made(session, refund.id, provider_id=seen.provider_id, now=now)
    refund, payment = await _both(session, refund.id)
    if seen.failed and refund.state == rules.MADE:
        lines = rules.failed_lines(payment.payer_id, refund.amount)
        await _fail(session, refund, lines, now=now)


async def _fail(session: AsyncSession, refund: Refund, lines: list[Line], *, now: datetime) -> None:
    """Book that a refund came back to where it had left from, and that it is owed again."""
    refund.state, refund.failed_at = rules.FAILED, now
    await _book(session, refund, "refund.failed", lines, now=now)
    await owing.owe(session, refund, now=now)


async def _book(
    session: AsyncSession, refund: Refund, kind: str, lines: list[Line], *, now: datetime
) -> None:
    await session.flush()
    await ledger.post(
        session,
        idem_key=f"{refund.provider_id}:{kind}",
        kind=kind,
        actor=ACTOR,
        deal_id=refund.deal_id,
        lines=lines,
        now=now,
    )
    await _tell(session, kind, refund, now=now)


async def _foreign(
    session: AsyncSession, payment_provider_id: str, seen: SeenRefund, *, now: datetime
) -> None:
    lines = rules.foreign_lines(seen.amount)
    back = [(code, Money(-moved.amount_minor, moved.currency)) for code, moved in lines]
    for failed, booked in ((False, lines), *(((True, back),) if seen.failed else ())):
        await ledger.post(
            session,
            idem_key=rules.foreign_key(seen.provider_id, failed=failed),
            kind="refund.suspended",
            actor=ACTOR,
            deal_id=None,
            lines=booked,
            reason=f"not ordered here, of {payment_provider_id}",
            now=now,
        )


async def _given_back(
    session: AsyncSession, refund_id: UUID, payment: Payment, ask: Ask, *, now: datetime
) -> tuple[Invoice, list[Piece], list[Line]]:
    """Return who gives an amount back; what waits in suspense was nobody's yet.

    What is sent again was given back before. Checked when a refund is prepared and again when it
    is approved: a dispute may have been lost in between.
    """
    amount, by_card = ask.amount, payment.method == "card"
    if payment.state != SUCCEEDED or payment.provider_id is None:
        raise rules.PaymentNotRefundable("It brought nothing in.", state=payment.state)
    rules.check_way(ask, by_card=by_card)
    dispute = await disputes.find_open(session, payment.id)
    if dispute is not None:
        raise rules.PaymentDisputed("The card holder disputes it.", dispute=str(dispute.id))
    besides = ask.resends or refund_id
    rules.check_amount(amount, left=await queries.left(session, payment, besides=besides))
    invoice = await session.get_one(Invoice, payment.invoice_id)
    if ask.resends is not None:
        return invoice, [], await owing.debits(session, refund_id, ask.resends, now=now)
    if invoice.paid_by != payment.id:
        suspense = accounts.SUSPENSE_PSP if by_card else accounts.SUSPENSE_BANK
        return invoice, [], [(suspense, amount)]
    pieces = await recoveries.pieces(session, invoice.deal_id, amount)
    return invoice, pieces, [line for piece in pieces for line in piece.debits]


async def _instruct(
    session: AsyncSession, refund: Refund, payment: Payment, *, now: datetime
) -> None:
    intent_id = ids.new(now)
    await outbound.intend(
        session,
        intent_id,
        op=outbound_rules.CREATE_REFUND,
        object_key=f"refund:{refund.id}",
        object_id=refund.id,
        params=outbound_rules.refund_params(
            payment_intent=str(payment.provider_id),
            amount_minor=refund.amount_minor,
            names={"refund": str(refund.id), "intent_id": str(intent_id)},
        ),
        now=now,
    )
    refund.intent_id = intent_id
    await session.flush()


async def _payment(session: AsyncSession, payment_id: UUID) -> Payment:
    payment = await locking.find_locked(session, Payment, col(Payment.id) == payment_id)
    if payment is None:
        raise Unknown("There is no such payment.")
    return payment


async def _both(session: AsyncSession, refund_id: UUID) -> tuple[Refund, Payment]:
    """Return a refund and its payment, both locked: the payment first, as everywhere."""
    seen = await queries.get_refund(session, refund_id)
    payment = await _payment(session, seen.payment_id)
    refund = await locking.get_locked(session, Refund, col(Refund.id) == refund_id)
    return refund, payment


async def _of_seen(session: AsyncSession, seen: SeenRefund) -> Refund | None:
    known = col(Refund.provider_id) == seen.provider_id
    found = await locking.find_locked(session, Refund, known)
    if found is not None or seen.refund_id is None:
        return found
    named = await session.get(Refund, seen.refund_id)
    return named if named is not None and named.provider_id is None else None


async def _tell(session: AsyncSession, kind: str, refund: Refund, *, now: datetime) -> None:
    record: dict[str, Any] = {
        "refund": str(refund.id),
        "deal": str(refund.deal_id),
        "content_sha256": refund.content_sha256,
        "amount_minor": refund.amount_minor,
        "currency": refund.currency,
        "resends": None if refund.resends is None else str(refund.resends),
    }
    parties = [refund.payer_id]
    await facts.record(session, kind, refund.id, record, parties=parties, now=now)


def _content(
    refund_id: UUID,
    ask: Ask,
    payment: Payment,
    debits: list[Line],
    bank: dict[str, str] | None,
) -> bytes:
    said = [(code, moved.amount_minor) for code, moved in debits]
    provider_id = str(payment.provider_id)
    return rules.content(refund_id, ask, provider_id=provider_id, debits=said, bank=bank)


def _subject(refund: Refund) -> Subject:
    return Subject(OBJECT, refund.id, refund.content_sha256, refund.prepared_by)
