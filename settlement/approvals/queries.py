"""Reading approvals."""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from settlement.approvals.rules import APPROVED, Subject
from settlement.approvals.tables import Approval


async def find_by_proof(session: AsyncSession, proof_id: UUID) -> Approval | None:
    """Return the decision that a proof of identity served for, or None."""
    wanted = select(Approval).where(col(Approval.proof_id) == proof_id)
    return (await session.scalars(wanted)).one_or_none()


async def find_newest(session: AsyncSession, subject: Subject) -> Approval | None:
    """Return the newest approval of exactly this content, locked and read afresh, or None."""
    wanted = (
        select(Approval)
        .where(
            col(Approval.object_type) == subject.object_type,
            col(Approval.object_id) == subject.object_id,
            col(Approval.object_hash) == subject.object_hash,
            col(Approval.maker_id) == subject.maker_id,
            col(Approval.outcome) == APPROVED,
        )
        .order_by(col(Approval.decided_at).desc(), col(Approval.id).desc())
        .limit(1)
        .with_for_update(key_share=True)
    )
    found = await session.scalars(wanted.execution_options(populate_existing=True))
    return found.one_or_none()
