"""Keeping what was matched with what, and what nothing explains."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from contracts import ids
from settlement.reconciliation import rules
from settlement.reconciliation.tables import ReconSide


async def add_sides(
    session: AsyncSession, match_id: UUID, sides: Sequence[tuple[str, str, str, int]]
) -> None:
    """Keep the sides of a match: side, kind, name, amount with the sign of a credit."""
    session.add_all(
        ReconSide(
            match_id=match_id, line=number, side=side, kind=kind, name=name, amount_minor=amount
        )
        for number, (side, kind, name, amount) in enumerate(sides, 1)
    )
    await session.flush()


def suspended(
    account_id: UUID, amount_minor: int, currency: str, *, owner_id: UUID, now: datetime
) -> dict[str, object]:
    """Return suspended money as it is kept: whose task it is, and until when."""
    return {
        "id": ids.new(now),
        "account_id": account_id,
        "amount_minor": amount_minor,
        "currency": currency,
        "owner_id": owner_id,
        "opened_at": now,
        "due_on": rules.due_on(now),
        "state": rules.OPEN,
    }
