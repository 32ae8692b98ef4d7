"""Choosing the account into which a currency is wired: one person proposes, another decides."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from contracts import canonical, locking
from contracts.facts import service as facts
from contracts.refusal import IdReused, Unknown
from settlement.approvals import rules as deciding
from settlement.approvals import service as approvals
from settlement.approvals.rules import Decision, Subject
from settlement.bank.tables import BankAccount
from settlement.collecting import rules
from settlement.collecting.tables import CollectingAccount

OBJECT = "collecting-account"


async def propose(
    session: AsyncSession,
    proposal_id: UUID,
    *,
    account_id: UUID,
    person_id: UUID,
    now: datetime,
) -> tuple[CollectingAccount, bool]:
    """Propose that an account collects its currency (经办); return it and whether it is new.

    Raises:
        Unknown: there is no such account.
        IdReused: the id names another proposal.
        AccountCannotCollect: nobody can wire into it.
        CollectingWaits: another proposal in this currency waits.
    """
    account = await locking.find_locked(session, BankAccount, col(BankAccount.id) == account_id)
    if account is None:
        raise Unknown("There is no such account.")
    known = await session.get(CollectingAccount, proposal_id)
    if known is not None:
        if known.account_id != account_id:
            raise IdReused("This id names another proposal.")
        return known, False
    if account.bank_name is None or account.scheme == rules.OTHER:
        raise rules.AccountCannotCollect("Nobody can wire into this account.")
    other = await _find(session, account.currency, rules.PROPOSED)
    if other is not None:
        raise rules.CollectingWaits("A proposal waits already.", proposal=str(other.id))
    raw = _content(proposal_id, account)
    proposal = CollectingAccount(
        id=proposal_id,
        account_id=account_id,
        currency=account.currency,
        state=rules.PROPOSED,
        content=raw,
        sha256=canonical.sha256_hex(raw),
        proposed_by=person_id,
        proposed_at=now,
    )
    session.add(proposal)
    await session.flush()
    return proposal, True


async def approve(
    session: AsyncSession, proposal_id: UUID, *, decision: Decision, now: datetime
) -> CollectingAccount:
    """Approve where a currency is wired (复核): from now on, instead of the account before.

    Raises:
        Unknown: there is no such proposal.
        AlreadyDecided, SamePerson, ContentChanged: see `approvals.rules.check_decision`.
        ProofSpent: the proof has served for another decision.
    """
    proposal = await _to_decide(session, proposal_id, decision)
    await approvals.approve_and_use(session, _subject(proposal), decision=decision, now=now)
    before = await _find(session, proposal.currency, rules.APPROVED)
    if before is not None:
        before.state, before.ended_at = rules.ENDED, now
        await session.flush()
    proposal.state, proposal.decided_by, proposal.decided_at = (
        rules.APPROVED, decision.person_id, now,
    )  # fmt: skip
    await session.flush()
    record = {"proposal": str(proposal.id), "content_sha256": proposal.sha256}
    await facts.record(
        session, "collecting-account.approved", proposal.id, record, parties=[], now=now
    )
    return proposal


async def refuse(
    session: AsyncSession, proposal_id: UUID, *, decision: Decision, reason: str, now: datetime
) -> CollectingAccount:
    """Refuse a proposal with a reason; wires go where they went.

    Raises:
        Unknown: there is no such proposal.
        AlreadyDecided, SamePerson, ContentChanged: see `approvals.rules.check_decision`.
    """
    proposal = await _to_decide(session, proposal_id, decision)
    by = decision.person_id
    await approvals.refuse(session, _subject(proposal), checker_id=by, reason=reason, now=now)
    proposal.state, proposal.decided_by, proposal.decided_at = rules.REFUSED, by, now
    proposal.reason = reason
    await session.flush()
    return proposal


async def _to_decide(
    session: AsyncSession, proposal_id: UUID, decision: Decision
) -> CollectingAccount:
    here = col(CollectingAccount.id) == proposal_id
    proposal = await locking.find_locked(session, CollectingAccount, here)
    if proposal is None:
        raise Unknown("There is no such proposal.")
    waiting = deciding.PREPARED if proposal.state == rules.PROPOSED else proposal.state
    deciding.check_decision(
        decision, subject=_subject(proposal), state=waiting, content_now=proposal.content
    )
    return proposal


async def _find(session: AsyncSession, currency: str, state: str) -> CollectingAccount | None:
    return await locking.find_locked(
        session,
        CollectingAccount,
        col(CollectingAccount.currency) == currency,
        col(CollectingAccount.state) == state,
    )


def _subject(proposal: CollectingAccount) -> Subject:
    return Subject(OBJECT, proposal.id, proposal.sha256, proposal.proposed_by)


def _content(proposal_id: UUID, account: BankAccount) -> bytes:
    return rules.content(
        proposal_id,
        account.id,
        code=":".join(part for part in (account.scheme, account.member_id, account.number) if part),
        currency=account.currency,
        bank=account.bank_name or "",
    )
