"""What masters need done in the background: their examination, and the end of abandoned uploads.

A film of an ordinary length is decoded where its examination began; a long one in pieces, which
any worker of the same database and objects takes. All outside work is done before a session is
used: no transaction waits for a decoder.
"""

import os
import socket
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

import anyio.to_thread
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.facts.rules import SealedFact
from contracts.refusal import Refusal
from exchange import clock, pieces
from exchange.context import Context
from listings.examinations import decoding, examining, passing, queries, rules, service, spans
from listings.examinations.commands import Film, Tier
from listings.examinations.decoding import Job
from listings.examinations.examining import Known
from listings.examinations.gateway import Derived, scratch
from listings.examinations.merging import Found
from listings.examinations.reporting import Report, sparing
from listings.examinations.service import Taken
from listings.masters import gateway
from listings.masters import queries as masters
from listings.masters import service as uploads
from listings.masters.refusals import Examination, ExaminationTooLarge

MOST_DROPPED = 100  # at once; the rest at the next look
KEEP_COPIES = timedelta(days=1)  # of what an object store keeps, for the next who reads it here
TIER: Tier = "sampled"


async def examine_master(
    context: Context, session: AsyncSession, fact: SealedFact, now: datetime
) -> None:
    """Examine a received master, or cut it into pieces for every worker to take."""
    master_id, known = fact.subject, None
    path = await anyio.to_thread.run_sync(context.masters.local, master_id, fact.record["bytes"])
    sandbox, report = await gateway.sandbox(context.settings.sandbox), _shown(context, master_id)
    try:
        known = await examining.know(
            path, sha256=fact.record["sha256"], sandbox=sandbox, report=report
        )
        examining.check_decodable(known.record)
        cut = await passing.plan(
            path, sandbox=sandbox, record=known.record, every_s=context.settings.piece_s
        )
        if len(cut) > 1:
            await service.begin(session, master_id, known, cut=cut, tier=TIER, now=clock.now())
            await pieces.defer_pieces(session, master_id, [span.number for span in cut])
            return
        async with context.db.transaction() as showing:
            await service.begin(showing, master_id, known, cut=cut, tier=TIER, now=clock.now())
        async with scratch(_scratch(context)) as folder:
            passed = await passing.run(
                path, sandbox=sandbox, folder=folder, record=known.record, tier=TIER, proxy=True,
                report=report,
            )  # fmt: skip
            await anyio.to_thread.run_sync(Derived(context.objects, master_id).keep, passed)
        await service.accept(session, master_id, passed, known=known, now=now)
    except Examination as refusal:
        await service.refuse(session, master_id, refusal, known=known, now=now)


async def examine_piece(context: Context, master_id: UUID, number: int) -> None:
    """Decode a piece of a master; whoever ends the last piece has the pieces joined."""
    async with context.db.transaction() as session:
        taken = await service.take(session, master_id, number, worker=_worker(), now=clock.now())
        master = await masters.get_master(session, master_id)
    if taken is None:
        return
    try:
        await _decode(context, master_id, taken, size=master.declared_bytes)
    except Examination as refusal:
        async with context.db.transaction() as session:
            await service.refuse(session, master_id, refusal, known=None, now=clock.now())
            await pieces.defer_joining(session, master_id)  # which clears the other pieces away
        return
    except (Refusal, OSError):  # a store or a disk that is away is no fault of the file
        async with context.db.transaction() as session:
            await service.give_back(session, master_id, number)
        raise
    async with context.db.transaction() as session:
        if await service.end_piece(session, master_id, number, now=clock.now()):
            await pieces.defer_joining(session, master_id)
        master = await masters.get_master(session, master_id)
    if master.state in service.SETTLED:
        derived = Derived(context.objects, master_id)
        await anyio.to_thread.run_sync(derived.drop_piece, number)


async def _decode(context: Context, master_id: UUID, taken: Taken, *, size: int) -> None:
    if rules.is_hopeless(taken.attempts):
        raise ExaminationTooLarge("Every worker that decoded a piece of the file has died.")
    path = await anyio.to_thread.run_sync(context.masters.local, master_id, size)
    sandbox, span = await gateway.sandbox(context.settings.sandbox), taken.span
    job = Job(path, Film.of(taken.record), span, taken.tier, proxy=True)

    async def show(_stage: str, done_bp: int) -> None:
        async with context.db.transaction() as showing:
            await service.show_piece(showing, master_id, span.number, done_bp=done_bp)

    async with scratch(_scratch(context)) as folder:
        await decoding.decode(job, folder, sandbox=sandbox, report=sparing(show))
        kept = Derived(context.objects, master_id)
        await anyio.to_thread.run_sync(kept.keep_piece, span.number, folder)


async def join_pieces(context: Context, master_id: UUID) -> None:
    """Join the decoded pieces of a master, which ends its examination."""
    async with context.db.transaction() as session:
        run = await queries.find_run(session, master_id)
        cut = [spans.unpacked(piece.span) for piece in await queries.pieces(session, master_id)]
    derived = Derived(context.objects, master_id)
    if run is not None and run.ended_at is None:
        known = Known(run.record, run.sums)
        tier: Tier = "full" if run.tier == "full" else "sampled"
        await _shown(context, master_id)("fingerprinting", 0)
        async with scratch(_scratch(context)) as folder:
            try:
                found = await anyio.to_thread.run_sync(_fetched, derived, cut, folder)
                passed = await passing.merge(
                    found, folder, sandbox=await gateway.sandbox(context.settings.sandbox),
                    record=run.record, tier=tier,
                )  # fmt: skip
                await anyio.to_thread.run_sync(derived.keep, passed)
            except Examination as refusal:
                async with context.db.transaction() as session:
                    now = clock.now()
                    await service.refuse(session, master_id, refusal, known=known, now=now)
            else:
                async with context.db.transaction() as session:
                    now = clock.now()
                    await service.accept(session, master_id, passed, known=known, now=now)
    for span in cut:
        await anyio.to_thread.run_sync(derived.drop_piece, span.number)


def _fetched(derived: Derived, cut: list[spans.Span], folder: Path) -> list[Found]:
    found = []
    for span in cut:
        place = folder / str(span.number)
        place.mkdir()
        derived.fetch_piece(span.number, place)
        found.append(Found.of(span, place))
    return found


def _shown(context: Context, master_id: UUID) -> Report:
    async def report(stage: str, done_bp: int) -> None:
        async with context.db.transaction() as showing:
            await uploads.show_progress(showing, master_id, stage=stage, done_bp=done_bp)

    return sparing(report)


def _scratch(context: Context) -> Path:
    return context.settings.objects / "scratch"


def _worker() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"


async def drop_expired(context: Context, now: datetime) -> int:
    """Forget uploads that were left unfinished too long, then remove their files."""
    async with context.db.transaction() as session:
        dropped = await uploads.drop_expired(session, limit=MOST_DROPPED, now=now)
    for master_id in dropped:
        await anyio.to_thread.run_sync(context.masters.remove, master_id)
    before = (now - KEEP_COPIES).timestamp()
    await anyio.to_thread.run_sync(lambda: context.masters.drop_copies(unused_since=before))
    return len(dropped)
