"""Verbs of examinations: plan the pieces of a master, take one, end one, and end it all."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from contracts import locking
from contracts.facts import service as facts
from contracts.works.tables import Work
from listings.examinations import examining, queries, rules, spans
from listings.examinations.commands import Tier
from listings.examinations.examining import Known
from listings.examinations.merging import Passed
from listings.examinations.spans import Span
from listings.examinations.tables import ExaminationPiece, ExaminationRun
from listings.masters import service as masters
from listings.masters.conformance import service as conformance
from listings.masters.fingerprint import CODE_BYTES, RATE
from listings.masters.refusals import Examination
from listings.masters.tables import FingerprintSegment, Master

SEGMENT_S = 12
AUDIO_SEGMENT = 96 * 4  # Chromaprint gives about eight integers a second
SETTLED = ("ready", "refused")


@dataclass(frozen=True, slots=True)
class Taken:
    """A piece that a worker has taken."""

    span: Span
    record: Mapping[str, Any]
    tier: Tier
    attempts: int


async def begin(
    session: AsyncSession,
    master_id: UUID,
    known: Known,
    *,
    cut: Sequence[Span],
    tier: Tier,
    now: datetime,
) -> None:
    """Write down how a master is decoded; a second time changes nothing but the start.

    A film that is decoded whole has no pieces for other workers to take.
    """
    run = {
        "tier": tier, "pieces": len(cut), "record": dict(known.record), "sums": dict(known.sums),
        "started_at": now, "ended_at": None,
    }  # fmt: skip
    await session.execute(
        insert(ExaminationRun)
        .values(master_id=master_id, **run)
        .on_conflict_do_update(
            index_elements=["master_id"], set_={"pieces": len(cut), "started_at": now}
        )
    )
    await masters.show_progress(session, master_id, stage="decoding", done_bp=0)
    for span in cut if len(cut) > 1 else ():
        await session.execute(
            insert(ExaminationPiece)
            .values(
                master_id=master_id, number=span.number, span=spans.packed(span), state="waiting",
                attempts=0, done_bp=0,
            )
            .on_conflict_do_nothing()
        )  # fmt: skip


async def take(
    session: AsyncSession, master_id: UUID, number: int, *, worker: str, now: datetime
) -> Taken | None:
    """Take a piece to decode it; None when it is done, or the master has ended.

    A piece that somebody else runs is taken all the same: whoever asks was told by the queue that
    the other is dead. Should both live, they find the same and one of them ends the piece.
    """
    master = await session.get_one(Master, master_id, populate_existing=True)
    piece = await _locked_piece(session, master_id, number)
    if piece is None or piece.state == "done" or master.state in SETTLED:
        return None
    run = await session.get_one(ExaminationRun, master_id)
    piece.state, piece.worker, piece.started_at = "running", worker, now
    piece.attempts, piece.done_bp = piece.attempts + 1, 0
    await session.flush()
    tier: Tier = "full" if run.tier == "full" else "sampled"
    return Taken(spans.unpacked(piece.span), run.record, tier, piece.attempts)


async def give_back(session: AsyncSession, master_id: UUID, number: int) -> None:
    """Put a piece back that could not be decoded for reasons outside the file."""
    piece = await _locked_piece(session, master_id, number)
    if piece is not None and piece.state == "running":
        piece.state, piece.attempts = "waiting", max(0, piece.attempts - 1)
        await session.flush()


async def show_piece(session: AsyncSession, master_id: UUID, number: int, *, done_bp: int) -> None:
    """Let everybody see how far a piece is, and with it its master."""
    whole = col(ExaminationPiece.master_id) == master_id
    await session.execute(
        update(ExaminationPiece)
        .where(whole, col(ExaminationPiece.number) == number)
        .where(col(ExaminationPiece.state) == "running")
        .values(done_bp=done_bp)
    )
    mean = await session.execute(select(func.avg(col(ExaminationPiece.done_bp))).where(whole))
    await masters.show_progress(
        session, master_id, stage="decoding", done_bp=int(mean.scalar_one() or 0)
    )


async def end_piece(session: AsyncSession, master_id: UUID, number: int, *, now: datetime) -> bool:
    """Say that a piece is decoded and kept; tell whether it was the last one."""
    await locking.find_locked(session, ExaminationRun, col(ExaminationRun.master_id) == master_id)
    piece = await _locked_piece(session, master_id, number)
    if piece is None or piece.state == "done":
        return False
    piece.state, piece.done_bp, piece.ended_at = "done", rules.WHOLE_BP, now
    await session.flush()
    return all(each.state == "done" for each in await queries.pieces(session, master_id))


async def accept(
    session: AsyncSession,
    master_id: UUID,
    passed: Passed,
    *,
    known: Known,
    now: datetime,
) -> Master:
    """End an examination well: probe, codes and measures are kept, and the master is judged."""
    master = await _ending(session, master_id, now)
    if master.state in SETTLED:
        return master
    work = await session.get(Work, master.work_id) if master.work_id else None
    title = (work.title_zh or work.title_en) if work is not None else None
    master.fingerprint = examining.fingerprint_record(passed, sums=known.sums, title=title)
    master.state, master.probe = "ready", dict(known.record)
    tracks = (
        ("video", passed.codes.video.tobytes(), SEGMENT_S * RATE * CODE_BYTES),
        ("audio", passed.audio, AUDIO_SEGMENT),
    )
    for track, codes, size in tracks:
        for seg, start in enumerate(range(0, len(codes), size)):
            part = codes[start : start + size]
            session.add(FingerprintSegment(master_id=master.id, track=track, seg=seg, codes=part))
    said = {
        "master": str(master.id), "sha256": master.sha256, "probe_sha256": master.probe_sha256,
        "fingerprint_sha256": master.fingerprint_sha256,
    }  # fmt: skip
    await facts.record(
        session, "master.examined", master.id, said, parties=[master.party_id], now=now
    )
    await session.flush()
    await conformance.record(session, master, measures=passed.measures, now=now)
    return master


async def refuse(
    session: AsyncSession,
    master_id: UUID,
    refusal: Examination,
    *,
    known: Known | None,
    now: datetime,
) -> Master:
    """End an examination with a refusal; what is known of a file that nothing decodes is kept."""
    master = await _ending(session, master_id, now)
    if master.state in SETTLED:
        return master
    await masters.refuse(session, master, refusal, now)
    if known is not None and not known.record["video"]["decodable"]:
        master.probe = dict(known.record)
        await session.flush()
        await conformance.record(session, master, measures=None, now=now)
    await session.flush()
    return master


async def _ending(session: AsyncSession, master_id: UUID, now: datetime) -> Master:
    """Load the master under its lock; unless it has ended before, its examination ends now."""
    master = await masters.locked(session, master_id, None)
    if master.state not in SETTLED:
        master.stage, master.done_bp, master.examined_at = "done", rules.WHOLE_BP, now
        await session.execute(
            update(ExaminationRun)
            .where(col(ExaminationRun.master_id) == master_id)
            .values(ended_at=now)
        )
    return master


async def _locked_piece(
    session: AsyncSession, master_id: UUID, number: int
) -> ExaminationPiece | None:
    return await locking.find_locked(
        session,
        ExaminationPiece,
        col(ExaminationPiece.master_id) == master_id,
        col(ExaminationPiece.number) == number,
    )
