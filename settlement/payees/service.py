"""Declaring and verifying payees' bank accounts."""

from dataclasses import asdict
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from contracts import canonical, locking
from contracts.facts import service as facts
from contracts.parties.tables import Party
from contracts.refusal import IdReused, Unknown
from settlement.approvals import rules as deciding
from settlement.approvals import service as approvals
from settlement.approvals.rules import Decision, Subject
from settlement.payees import rules
from settlement.payees.rules import Details
from settlement.payees.tables import PayeeBankAccount

OBJECT = "payee-account"


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
        Unknown: there is no such party.
        BankAccountMalformed: the number cannot be one.
        HolderDiffers: another name holds it, and nothing says why.
        BankAccountWaits: another account in this currency waits for its verification.
        IdReused: the id names another account.
    """
    plain = rules.checked(details)
    raw = rules.content(account_id, party_id, plain)
    sha256 = canonical.sha256_hex(raw)
    party = await _party(session, party_id)
    known = await session.get(PayeeBankAccount, account_id)
    if known is not None:
        if known.sha256 != sha256:
            raise IdReused("This id names another bank account.")
        return known, False
    rules.check_holder(plain, (party.name_zh, party.name_en))
    other = await _find(session, party_id, plain.currency, rules.DECLARED)
    if other is not None:
        raise rules.BankAccountWaits("An account waits already.", account=str(other.id))
    account = PayeeBankAccount(
        id=account_id,
        party_id=party_id,
        content=raw,
        sha256=sha256,
        state=rules.DECLARED,
        declared_by=person_id,
        declared_at=now,
        **asdict(plain),
    )
    session.add(account)
    await _tell(session, account, "bank-account.declared", now=now)
    return account, True


async def withdraw(
    session: AsyncSession, account_id: UUID, *, party_id: UUID, now: datetime
) -> PayeeBankAccount:
    """Take back an account that waits for its verification (撤回), so that another can be declared.

    Raises:
        Unknown: the party declared no such account.
        AlreadyDecided: it was verified or refused before.
    """
    account = await _locked(session, account_id)
    if account.party_id != party_id:
        raise Unknown("There is no such bank account.")
    if account.state == rules.WITHDRAWN:
        return account
    if account.state != rules.DECLARED:
        raise deciding.AlreadyDecided(f"This account is {account.state}.", state=account.state)
    account.state, account.withdrawn_at = rules.WITHDRAWN, now
    await _tell(session, account, "bank-account.withdrawn", now=now)
    return account


async def verify(
    session: AsyncSession,
    account_id: UUID,
    *,
    decision: Decision,
    evidence: str,
    now: datetime,
) -> PayeeBankAccount:
    """Verify an account (核实): the one before it is paid no more, a changed one not for 72 hours.

    The same verification again gets the same answer.

    Raises:
        Unknown: there is no such account.
        AlreadyDecided, SamePerson, ContentChanged, ProofSpent: see `approvals.rules`.
    """
    account = await _locked(session, account_id)
    again = decision.repeats(account.decided_by, account.sha256)
    if again and account.state in (rules.VERIFIED, rules.SUPERSEDED):
        return account
    _check(account, decision)
    await approvals.approve_and_use(session, _subject(account), decision=decision, now=now)
    before = await _find(session, account.party_id, account.currency, rules.VERIFIED)
    if before is not None:
        before.state = rules.SUPERSEDED
        await session.flush()
    account.state, account.evidence = rules.VERIFIED, evidence
    account.decided_by, account.decided_at = decision.person_id, now
    account.usable_from = rules.usable_from(now, is_a_change=before is not None)
    await _tell(session, account, "bank-account.verified", now=now)
    return account


async def refuse(
    session: AsyncSession,
    account_id: UUID,
    *,
    decision: Decision,
    reason: str,
    now: datetime,
) -> PayeeBankAccount:
    """Refuse an account with a reason; the one before it stays in force.

    Raises:
        Unknown: there is no such account.
        AlreadyDecided, SamePerson, ContentChanged: see `approvals.rules`.
    """
    account = await _locked(session, account_id)
    if account.state == rules.REFUSED and decision.repeats(account.decided_by, account.sha256):
        return account
    _check(account, decision)
    by = decision.person_id
    await approvals.refuse(session, _subject(account), checker_id=by, reason=reason, now=now)
    account.state, account.evidence = rules.REFUSED, reason
    account.decided_by, account.decided_at = by, now
    await _tell(session, account, "bank-account.refused", now=now)
    return account


async def _party(session: AsyncSession, party_id: UUID) -> Party:
    party = await locking.find_locked(session, Party, col(Party.id) == party_id)
    if party is None:
        raise Unknown("There is no such party.")
    return party


async def _locked(session: AsyncSession, account_id: UUID) -> PayeeBankAccount:
    here = col(PayeeBankAccount.id) == account_id
    account = await locking.find_locked(session, PayeeBankAccount, here)
    if account is None:
        raise Unknown("There is no such bank account.")
    return account


def _check(account: PayeeBankAccount, decision: Decision) -> None:
    """Check a decision; an account that waits is, to approvals, something prepared."""
    waits = account.state == rules.DECLARED
    deciding.check_decision(
        decision,
        subject=_subject(account),
        state=deciding.PREPARED if waits else account.state,
        content_now=account.content,
    )


def _subject(account: PayeeBankAccount) -> Subject:
    return Subject(OBJECT, account.id, account.sha256, account.declared_by)


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
