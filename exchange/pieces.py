"""Jobs that decode the pieces of masters: queued in the transaction that plans or ends them."""

import json
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

# A queue of their own: hours of decoding must not stand before the reaction to a bid.
QUEUE = "pieces"
DECODE, JOIN = "exchange.decode", "exchange.join"

_DEFER = text(
    "SELECT procrastinate_defer_jobs_v1(ARRAY[ROW(:queue, :task, 0, NULL, NULL, "
    "CAST(:args AS jsonb), NULL)::procrastinate_job_to_defer_v1])"
)


async def defer_pieces(session: AsyncSession, master_id: UUID, numbers: Sequence[int]) -> None:
    """Queue the decoding of pieces of a master."""
    for number in numbers:
        await _defer(session, DECODE, master_id=str(master_id), number=number)


async def defer_joining(session: AsyncSession, master_id: UUID) -> None:
    """Queue the joining of the decoded pieces of a master."""
    await _defer(session, JOIN, master_id=str(master_id))


async def _defer(session: AsyncSession, task: str, **args: Any) -> None:
    await session.execute(_DEFER, {"queue": QUEUE, "task": task, "args": json.dumps(args)})
