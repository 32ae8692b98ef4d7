"""Issuing invoices and following their payments."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from contracts import ids, locking
from contracts.facts import service as facts
from contracts.money import Money
from contracts.refusal import IdReused, Unknown
from settlement.invoices import deadlines, numbering, queries, rules
from settlement.invoices.rules import Due, Seen
from settlement.invoices.tables import Invoice, Payment
from settlement.ledger import rules as accounts
from settlement.ledger import service as ledger
from settlement.ledger.rules import Line
from settlement.outbound import rules as outbound_rules
from settlement.outbound import service as outbound
from settlement.plans import queries as plans
from settlement.plans import service as settlements
from settlement.plans.rules import COMMISSION
from settlement.plans.tables import Settlement, SettlementLine
from settlement.recoveries import queries as recoveries
from settlement.taxes import gateway as taxes
from settlement.taxes import rules as tax_rules
from settlement.taxes.rules import Taxed

ACTOR = "exchange"


async def issue(
    session: AsyncSession, settlement: Settlement, *, due: Due | None = None, now: datetime
) -> Invoice:
    """Issue the invoice of a settlement, once; its number follows the one before without a gap.

    `due` says when it is late, and what that costs; without it the contract gives no day.
    """
    issued = await queries.find_invoice_of_deal(session, settlement.deal_id)
    if issued is not None:
        return issued
    lines = await plans.lines(session, settlement.deal_id)
    price, fee = _taxed(settlement.gross, lines, now=now)
    invoice = Invoice(
        id=ids.new(now),
        number=await numbering.next_number(session, rules.SERIES, now=now),
        deal_id=settlement.deal_id,
        payer_id=settlement.licensee_id,
        amount_minor=settlement.gross_minor,
        currency=settlement.currency,
        tax_minor=price.tax.amount_minor,
        tax_rate_bp=price.rate_bp,
        fee_tax_minor=fee.tax.amount_minor,
        state=rules.ISSUED,
        issued_at=now,
        due_at=None if due is None else due.at,
        late_bp=None if due is None else due.late_bp,
    )
    session.add(invoice)
    await session.flush()
    await _book_issue(session, invoice, lines, fee, now=now)
    await facts.record(
        session,
        "invoice.issued",
        invoice.id,
        {
            "invoice": str(invoice.id),
            "deal": str(settlement.root_id),
            "number": invoice.number,
            "amount_minor": invoice.amount_minor,
            "currency": invoice.currency,
        },
        parties=[settlement.licensee_id, settlement.licensor_id],
        now=now,
    )
    return invoice


async def locked(session: AsyncSession, invoice_id: UUID) -> Invoice:
    """Return an invoice, locked until the transaction ends.

    Raises:
        Unknown: there is none.
    """
    invoice = await locking.find_locked(session, Invoice, col(Invoice.id) == invoice_id)
    if invoice is None:
        raise Unknown("There is no such invoice.")
    return invoice


async def credit_deposit(
    session: AsyncSession, invoice: Invoice, amount: Money, *, now: datetime
) -> None:
    """Note that a deposit paid a part of an invoice just issued (保证金转价款), once.

    The journal of the deposit is booked by the caller. What covers the price pays the invoice.
    """
    invoice.deposit_minor = amount.amount_minor
    await close_if_nothing_is_due(session, invoice, now=now)


async def close_if_nothing_is_due(
    session: AsyncSession, invoice: Invoice, *, now: datetime
) -> None:
    """Close an open invoice of which nothing is due: its deposit paid it, or it was taken back."""
    if invoice.due.amount_minor == 0 and invoice.deposit_minor == 0:
        invoice.state = rules.REVERSED
    elif invoice.due.amount_minor == 0:
        if earned := await _earned_now(session, invoice):  # nobody is owed of a fee
            await ledger.post(
                session,
                idem_key=f"invoice:{invoice.id}:paid-by-deposit",
                kind="payment.received",
                actor=ACTOR,
                deal_id=invoice.deal_id,
                lines=earned,
                now=now,
            )
        invoice.state, invoice.paid_at, invoice.paid_by = rules.PAID, now, invoice.id
        await settlements.fund(session, invoice.deal_id)
    await session.flush()


async def request_payment(
    session: AsyncSession,
    invoice_id: UUID,
    payment_id: UUID,
    *,
    payer_id: UUID,
    method: str,
    now: datetime,
) -> tuple[Payment, bool]:
    """Ask the provider for a payment of all that is due; return it and whether it is new.

    Raises:
        Unknown: the invoice is not the payer's.
        IdReused: the id names another payment.
        InvoiceNotOpen: the invoice is paid.
        PaymentOpen: another payment on it has not ended.
    """
    invoice = await locked(session, invoice_id)
    if invoice.payer_id != payer_id:
        raise Unknown("There is no such invoice.")
    known = await session.get(Payment, payment_id)
    if known is not None:
        if (known.invoice_id, known.method) != (invoice_id, method):
            raise IdReused("This id names another payment.")
        return known, False
    other = await queries.find_open_payment(session, invoice_id)
    rules.check_open(invoice.state, open_payment=other.id if other else None)
    await deadlines.check(session, invoice, now=now)
    payment = Payment(
        id=payment_id,
        invoice_id=invoice_id,
        payer_id=payer_id,
        method=method,
        amount_minor=invoice.due.amount_minor,
        currency=invoice.currency,
        state=rules.REQUESTED,
        requested_at=now,
    )
    session.add(payment)
    await session.flush()
    await _intend(session, invoice, payment, now=now)
    return payment, True


async def payment_ready(
    session: AsyncSession,
    payment_id: UUID,
    *,
    provider_id: str,
    client_secret: str | None,
    now: datetime,
) -> None:
    """Note the provider's object of a payment, and the secret with which the client confirms."""
    payment = await _locked_payment(session, payment_id)
    if payment is None or payment.provider_id not in (None, provider_id):
        return
    payment.provider_id, payment.client_secret = provider_id, client_secret
    if rules.climbs(payment.state, rules.READY):
        payment.state = rules.READY
        payment.next_check_at = now + timedelta(seconds=rules.next_check_s(0))
    await session.flush()


async def payment_failed(session: AsyncSession, payment_id: UUID, *, now: datetime) -> None:
    """Note that the provider refused to make a payment; the payer may try another."""
    payment = await _locked_payment(session, payment_id)
    if payment is not None and rules.climbs(payment.state, rules.FAILED):
        payment.state, payment.settled_at = rules.FAILED, now
        await session.flush()


async def apply_seen(session: AsyncSession, seen: Seen, *, now: datetime) -> Payment | None:
    """Take over how the provider shows a payment; return it, or None when it is none of ours.

    However often, late or out of order this is called, each effect happens once.
    """
    payment = await _of_seen(session, seen)
    if payment is None:
        return None
    payment.provider_id = payment.provider_id or seen.provider_id
    payment.checks += 1
    payment.next_check_at = now + timedelta(seconds=rules.next_check_s(payment.checks))
    if rules.may_show(payment.state, seen.state, secret=payment.client_secret):
        payment.state, payment.charge_id = seen.state, seen.charge_id or payment.charge_id
        if seen.state == rules.SUCCEEDED and seen.received is not None:
            await receive(session, payment, seen.received, now=now)
        if seen.state in (rules.SUCCEEDED, rules.FAILED):
            payment.settled_at = now
    await session.flush()
    if payment.state == rules.SUCCEEDED and seen.fee is not None:
        await _book_fee(session, payment, seen.fee, now=now)
    return payment


async def unheard(session: AsyncSession, *, now: datetime) -> str | None:
    """Take up one payment that had no news for long; return its provider id, or None.

    Its next look is put off at once, so that several workers look at different payments.
    """
    wanted = (
        select(Payment)
        .where(col(Payment.state) == rules.READY, col(Payment.next_check_at) <= now)
        .order_by(col(Payment.next_check_at))
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    payment = await session.scalar(wanted.execution_options(populate_existing=True))
    if payment is None:
        return None
    payment.checks += 1
    payment.next_check_at = now + timedelta(seconds=rules.next_check_s(payment.checks))
    await session.flush()
    found: str | None = payment.provider_id
    return found


async def receive(
    session: AsyncSession, payment: Payment, received: Money, *, now: datetime
) -> None:
    """Book what a payment brought in: exactly what was due pays the invoice, all else waits."""
    invoice = await locked(session, payment.invoice_id)
    exact = invoice.state == rules.ISSUED and rules.settles(invoice.due, received)
    exact = exact and not await deadlines.has_passed(session, invoice, now=now)
    lines = await _received(session, invoice, payment, received) if exact else _suspended(received)
    await ledger.post(
        session,
        idem_key=f"{payment.provider_id}:received",
        kind="payment.received" if exact else "payment.suspended",
        actor=ACTOR,
        deal_id=invoice.deal_id,
        lines=lines,
        now=now,
    )
    if not exact:
        return
    invoice.state, invoice.paid_at, invoice.paid_by = rules.PAID, now, payment.id
    await session.flush()
    settlement = await settlements.fund(session, invoice.deal_id)
    await facts.record(
        session,
        "payment.received",
        invoice.id,
        {
            "invoice": str(invoice.id),
            "payment": str(payment.id),
            "deal": str(settlement.root_id),
            "amount_minor": received.amount_minor,
            "currency": received.currency,
            "provider": str(payment.provider_id),
        },
        parties=[settlement.licensee_id, settlement.licensor_id],
        now=now,
    )


async def _book_fee(session: AsyncSession, payment: Payment, fee: Money, *, now: datetime) -> None:
    """Book what the provider kept of a payment (手续费), once: the balance there is that less."""
    if fee.amount_minor == 0:
        return
    await ledger.post(
        session,
        idem_key=f"{payment.provider_id}:fee",
        kind="payment.fee",
        actor=ACTOR,
        deal_id=None,
        lines=[
            (accounts.PSP_FEES, fee),
            (accounts.PSP_CLEARING, Money(-fee.amount_minor, fee.currency)),
        ],
        now=now,
    )


async def _book_issue(
    session: AsyncSession,
    invoice: Invoice,
    lines: Sequence[SettlementLine],
    fee: Taxed,
    *,
    now: datetime,
) -> None:
    shares = [line for line in lines if line.kind != COMMISSION]
    booked: list[Line] = [
        (accounts.receivable(invoice.payer_id), invoice.amount),
        *tax_rules.earned_lines(fee),
        *(
            (accounts.payee_held(line.payee_id), Money(-line.amount_minor, invoice.currency))
            for line in shares
        ),
    ]
    await ledger.post(
        session,
        idem_key=f"invoice:{invoice.id}:issued",
        kind="invoice.issued",
        actor=ACTOR,
        deal_id=invoice.deal_id,
        lines=booked,
        now=now,
    )


def _taxed(price: Money, lines: Sequence[SettlementLine], *, now: datetime) -> tuple[Taxed, Taxed]:
    """Return the VAT within a price, and that within the commission on it."""
    fee = sum(line.amount_minor for line in lines if line.kind == COMMISSION)
    return taxes.vat_in(price, at=now), taxes.vat_in(Money(fee, price.currency), at=now)


async def _received(
    session: AsyncSession, invoice: Invoice, payment: Payment, received: Money
) -> list[Line]:
    """The money came in, the buyer owes no more, and what was held for payees is due to them."""
    moved: list[Line] = [
        (payment.account or accounts.PSP_CLEARING, received),
        (accounts.receivable(invoice.payer_id), Money(-received.amount_minor, received.currency)),
    ]
    return moved + await _earned_now(session, invoice)


async def _earned_now(session: AsyncSession, invoice: Invoice) -> list[Line]:
    """What is held for payees becomes due to them, less what red letters took back of it."""
    taken = await recoveries.taken(session, invoice.deal_id)
    moved: list[Line] = []
    for line in await plans.lines(session, invoice.deal_id):
        if line.kind != COMMISSION:
            amount = Money(line.amount_minor - taken.get(line.line, 0), invoice.currency)
            moved.append((accounts.payee_held(line.payee_id), amount))
            moved.append((accounts.payee_due(line.payee_id), Money(0, invoice.currency) - amount))
    return moved


def _suspended(received: Money) -> list[Line]:
    owed = Money(-received.amount_minor, received.currency)
    return [(accounts.PSP_CLEARING, received), (accounts.SUSPENSE_PSP, owed)]


async def _intend(
    session: AsyncSession, invoice: Invoice, payment: Payment, *, now: datetime
) -> None:
    intent_id = ids.new(now)
    names = {
        "payment": str(payment.id),
        "invoice": str(invoice.id),
        "deal": str(invoice.deal_id),
        "intent_id": str(intent_id),
    }
    await outbound.intend(
        session,
        intent_id,
        op=outbound_rules.CREATE_PAYMENT,
        object_key=f"payment:{payment.id}",
        object_id=payment.id,
        params=outbound_rules.payment_params(
            amount_minor=payment.amount_minor,
            currency=payment.currency,
            deal_id=invoice.deal_id,
            description=invoice.number,
            names=names,
        ),
        now=now,
    )


async def _locked_payment(session: AsyncSession, payment_id: UUID) -> Payment | None:
    return await locking.find_locked(session, Payment, col(Payment.id) == payment_id)


async def _of_seen(session: AsyncSession, seen: Seen) -> Payment | None:
    """Find the payment by the provider's id, or, when its answer was lost, by the id we gave."""
    known = col(Payment.provider_id) == seen.provider_id
    found = await locking.find_locked(session, Payment, known)
    if found is not None or seen.payment_id is None:
        return found
    named = await _locked_payment(session, seen.payment_id)
    return named if named is not None and named.provider_id is None else None
