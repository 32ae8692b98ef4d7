"""Taking an invoice back: a red letter is prepared, decided by another person, numbered, booked."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from contracts import canonical, ids, locking
from contracts.facts import service as facts
from contracts.money import Money
from contracts.refusal import IdReused
from settlement.approvals import rules as deciding
from settlement.approvals import service as approvals
from settlement.approvals.rules import AlreadyDecided, Decision, Subject
from settlement.invoices import numbering
from settlement.invoices import queries as invoices
from settlement.invoices import rules as invoicing
from settlement.invoices import service as invoicer
from settlement.invoices.tables import Invoice
from settlement.ledger import service as ledger
from settlement.plans import queries as plans
from settlement.recoveries import rules as taking
from settlement.recoveries import service as recoveries
from settlement.recoveries.rules import Cause
from settlement.redletters import queries, rules
from settlement.redletters.rules import Ask, Blue
from settlement.redletters.tables import RedLetter
from settlement.refunds import queries as refunds
from settlement.refunds import rules as refunding

OBJECT = "red-letter"


async def prepare(
    session: AsyncSession, red_letter_id: UUID, *, ask: Ask, person_id: UUID, now: datetime
) -> tuple[RedLetter, bool]:
    """Prepare a red letter of an invoice (经办); return it and whether it is new.

    Raises:
        Unknown: there is no such invoice or refund.
        IdReused: the id names another red letter.
        RedLetterOpen: another one of the invoice waits.
        RedLetterTooLarge, RedLetterNeedsRefund, RefundHasRedLetter, PaymentOpen: see `_tax`.
    """
    invoice = await invoicer.locked(session, ask.invoice_id)
    known = await session.get(RedLetter, red_letter_id)
    if known is not None:
        if known.ask() != ask:
            raise IdReused("This id names another red letter.")
        return known, False
    other = await queries.find_open(session, invoice.id)
    if other is not None:
        raise rules.RedLetterOpen("Another one waits for its decision.", red_letter=str(other.id))
    tax = await _tax(session, invoice, ask, red_letter_id)
    raw = rules.content(red_letter_id, ask, number=invoice.number, tax=tax)
    row = _row(red_letter_id, ask, tax=tax, raw=raw, now=now)
    row.prepared_by = person_id
    session.add(row)
    await session.flush()
    await _tell(session, "red-letter.prepared", invoice, row, now=now)
    return row, True


async def approve(
    session: AsyncSession, red_letter_id: UUID, *, decision: Decision, now: datetime
) -> RedLetter:
    """Approve a red letter (复核): it gets its number, and takes back what it says.

    Of an invoice that is not paid the buyer owes that much less, and whoever was to be paid of it
    gets that much less. Of one that is paid the refund booked all that before. The same approval
    again gets the same answer.

    Raises:
        Unknown: there is no such red letter.
        AlreadyDecided, SamePerson, ContentChanged, ProofSpent: see `approvals.rules`.
        RedLetterTooLarge, RedLetterNeedsRefund, PaymentOpen: what happened since keeps it back.
    """
    row, invoice = await _both(session, red_letter_id)
    if row.state == rules.ISSUED and decision.repeats(row.decided_by, row.content_sha256):
        return row
    if row.state != rules.PREPARED:
        raise AlreadyDecided(f"This red letter is {row.state}.", state=row.state)
    tax = await _tax(session, invoice, row.ask(), row.id)
    deciding.check_decision(
        decision,
        subject=_subject(row),
        state=row.state,
        content_now=rules.content(row.id, row.ask(), number=invoice.number, tax=tax),
    )
    await approvals.approve_and_use(session, _subject(row), decision=decision, now=now)
    row.number = await numbering.next_number(session, rules.SERIES, now=now)
    row.state, row.decided_by, row.decided_at = rules.ISSUED, decision.person_id, now
    await _issued(session, invoice, row)
    if invoice.state == invoicing.ISSUED:
        await _owe_less(session, invoice, row, now=now)
        await invoicer.close_if_nothing_is_due(session, invoice, now=now)
    await _tell(session, "red-letter.issued", invoice, row, now=now)
    return row


async def refuse(
    session: AsyncSession, red_letter_id: UUID, *, decision: Decision, reason: str, now: datetime
) -> RedLetter:
    """Refuse a red letter with a reason; another can be prepared.

    Raises:
        Unknown: there is no such red letter.
        AlreadyDecided, SamePerson, ContentChanged: see `approvals.rules`.
    """
    row, invoice = await _both(session, red_letter_id)
    if row.refused_reason == reason and decision.repeats(row.decided_by, row.content_sha256):
        return row
    if row.state != rules.PREPARED:
        raise AlreadyDecided(f"This red letter is {row.state}.", state=row.state)
    await approvals.refuse_prepared(
        session, row, _subject(row), decision=decision, reason=reason, now=now
    )
    row.refused_reason = reason
    await session.flush()
    await _tell(session, "red-letter.refused", invoice, row, now=now)
    return row


async def follow_dispute(
    session: AsyncSession,
    invoice_id: UUID,
    dispute_id: UUID,
    lost: Money,
    *,
    named: str,
    now: datetime,
) -> RedLetter | None:
    """Issue the red letter of a lost dispute, once; None where the invoice says nothing any more.

    Nobody decides it: the card holder's bank has, and who bears the loss is booked. It books
    nothing itself, and takes back no more tax than is left of what was charged.

    Args:
        session: the transaction that books the loss.
        invoice_id: the invoice whose payment was lost.
        dispute_id: the dispute.
        lost: what the card holder got back, of the whole or a part.
        named: what the dispute is called at the provider.
        now: the instant.
    """
    invoice = await invoicer.locked(session, invoice_id)
    known = await queries.find_of_dispute(session, dispute_id)
    ask = rules.of_dispute(named, invoice.id, lost, due=invoice.due)
    if known is not None or ask is None:
        return known
    tax = rules.tax_of(_blue(invoice), ask.amount)
    red_letter_id = ids.new(now)
    raw = rules.content(red_letter_id, ask, number=invoice.number, tax=tax)
    row = _row(red_letter_id, ask, tax=tax, raw=raw, now=now)
    row.dispute_id, row.state, row.decided_at = dispute_id, rules.ISSUED, now
    row.number = await numbering.next_number(session, rules.SERIES, now=now)
    await _issued(session, invoice, row)
    await _tell(session, "red-letter.issued", invoice, row, now=now)
    return row


async def _issued(session: AsyncSession, invoice: Invoice, row: RedLetter) -> None:
    """Note that an invoice is taken back by so much."""
    session.add(row)
    invoice.reversed_minor += row.amount_minor
    invoice.reversed_tax_minor += row.tax_minor
    await session.flush()


def _row(red_letter_id: UUID, ask: Ask, *, tax: Money, raw: bytes, now: datetime) -> RedLetter:
    return RedLetter(
        id=red_letter_id,
        invoice_id=ask.invoice_id,
        refund_id=ask.refund_id,
        amount_minor=ask.amount.amount_minor,
        tax_minor=tax.amount_minor,
        currency=ask.amount.currency,
        reason_code=ask.reason_code,
        reason=ask.reason,
        state=rules.PREPARED,
        content=raw,
        content_sha256=canonical.sha256_hex(raw),
        prepared_at=now,
    )


def _blue(invoice: Invoice) -> Blue:
    return Blue(
        invoice.amount, invoice.tax_minor, invoice.reversed_minor, invoice.reversed_tax_minor
    )


async def _tax(session: AsyncSession, invoice: Invoice, ask: Ask, red_letter_id: UUID) -> Money:
    """Return the tax that goes back, once the red letter may be written.

    Raises:
        RedLetterTooLarge: the invoice says less by now.
        RedLetterNeedsRefund: it is paid, and this is not the amount of a refund of its payment.
        RefundHasRedLetter: another red letter stands for the refund.
        PaymentOpen: a payment of the whole is under way; its amount would be wrong.
    """
    most = Money(invoice.amount_minor - invoice.reversed_minor, invoice.currency)
    if invoice.state == invoicing.PAID:
        await _need_refund(session, invoice, ask, red_letter_id)
    else:
        under_way = await invoices.find_open_payment(session, invoice.id)
        if under_way is not None:
            raise invoicing.PaymentOpen("A payment is under way.", payment=str(under_way.id))
        if ask.refund_id is not None:
            raise rules.RedLetterNeedsRefund("Nothing was refunded of what is not paid.")
        most = invoice.due
    rules.check_room(ask.amount, most=most)
    return rules.tax_of(_blue(invoice), ask.amount)


async def _need_refund(
    session: AsyncSession, invoice: Invoice, ask: Ask, red_letter_id: UUID
) -> None:
    if ask.refund_id is None:
        raise rules.RedLetterNeedsRefund("This invoice is paid.")
    refund = await refunds.get_refund(session, ask.refund_id)
    fits = refund.payment_id == invoice.paid_by and refund.state in refunding.STANDING
    fits = fits and refund.resends is None  # what is sent again was taken back once
    if not fits or refund.amount != ask.amount:
        raise rules.RedLetterNeedsRefund("This is no refund of this amount on the invoice.")
    other = await queries.find_of_refund(session, refund.id)
    if other is not None and other.id != red_letter_id:
        raise rules.RefundHasRedLetter("Another one stands for it.", red_letter=str(other.id))


async def _owe_less(
    session: AsyncSession, invoice: Invoice, row: RedLetter, *, now: datetime
) -> None:
    pieces = await recoveries.pieces(session, invoice.deal_id, row.amount)
    await ledger.post(
        session,
        idem_key=f"red-letter:{row.id}:issued",
        kind="red-letter.issued",
        actor=str(row.decided_by),
        deal_id=invoice.deal_id,
        lines=rules.issued_lines(
            invoice.payer_id, row.amount, [line for piece in pieces for line in piece.debits]
        ),
        reason=row.reason,
        now=now,
    )
    cause = Cause(taking.RED_LETTER, row.id)
    await recoveries.take_back(session, cause, pieces, deal_id=invoice.deal_id, now=now)


async def _both(session: AsyncSession, red_letter_id: UUID) -> tuple[RedLetter, Invoice]:
    """Return a red letter and its invoice, both locked: the invoice first, as everywhere."""
    seen = await queries.get_red_letter(session, red_letter_id, party_id=None)
    invoice = await invoicer.locked(session, seen.invoice_id)
    row = await locking.get_locked(session, RedLetter, col(RedLetter.id) == red_letter_id)
    return row, invoice


async def _tell(
    session: AsyncSession, kind: str, invoice: Invoice, row: RedLetter, *, now: datetime
) -> None:
    settlement = await plans.get_settlement(session, invoice.deal_id)
    record = {
        "red_letter": str(row.id),
        "invoice": str(invoice.id),
        "deal": str(settlement.root_id),
        "number": row.number,
        "content_sha256": row.content_sha256,
        "amount_minor": row.amount_minor,
        "tax_minor": row.tax_minor,
        "currency": row.currency,
        "refund": None if row.refund_id is None else str(row.refund_id),
    }
    parties = [settlement.licensee_id, settlement.licensor_id]
    await facts.record(session, kind, invoice.id, record, parties=parties, now=now)


def _subject(row: RedLetter) -> Subject:
    assert row.prepared_by is not None  # noqa: S101 - those without a maker are never prepared.
    return Subject(OBJECT, row.id, row.content_sha256, row.prepared_by)
