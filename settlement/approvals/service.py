"""Approving, refusing, and using an approval for the one thing it was given for."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from contracts import ids
from settlement.approvals import queries, rules
from settlement.approvals.rules import Decision, Prepared, Subject
from settlement.approvals.tables import Approval


async def approve(
    session: AsyncSession,
    subject: Subject,
    *,
    checker_id: UUID,
    proof_id: UUID,
    now: datetime,
) -> Approval:
    """Note that a person approved a content (复核); it holds for 24 hours, for one use.

    Args:
        session: the transaction of the approval.
        subject: what is approved.
        checker_id: who approves.
        proof_id: the proof that the checker was there in person, which serves for one decision.
        now: the instant.

    Raises:
        SamePerson: the checker made it.
        ProofSpent: the proof has served for another decision.
    """
    rules.check_two(subject, checker_id)
    if await queries.find_by_proof(session, proof_id) is not None:
        raise rules.ProofSpent("This proof has served for another decision.")
    return await _decided(
        session, subject, rules.APPROVED, checker_id=checker_id, proof_id=proof_id, now=now
    )


async def refuse(
    session: AsyncSession, subject: Subject, *, checker_id: UUID, reason: str, now: datetime
) -> Approval:
    """Note that a person refused a content, and why.

    Raises:
        SamePerson: the checker made it.
    """
    rules.check_two(subject, checker_id)
    return await _decided(
        session, subject, rules.REFUSED, checker_id=checker_id, reason=reason, now=now
    )


async def approve_and_use(
    session: AsyncSession, subject: Subject, *, decision: Decision, now: datetime
) -> Approval:
    """Note that a person approved a content, and use that at once: it is done now.

    Raises:
        SamePerson, ProofSpent: see `approve`.
    """
    given = await approve(
        session,
        subject,
        checker_id=decision.person_id,
        proof_id=rules.proof_of(decision),
        now=now,
    )
    given.used_at = now
    await session.flush()
    return given


async def refuse_prepared(
    session: AsyncSession,
    row: Prepared,
    subject: Subject,
    *,
    decision: Decision,
    reason: str,
    now: datetime,
) -> None:
    """Refuse something prepared as it was read, and note on its row by whom and when.

    Raises:
        AlreadyDecided, SamePerson, ContentChanged: see `rules.check_decision`.
    """
    rules.check_decision(decision, subject=subject, state=row.state, content_now=row.content)
    by = decision.person_id
    await refuse(session, subject, checker_id=by, reason=reason, now=now)
    row.state, row.decided_by, row.decided_at = rules.REFUSED, by, now


async def use(session: AsyncSession, subject: Subject, *, now: datetime) -> Approval:
    """Use the approval of exactly this content, once.

    Raises:
        ApprovalMissing: nobody approved this content, made by this person.
        ApprovalSpent, ApprovalExpired: see there.
    """
    found = await queries.find_newest(session, subject)
    if found is None:
        raise rules.ApprovalMissing("Nobody approved exactly this.", sha256=subject.object_hash)
    rules.check_use(used_at=found.used_at, expires_at=found.expires_at, now=now)
    found.used_at = now
    await session.flush()
    return found


async def _decided(
    session: AsyncSession,
    subject: Subject,
    outcome: str,
    *,
    checker_id: UUID,
    proof_id: UUID | None = None,
    reason: str | None = None,
    now: datetime,
) -> Approval:
    approval = Approval(
        id=ids.new(now),
        object_type=subject.object_type,
        object_id=subject.object_id,
        object_hash=subject.object_hash,
        maker_id=subject.maker_id,
        checker_id=checker_id,
        outcome=outcome,
        reason=reason,
        proof_id=proof_id,
        decided_at=now,
        expires_at=now + rules.LASTS,
    )
    session.add(approval)
    await session.flush()
    return approval
