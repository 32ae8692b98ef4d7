"""Verdicts as they are written: searched for, kept, judged as things stand, told (recognition)."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from contracts import canonical, locking
from contracts.facts import service as facts
from listings.masters import queries as masters
from listings.masters.tables import Master
from listings.recognition import matching, queries, rules
from listings.recognition.gateway import Sight
from listings.recognition.relation import Related, Relation
from listings.recognition.rules import Likeness, Side, Span, State, Verdict
from listings.recognition.tables import Declaration, ProtectedMaster, Recognition, Resemblance


async def look(
    session: AsyncSession,
    master: Master,
    *,
    roots: frozenset[UUID],
    since: int,
    sight: Sight,
    now: datetime,
) -> Recognition:
    """Search what was protected after an epoch; write what is found and judge it."""
    # Publications commit in the order of their epochs: whoever reads this one sees all before it.
    epoch = await queries.newest_epoch(session)
    found = await matching.search(session, master, since=since, sight=sight)
    row, is_new = await opened(session, master, now=now)
    before = row.state
    for other_id, related in found.items():
        await _keep(session, master.id, other_id, related, now=now)
    if since == 0:
        await _forget(session, master.id, epoch=epoch, but=list(found))
    row.epoch, row.searched_at = max(row.epoch, epoch), now
    await judge(session, row, master, roots=roots, now=now)
    if is_new or found or before != row.state:
        await _record(session, row, now=now)
    return row


async def opened(
    session: AsyncSession, master: Master, *, now: datetime
) -> tuple[Recognition, bool]:
    """Return the row of a master under its lock, and whether it is new."""
    first = {
        "master_id": master.id, "party_id": master.party_id, "state": State.CLEAR.value,
        "epoch": 0, "searched_at": now,
    }  # fmt: skip
    made = insert(Recognition).values(**first).on_conflict_do_nothing()
    new = await session.scalar(made.returning(col(Recognition.master_id)))
    here = col(Recognition.master_id) == master.id
    row = await locking.get_locked(session, Recognition, here)
    return row, new is not None


async def _keep(
    session: AsyncSession, master_id: UUID, other_id: UUID, related: Relation, *, now: datetime
) -> None:
    """Write a resemblance; what staff made of an earlier look at the same two stays."""
    sounds = [one.sound_bp for one in related.segments if one.sound_bp is not None]
    looks = {
        "kind": related.kind.value, "sure": related.sure,
        "segments": [segment.as_dict() for segment in related.segments],
        "coverage_here_bp": related.coverage_here_bp,
        "coverage_there_bp": related.coverage_there_bp,
        "confidence_bp": related.confidence_bp, "sound_bp": min(sounds, default=None),
        "found_at": now,
    }  # fmt: skip
    row = insert(Resemblance).values(
        master_id=master_id, other_master_id=other_id, state=State.DOUBTFUL.value, why="found",
        **looks,
    )  # fmt: skip
    await session.execute(
        row.on_conflict_do_update(index_elements=["master_id", "other_master_id"], set_=looks)
    )


async def _forget(
    session: AsyncSession, master_id: UUID, *, epoch: int, but: Sequence[UUID]
) -> None:
    """Drop what a whole search up to an epoch no longer finds, unless staff decided on it."""
    searched = select(col(ProtectedMaster.master_id)).where(col(ProtectedMaster.epoch) <= epoch)
    await session.execute(
        delete(Resemblance).where(
            col(Resemblance.master_id) == master_id,
            col(Resemblance.other_master_id).in_(searched),
            col(Resemblance.other_master_id).not_in(but),
            col(Resemblance.settled).is_(None),
        )
    )


async def judge_again(session: AsyncSession, master_id: UUID, *, now: datetime) -> Recognition:
    """Judge what is known of a master once more, after a decision."""
    master = await masters.get_master(session, master_id)
    row, _ = await opened(session, master, now=now)
    before = row.state
    await judge(session, row, master, roots=frozenset(), now=now)
    if row.state != before:
        await _record(session, row, now=now)
    return row


async def judge(
    session: AsyncSession,
    row: Recognition,
    master: Master,
    *,
    roots: frozenset[UUID],
    now: datetime,
) -> None:
    """Judge every resemblance as things stand now, and write the worst as the master's state."""
    found = await queries.resemblances(session, master.id)
    others = [one.other_master_id for one in found]
    sides = await queries.sides(session, others)
    here = Side(master.party_id, roots | await queries.roots_of(session, master))
    cleared = await _cleared(session, master.id, found)
    verdicts: list[Verdict] = []
    for one in found:
        verdict = rules.judge(
            _likeness(one), here=here, there=sides[one.other_master_id],
            cleared=cleared[one.other_master_id],
        )  # fmt: skip
        one.state, one.why = verdict.state.value, verdict.why
        verdicts.append(verdict)
    row.state = rules.worst(verdicts).value
    row.opened_at = None if row.state == State.CLEAR else row.opened_at or now
    await session.flush()


def _likeness(one: Resemblance) -> Likeness:
    return Likeness(
        kind=Related(one.kind),
        sure=one.sure,
        segments=one.segments,
        coverage_here_bp=one.coverage_here_bp,
        coverage_there_bp=one.coverage_there_bp,
        settled=one.settled,
    )


async def _cleared(
    session: AsyncSession, master_id: UUID, found: Sequence[Resemblance]
) -> Mapping[UUID, list[Span]]:
    """Return for each other master the seconds of this one that accepted declarations explain."""
    others = [one.other_master_id for one in found]
    said = [
        row for row in await queries.declarations(session, master_id) if row.state == "accepted"
    ]
    archives = await queries.archives(session, [master_id, *others]) if others else []
    beside = {
        (row.master_id, row.other_master_id): await queries.segments(session, row)
        for row in archives
    }
    return {
        one.other_master_id: [
            *(_span(row) for row in said if row.other_master_id == one.other_master_id),
            *rules.shared(
                one.segments, other=one.other_master_id, master=master_id,
                archives=[_archive(row, beside) for row in archives],
            ),
        ]
        for one in found
    }  # fmt: skip


def _archive(
    row: Declaration, beside: Mapping[tuple[UUID, UUID], Sequence[Mapping[str, Any]]]
) -> rules.Archive:
    segments = beside[row.master_id, row.other_master_id]
    return rules.Archive(row.master_id, row.other_master_id, _span(row), segments)


def _span(row: Declaration) -> Span:
    if row.here_ms is None or row.length_ms is None:
        return rules.EVERYTHING
    return Span(row.here_ms, row.length_ms)


async def refuse(session: AsyncSession, row: Recognition) -> None:
    """Tell whose picture it is, which seconds of it and which seconds here, and how sure that is.

    Raises:
        LooksLikeAnotherWork, RecognitionUnderReview: by the state.
    """
    found = [
        one for one in await queries.resemblances(session, row.master_id) if one.state == row.state
    ]
    worst = found[0]
    of = (await queries.what_of(session, [worst.other_master_id]))[worst.other_master_id]
    stretch = max(worst.segments, key=lambda each: each["length_ms"], default=None)
    data = {
        "case": str(row.master_id),
        "listing": str(of.protected.listing_id),
        "work_title": {"zh": of.work.title_zh, "en": of.work.title_en},
        "kind": worst.kind,
        "confidence_bp": worst.confidence_bp,
        "sound_bp": worst.sound_bp,
        **rules.where(stretch),
    }
    if row.state == State.COPY:
        raise rules.LooksLikeAnotherWork(
            f"The picture is that of 《{of.work.title_zh}》, which is listed already.", **data
        )
    raise rules.RecognitionUnderReview(
        f"A part may be from 《{of.work.title_zh}》, which is listed already.", **data
    )


async def _record(session: AsyncSession, row: Recognition, *, now: datetime) -> None:
    found = await queries.resemblances(session, row.master_id)
    shown = [
        {
            "master": str(one.other_master_id), "kind": one.kind, "state": one.state,
            "why": one.why, "confidence_bp": one.confidence_bp, "segments": one.segments,
        }
        for one in sorted(found, key=lambda one: one.other_master_id)
    ]  # fmt: skip
    payload = {
        "master": str(row.master_id),
        "state": row.state,
        "epoch": row.epoch,
        "found": len(found),
        "found_sha256": canonical.sha256_hex(canonical.dumps(shown)),
    }
    await facts.record(
        session, "master.recognised", row.master_id, payload, parties=[row.party_id], now=now
    )


async def locked(session: AsyncSession, master_id: UUID) -> Recognition | None:
    """Return the verdict on a master under its lock, or None."""
    return await locking.find_locked(session, Recognition, col(Recognition.master_id) == master_id)
