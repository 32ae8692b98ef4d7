"""Reading examinations: the run of a master, its pieces, and how far it is."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from listings.examinations import rules
from listings.examinations.rules import Progress
from listings.examinations.tables import ExaminationPiece, ExaminationRun
from listings.masters.tables import Master


async def find_run(session: AsyncSession, master_id: UUID) -> ExaminationRun | None:
    """Return the decoding of a master, if it has begun."""
    return await session.get(ExaminationRun, master_id, populate_existing=True)


async def pieces(session: AsyncSession, master_id: UUID) -> Sequence[ExaminationPiece]:
    """Return the pieces of a master in order; none when it is decoded whole."""
    wanted = select(ExaminationPiece).where(col(ExaminationPiece.master_id) == master_id)
    found = await session.execute(
        wanted.order_by(col(ExaminationPiece.number)).execution_options(populate_existing=True)
    )
    return found.scalars().all()


async def progress(session: AsyncSession, master: Master, *, now: datetime) -> Progress:
    """Return how far the examination of a master is."""
    run = await find_run(session, master.id)
    cut = await pieces(session, master.id)
    left = None
    if run is not None and run.ended_at is None and master.stage == "decoding":
        left = rules.remaining_s(master.done_bp, started_at=run.started_at, now=now)
    ended = sum(piece.state == "done" for piece in cut)
    if run is not None and run.ended_at is not None:
        ended = run.pieces
    return Progress(master.stage, master.done_bp, run.pieces if run else 1, ended, left)
