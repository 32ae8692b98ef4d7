"""Accounts followed, and payment files: prepared by one person, approved by another."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from contracts import canonical, locking
from contracts.facts import service as facts
from contracts.refusal import IdReused, Unknown
from settlement.approvals import service as approvals
from settlement.approvals.rules import Decision, Subject
from settlement.bank import choosing, pain, queries, rules
from settlement.bank.rules import Payment
from settlement.bank.tables import BankAccount, PaymentBatch
from settlement.payees import queries as payees
from settlement.payees import rules as payee_rules
from settlement.payees.rules import Details
from settlement.payouts import banking

OBJECT = "payment-file"


@dataclass(frozen=True, slots=True)
class Following:
    """An account at a bank as it is to be followed; `instruct_only`: the bank holds the money."""

    name: str
    details: Details
    bic: str | None
    instruct_only: bool


async def open_account(
    session: AsyncSession,
    account_id: UUID,
    *,
    account: Following,
    person_id: UUID,
    now: datetime,
) -> tuple[BankAccount, bool]:
    """Follow an account at a bank; return it and whether it is new.

    Raises:
        BankAccountMalformed: the number cannot be one.
        IdReused: the id names another account, or the account has another id.
    """
    plain = payee_rules.checked_own(account.details)
    known = await session.get(BankAccount, account_id)
    same = await queries.find_account(session, plain.number, plain.currency)
    if known is not None or same is not None:
        if known is None or same is not known:
            raise IdReused("This id names another account, or the account has another id.")
        known.bank_name = known.bank_name or plain.bank_name
        await session.flush()
        return known, False
    row = BankAccount(
        id=account_id,
        name=account.name,
        scheme=plain.scheme,
        number=plain.number,
        member_id=plain.member_id,
        bic=account.bic,
        holder=plain.holder,
        bank_name=plain.bank_name,
        currency=plain.currency,
        instruct_only=account.instruct_only,
        in_escrow=account.instruct_only,
        opened_by=person_id,
        opened_at=now,
    )
    session.add(row)
    await session.flush()
    return row, True


async def prepare(
    session: AsyncSession,
    batch_id: UUID,
    *,
    account_id: UUID,
    execute_on: date,
    person_id: UUID,
    now: datetime,
) -> tuple[PaymentBatch, bool]:
    """Put all that is approved in the account's currency into a payment file (经办).

    That is transfers to payees and remittances of withheld tax; whose account may not be paid now
    is left out. Return the file and whether it is new.

    Raises:
        Unknown: there is no such account.
        IdReused: the id names another file.
        BatchEmpty: there is nothing to pay.
    """
    account = await locking.find_locked(session, BankAccount, col(BankAccount.id) == account_id)
    if account is None:
        raise Unknown("There is no such account.")
    known = await session.get(PaymentBatch, batch_id)
    if known is not None:
        if (known.account_id, known.execute_on) != (account_id, execute_on):
            raise IdReused("This id names another payment file.")
        return known, False
    chosen, left_out = await choosing.to_pay(session, batch_id, account=account, now=now)
    if not chosen:
        raise rules.BatchEmpty("There is nothing to pay.", left_out=left_out)
    payments = [one.payment for one in chosen]
    batch = _batch(batch_id, account, payments, execute_on=execute_on, person_id=person_id, now=now)
    session.add(batch)
    await session.flush()
    session.add_all(one.item for one in chosen)
    await tell(session, batch, "payment-file.prepared", now=now)
    return batch, True


async def approve(
    session: AsyncSession, batch_id: UUID, *, decision: Decision, now: datetime
) -> PaymentBatch:
    """Approve a payment file (复核): from now on it may be given to the bank, as it is.

    Raises:
        Unknown: there is no such file.
        BatchDecided, BatchSamePerson: see `rules.check_batch_decision`.
        BatchChanged: another file was read, or a payee's account is no longer in force.
        ProofSpent: the proof has served for another decision.
    """
    batch = await _to_decide(session, batch_id, decision)
    items = await queries.items(session, batch_id)
    paid = {item.party_id: item.payee_account_id for item in items if item.party_id is not None}
    there = await payees.in_force(session, paid, currency=batch.currency, now=now)
    now_in_force = {account.id for account in there.values()}
    changed = sorted(str(one) for one, account in paid.items() if account not in now_in_force)
    if changed:
        raise rules.BatchChanged("Payees' accounts have changed.", parties=changed)
    await approvals.approve_and_use(session, _subject(batch), decision=decision, now=now)
    batch.state, batch.decided_by, batch.decided_at = rules.APPROVED, decision.person_id, now
    for item in items:
        item.state = rules.INSTRUCTED
        if item.payout_id is not None and item.party_id is not None:
            await banking.sending(session, item.payout_id, item.party_id)
    await tell(session, batch, "payment-file.approved", now=now)
    return batch


async def refuse(
    session: AsyncSession, batch_id: UUID, *, decision: Decision, reason: str, now: datetime
) -> PaymentBatch:
    """Refuse a payment file with a reason; its transfers can go into another.

    Raises:
        Unknown: there is no such file.
        BatchDecided, BatchSamePerson, BatchChanged: see `rules.check_batch_decision`.
    """
    batch = await _to_decide(session, batch_id, decision)
    by = decision.person_id
    await approvals.refuse(session, _subject(batch), checker_id=by, reason=reason, now=now)
    batch.state, batch.decided_by, batch.decided_at = rules.REFUSED, by, now
    batch.reason = reason
    for item in await queries.items(session, batch_id):
        item.state = rules.FAILED
    await tell(session, batch, "payment-file.refused", now=now)
    return batch


async def give(session: AsyncSession, batch_id: UUID, *, now: datetime) -> bytes:
    """Give out an approved file, the same bytes each time; the first time is noted.

    Raises:
        Unknown: there is no such file.
        BatchDecided: it is not approved.
    """
    batch = await _locked(session, batch_id)
    if batch.state not in (rules.APPROVED, rules.SETTLED):
        raise rules.BatchDecided(f"This payment file is {batch.state}.", state=batch.state)
    batch.given_at = batch.given_at or now
    await session.flush()
    return batch.document


async def settle(session: AsyncSession, batch_id: UUID) -> None:
    """Settle a file once the bank has shown what became of each of its payments."""
    batch = await _locked(session, batch_id)
    states = {item.state for item in await queries.items(session, batch_id)}
    if batch.state == rules.APPROVED and states <= {rules.PAID, rules.RETURNED, rules.FAILED}:
        batch.state = rules.SETTLED
        await session.flush()


def _batch(
    batch_id: UUID,
    account: BankAccount,
    payments: Sequence[Payment],
    *,
    execute_on: date,
    person_id: UUID,
    now: datetime,
) -> PaymentBatch:
    """Return a file with its bytes, which are made once."""
    message_id = rules.message_id(batch_id)
    document = pain.write(
        payments, message_id=message_id, payer=account.payer(), execute_on=execute_on, made_at=now
    )
    return PaymentBatch(
        id=batch_id,
        account_id=account.id,
        message_id=message_id,
        currency=account.currency,
        items=len(payments),
        sum_minor=sum(payment.amount.amount_minor for payment in payments),
        execute_on=execute_on,
        document=document,
        sha256=canonical.sha256_hex(document),
        state=rules.PREPARED,
        prepared_by=person_id,
        prepared_at=now,
    )


async def _to_decide(session: AsyncSession, batch_id: UUID, decision: Decision) -> PaymentBatch:
    batch = await _locked(session, batch_id)
    rules.check_batch_decision(
        state=batch.state,
        prepared_by=batch.prepared_by,
        person_id=decision.person_id,
        sha256=batch.sha256,
        seen_sha256=decision.content_sha256,
    )
    return batch


def _subject(batch: PaymentBatch) -> Subject:
    return Subject(OBJECT, batch.id, batch.sha256, batch.prepared_by)


async def _locked(session: AsyncSession, batch_id: UUID) -> PaymentBatch:
    batch = await locking.find_locked(session, PaymentBatch, col(PaymentBatch.id) == batch_id)
    if batch is None:
        raise Unknown("There is no such payment file.")
    return batch


async def tell(session: AsyncSession, batch: PaymentBatch, kind: str, *, now: datetime) -> None:
    """Record what became of a payment file."""
    await session.flush()
    record = {
        "file": str(batch.id),
        "message": batch.message_id,
        "content_sha256": batch.sha256,
        "items": batch.items,
        "sum_minor": batch.sum_minor,
        "currency": batch.currency,
    }
    await facts.record(session, kind, batch.id, record, parties=[], now=now)
