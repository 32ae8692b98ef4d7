"""Setting the timers of deals (定时器): rows that wait, and fire once."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from contracts.deals import lifecycle
from contracts.deals.tables import Deal, DealTimer


async def arm(
    session: AsyncSession, deal_id: UUID, kind: str, *, ref: UUID, due_at: datetime
) -> None:
    """Set a timer of a locked deal, or move one that has not fired; what fired stays so."""
    row = {"deal_id": deal_id, "kind": kind, "ref": ref, "due_at": due_at}
    added = insert(DealTimer).values(row)
    moved = added.on_conflict_do_update(
        index_elements=("deal_id", "kind", "ref"),
        set_={"due_at": due_at},
        where=col(DealTimer.settled_at).is_(None),
    )
    await session.execute(moved)


async def arm_signing(session: AsyncSession, deal: Deal, *, expires_at: datetime) -> None:
    """Set when the parties are reminded of a deal under signature, and when it runs out."""
    for kind, due_at in lifecycle.signing_timers(expires_at=expires_at):
        await arm(session, deal.id, kind, ref=deal.id, due_at=due_at)
