"""Declaring and verifying payees' bank accounts."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from contracts import canonical, locking
from contracts.facts import service as facts
from contracts.parties.tables import Party
from contracts.refusal import IdReused, Unknown
from settlement.payees import rules
from settlement.payees.rules import Details
from settlement.payees.tables import PayeeBankAccount


async def declare(
    session: AsyncSession,
    account_id: UUID,
    *,
    party_id: UUID,
    details: Details,
    person_id: UUID,
    now: datetime,
) -> tuple[PayeeBankAccount, bool]:
    """Declare where a party is paid; another person verifies it. Return it and whether it is new.

    Raises:
        BankAccountMalformed: the number cannot be one.
        BankAccountWaits: another account in this currency waits for its verification.
        IdReused: the id names another account.
    """
    plain = rules.checked(details)
    sha256 = canonical.sha256_hex(rules.content(account_id, party_id, plain))
    await locking.find_locked(session, Party, col(Party.id) == party_id)
    known = await session.get(PayeeBankAccount, account_id)
    if known is not None:
        if known.sha256 != sha256:
            raise IdReused("This id names another bank account.")
        return known, False
    other = await _find(session, party_id, plain.currency, rules.DECLARED)
    if other is not None:
        raise rules.BankAccountWaits("An account waits already.", account=str(other.id))
    account = PayeeBankAccount(
        id=account_id,
        party_id=party_id,
        scheme=plain.scheme,
        number=plain.number,
        member_id=plain.member_id,
        holder=plain.holder,
        bank_name=plain.bank_name,
        currency=plain.currency,
        sha256=sha256,
        state=rules.DECLARED,
        declared_by=person_id,
        declared_at=now,
    )
    session.add(account)
    await _tell(session, account, "bank-account.declared", now=now)
    return account, True


async def verify(
    session: AsyncSession,
    account_id: UUID,
    *,
    person_id: UUID,
    seen_sha256: str,
    evidence: str,
    now: datetime,
) -> PayeeBankAccount:
    """Verify an account (核实): the one before it is paid no more, a changed one not for 72 hours.

    Raises:
        Unknown: there is no such account.
        BankAccountDecided, BankAccountSamePerson, BankAccountChanged: see `rules.check_decision`.
    """
    account = await _to_decide(session, account_id, person_id, seen_sha256)
    before = await _find(session, account.party_id, account.currency, rules.VERIFIED)
    if before is not None:
        before.state = rules.SUPERSEDED
        await session.flush()
    account.state, account.evidence = rules.VERIFIED, evidence
    account.decided_by, account.decided_at = person_id, now
    account.usable_from = rules.usable_from(now, is_a_change=before is not None)
    await _tell(session, account, "bank-account.verified", now=now)
    return account


async def refuse(
    session: AsyncSession,
    account_id: UUID,
    *,
    person_id: UUID,
    seen_sha256: str,
    reason: str,
    now: datetime,
) -> PayeeBankAccount:
    """Refuse an account with a reason; the one before it stays in force.

    Raises:
        Unknown: there is no such account.
        BankAccountDecided, BankAccountSamePerson, BankAccountChanged: see `rules.check_decision`.
    """
    account = await _to_decide(session, account_id, person_id, seen_sha256)
    account.state, account.evidence = rules.REFUSED, reason
    account.decided_by, account.decided_at = person_id, now
    await _tell(session, account, "bank-account.refused", now=now)
    return account


async def _to_decide(
    session: AsyncSession, account_id: UUID, person_id: UUID, seen_sha256: str
) -> PayeeBankAccount:
    here = col(PayeeBankAccount.id) == account_id
    account = await locking.find_locked(session, PayeeBankAccount, here)
    if account is None:
        raise Unknown("There is no such bank account.")
    rules.check_decision(
        state=account.state,
        declared_by=account.declared_by,
        person_id=person_id,
        sha256=account.sha256,
        seen_sha256=seen_sha256,
    )
    return account


async def _find(
    session: AsyncSession, party_id: UUID, currency: str, state: str
) -> PayeeBankAccount | None:
    return await locking.find_locked(
        session,
        PayeeBankAccount,
        col(PayeeBankAccount.party_id) == party_id,
        col(PayeeBankAccount.currency) == currency,
        col(PayeeBankAccount.state) == state,
    )


async def _tell(
    session: AsyncSession, account: PayeeBankAccount, kind: str, *, now: datetime
) -> None:
    """Record what became of an account: its hash, never its number."""
    await session.flush()
    record = {
        "account": str(account.id),
        "party": str(account.party_id),
        "content_sha256": account.sha256,
    }
    await facts.record(session, kind, account.party_id, record, parties=[account.party_id], now=now)
