"""Verbs of masters: upload in resumable parts, show how an examination goes, refuse."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import anyio.to_thread
from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from contracts import locking
from contracts.facts import service as facts
from contracts.refusal import IdReused, Refusal, Unknown
from contracts.titles import queries as titles
from listings.masters import chunks, queries, rules
from listings.masters.refusals import ReferenceDiffers, UploadFinished
from listings.masters.rules import Ask
from listings.masters.store import Files
from listings.masters.tables import Master


async def create_upload(
    session: AsyncSession, wanted: Ask, *, party_id: UUID, now: datetime
) -> tuple[Master, bool]:
    """Make room for an upload; the same wish again is the same upload. Return it and whether new.

    Raises:
        Unknown: the work is not the party's, nor licensed to it so that it may license on.
        IdReused: the id belongs to a master of another length, name, work or party.
    """
    if wanted.work_id is not None:
        await titles.get_offerable(session, wanted.work_id, party_id)
    content = {
        "party_id": party_id,
        "work_id": wanted.work_id,
        "filename": wanted.filename,
        "declared_bytes": wanted.length,
        "purpose": wanted.purpose,
        "reference": wanted.reference and dict(wanted.reference),
    }
    row = {
        **content, "id": wanted.master_id, "received_bytes": 0, "state": "uploading",
        "stage": "uploading", "done_bp": 0, "created_at": now,
        "expires_at": now + rules.KEEP_UNFINISHED,
    }  # fmt: skip
    made = await session.execute(
        insert(Master).values(**row).on_conflict_do_nothing().returning(col(Master.id))
    )
    created = made.scalar_one_or_none() is not None
    master = await queries.get_master(session, wanted.master_id)
    known = {name: getattr(master, name) for name in content}
    known["reference"] = known["reference"] and {
        name: known["reference"].get(name) for name in ("url", "sha256")
    }
    if known != content:
        raise IdReused("The master id is taken by another upload.")
    if created and wanted.reference:
        said = {"master": str(master.id), "bytes": wanted.length, "url": wanted.reference["url"]}
        await facts.record(
            session, "master.referenced", master.id, said, parties=[party_id], now=now
        )
    return master, created


async def append(
    session: AsyncSession,
    master_id: UUID,
    *,
    party_id: UUID,
    offset: int,
    block: bytes,
    files: Files,
    now: datetime,
) -> Master:
    """Store a block behind the committed part; the last one makes the master `received`.

    The row's lock is held while the block is written and synced, so that two writers cannot mix;
    blocks are small, so that it is held for milliseconds. The sums run along, and their state is
    committed with the offset: whichever process comes next goes on with both.

    Raises:
        Unknown: no such upload of the party.
        WrongOffset, UploadFinished, UploadExpired, UploadOverrun: see `rules.judge_append`.
        ReferenceDiffers: this was the last block, and the whole is not what was announced.
    """
    master = await locked(session, master_id, party_id)
    rules.judge_append(
        stored=master.received_bytes,
        declared=master.declared_bytes,
        offset=offset,
        size=len(block),
        state=master.state,
        expires_at=master.expires_at,
        now=now,
    )
    running = await anyio.to_thread.run_sync(_stored, files, master, block)
    master.hash_state = running.state()
    master.received_bytes = offset + len(block)
    master.expires_at = now + rules.KEEP_UNFINISHED
    master.done_bp = master.received_bytes * 10_000 // master.declared_bytes
    if master.received_bytes == master.declared_bytes:
        await _receive(session, master, running.sums(), now)
    await session.flush()
    return master


def _stored(files: Files, master: Master, block: bytes) -> chunks.Running:
    """Write a block and take it into the sums; without their state, what is stored is read."""
    at = master.received_bytes
    files.write(master.id, block, at=at)
    running = chunks.Running.resumed(master.hash_state) if master.hash_state else chunks.Running()
    for piece in files.pieces(master.id, running.at, at):
        running.update(piece)
    running.update(block)
    return running


async def _receive(session: AsyncSession, master: Master, sums: chunks.Sums, now: datetime) -> None:
    wanted = (master.reference or {}).get("sha256")
    if wanted not in (None, sums.sha256):
        raise ReferenceDiffers("The file has another SHA-256.", wanted=wanted, found=sums.sha256)
    master.sha256, master.chunk_root, master.hash_state = sums.sha256, sums.chunk_root, None
    master.state, master.stage, master.done_bp = "received", "waiting", 0
    kind = "master.received" if master.purpose == "master" else "asset.received"
    await _record(
        session, master, kind, now, bytes=master.declared_bytes, chunk_root=master.chunk_root
    )


async def make_master(session: AsyncSession, file: Master, *, now: datetime) -> None:
    """Have a file that came as a part of a package examined as a master; it is locked."""
    file.purpose, file.stage, file.done_bp = "master", "waiting", 0
    await session.flush()
    await _record(
        session, file, "master.received", now, bytes=file.declared_bytes, chunk_root=file.chunk_root
    )


async def find_reference(
    session: AsyncSession, master_id: UUID, *, e_tag: str | None
) -> Master | None:
    """Return a master that is still to be fetched, once its source is found to be as before.

    Raises:
        ReferenceDiffers: the source has changed since its first part was fetched.
    """
    master = await locking.find_locked(session, Master, col(Master.id) == master_id)
    if master is None or master.reference is None or master.state != "uploading":
        return None
    known = master.reference.get("e_tag")
    if master.received_bytes and known != e_tag:
        raise ReferenceDiffers("The file has changed.", wanted=known, found=e_tag)
    master.reference = {**master.reference, "e_tag": e_tag}
    await session.flush()
    return master


async def refuse_reference(
    session: AsyncSession, master_id: UUID, refusal: Refusal, *, now: datetime
) -> None:
    """End a master whose file cannot be fetched; the caller removes what was stored."""
    master = await locking.find_locked(session, Master, col(Master.id) == master_id)
    if master is not None and master.state == "uploading":
        master.stage, master.done_bp, master.hash_state = "done", 10_000, None
        await refuse(session, master, refusal, now)
        await session.flush()


async def cancel_upload(session: AsyncSession, master_id: UUID, *, party_id: UUID) -> None:
    """End an unfinished upload; the caller removes the file once this is committed.

    Raises:
        Unknown: no such upload of the party.
        UploadFinished: it is complete; its file stays.
    """
    master = await locked(session, master_id, party_id)
    if master.state != "uploading":
        raise UploadFinished("The upload is complete.")
    await session.delete(master)
    await session.flush()


async def drop_expired(session: AsyncSession, *, limit: int, now: datetime) -> Sequence[UUID]:
    """Forget unfinished uploads whose time is over; the caller removes their files after commit."""
    overdue = (
        select(col(Master.id))
        .where(col(Master.state) == "uploading", col(Master.expires_at) <= now)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    chosen = (await session.execute(overdue)).scalars().all()
    await session.execute(delete(Master).where(col(Master.id).in_(chosen)))
    return chosen


async def show_progress(
    session: AsyncSession, master_id: UUID, *, stage: str, done_bp: int
) -> None:
    """Let everybody see how far an examination is."""
    await session.execute(
        update(Master)
        .where(col(Master.id) == master_id, col(Master.state).in_(("received", "examining")))
        .values(state="examining", stage=stage, done_bp=done_bp)
    )


async def refuse(session: AsyncSession, master: Master, refusal: Refusal, now: datetime) -> None:
    """End a master with a refusal and say so."""
    master.state = "refused"
    master.refusal = {
        **refusal.data, "code": refusal.code, "detail": refusal.detail, "hint": refusal.hint,
    }  # fmt: skip
    await facts.record(
        session,
        "master.refused",
        master.id,
        {"master": str(master.id), "code": refusal.code},
        parties=[master.party_id],
        now=now,
    )


async def locked(session: AsyncSession, master_id: UUID, party_id: UUID | None) -> Master:
    """Load the master under its row's lock; of the party, unless that is None."""
    master = await locking.find_locked(session, Master, col(Master.id) == master_id)
    if master is None or party_id not in (None, master.party_id):
        raise Unknown("There is no such master.")
    return master


async def _record(
    session: AsyncSession, master: Master, kind: str, now: datetime, **more: Any
) -> None:
    payload = {"master": str(master.id), "sha256": master.sha256, **more}
    await facts.record(session, kind, master.id, payload, parties=[master.party_id], now=now)
