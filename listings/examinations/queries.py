"""Reading examinations: the run of a master, its pieces, how far it is, its codes by window."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import anyio.to_thread
import numpy as np
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from listings.examinations import rules
from listings.examinations.rules import Progress
from listings.examinations.tables import ExaminationPiece, ExaminationRun
from listings.masters import queries as masters
from listings.masters.fingerprint import CODE_BYTES, WINDOWS, Luma
from listings.masters.objects import Objects
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


async def windows(session: AsyncSession, master_id: UUID, objects: Objects) -> Luma:
    """Return a master's codes through every window, shape (looks, windows, 40), ten a second.

    Raises:
        FileNotFoundError: it has none; masters examined by older releases have them as rows.
    """
    raw = await masters.codes(session, master_id, "query")
    if not raw:
        key = f"derived/{master_id}/query.u1"
        raw = await anyio.to_thread.run_sync(objects.read, key)
    return np.frombuffer(raw, np.uint8).reshape(-1, len(WINDOWS), CODE_BYTES)
