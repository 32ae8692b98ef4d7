"""Announcing fee schedules: prepared by one person, approved by another, for days to come."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from contracts import canonical, locking
from contracts.facts import service as facts
from contracts.refusal import IdReused, Kind, Refusal, Unknown
from settlement.approvals import rules as deciding
from settlement.approvals import service as approvals
from settlement.approvals.rules import Decision, Subject
from settlement.fees import reading, rules
from settlement.fees.tables import FeeAnnouncement, FeeProposal

OBJECT = "fee-announcement"


class FeesNotAhead(Refusal):
    """A schedule is announced for a day that has begun."""

    kind, code = Kind.INVALID, "fees-not-ahead"
    hint = "Name a later day: what is on sale keeps the fees that it was published with."


async def prepare(
    session: AsyncSession,
    announcement_id: UUID,
    *,
    wire: Mapping[str, Any],
    valid_from: date,
    person_id: UUID,
    now: datetime,
) -> tuple[FeeProposal, bool]:
    """Prepare a schedule for what is published from a day on (经办); again is the same.

    It is in force for nobody before another person approves it.

    Raises:
        BadFeeSchedule: it does not hold together.
        NotCanonical: it holds text that has no single form.
        FeesNotAhead: the day has begun.
        IdReused: the id names another announcement.
    """
    schedule = reading.read_new(wire)
    raw = rules.announcement(announcement_id, schedule, valid_from=valid_from)
    known = await session.get(FeeProposal, announcement_id)
    if known is not None and known.content == raw:
        return known, False
    if known is not None or await session.get(FeeAnnouncement, announcement_id) is not None:
        raise IdReused("This id names another announcement.")
    check_ahead(valid_from, now=now)
    proposal = FeeProposal(
        id=announcement_id,
        valid_from=valid_from,
        schedule=schedule.id,
        sha256=schedule.sha256,
        state=deciding.PREPARED,
        content=raw,
        content_sha256=canonical.sha256_hex(raw),
        prepared_by=person_id,
        prepared_at=now,
    )
    session.add(proposal)
    await session.flush()
    await facts.record(session, "fees.prepared", proposal.id, _told(proposal), parties=[], now=now)
    return proposal, True


async def approve(
    session: AsyncSession, announcement_id: UUID, *, decision: Decision, now: datetime
) -> FeeProposal:
    """Approve a schedule (复核): it is announced to everybody, and in force from its day on.

    The same approval again gets the same answer.

    Raises:
        Unknown: no such announcement was prepared.
        AlreadyDecided, SamePerson, ContentChanged, ProofSpent: see `approvals.rules`.
        FeesNotAhead: its day has begun in the meantime.
    """
    proposal = await _locked(session, announcement_id)
    if proposal.state == deciding.APPROVED and _same(proposal, decision):
        return proposal
    _check(proposal, decision)
    check_ahead(proposal.valid_from, now=now)
    await approvals.approve_and_use(session, _subject(proposal), decision=decision, now=now)
    proposal.state = deciding.APPROVED
    proposal.decided_by, proposal.decided_at = decision.person_id, now
    await session.flush()
    schedule = proposal.read()
    row = FeeAnnouncement(
        id=proposal.id,
        valid_from=proposal.valid_from,
        schedule=schedule.id,
        sha256=schedule.sha256,
        content=schedule.content,
        announced_by=decision.person_id,
        announced_at=now,
    )
    session.add(row)
    await session.flush()
    payload = {
        "announcement": str(row.id),
        "schedule": row.schedule,
        "sha256": row.sha256,
        "valid_from": row.valid_from.isoformat(),
    }
    await facts.record(session, "fees.announced", row.id, payload, now=now)
    return proposal


async def refuse(
    session: AsyncSession, announcement_id: UUID, *, decision: Decision, reason: str, now: datetime
) -> FeeProposal:
    """Refuse a schedule with a reason; nothing is announced.

    Raises:
        Unknown: no such announcement was prepared.
        AlreadyDecided, SamePerson, ContentChanged: see `approvals.rules`.
    """
    proposal = await _locked(session, announcement_id)
    if proposal.reason == reason and _same(proposal, decision):
        return proposal
    _check(proposal, decision)
    by = decision.person_id
    await approvals.refuse(session, _subject(proposal), checker_id=by, reason=reason, now=now)
    proposal.state, proposal.reason = deciding.REFUSED, reason
    proposal.decided_by, proposal.decided_at = by, now
    await session.flush()
    await facts.record(session, "fees.refused", proposal.id, _told(proposal), parties=[], now=now)
    return proposal


def check_ahead(valid_from: date, *, now: datetime) -> None:
    """Check that a day has not begun at the exchange's seat.

    Raises:
        FeesNotAhead: it has.
    """
    today = rules.day_of(now)
    if valid_from <= today:
        raise FeesNotAhead("The day has begun.", today=today.isoformat())


def _check(proposal: FeeProposal, decision: Decision) -> None:
    now_is = rules.announcement(proposal.id, proposal.read(), valid_from=proposal.valid_from)
    deciding.check_decision(
        decision, subject=_subject(proposal), state=proposal.state, content_now=now_is
    )


async def _locked(session: AsyncSession, announcement_id: UUID) -> FeeProposal:
    here = col(FeeProposal.id) == announcement_id
    proposal = await locking.find_locked(session, FeeProposal, here)
    if proposal is None:
        raise Unknown("No such announcement was prepared.")
    return proposal


def _subject(proposal: FeeProposal) -> Subject:
    return Subject(OBJECT, proposal.id, proposal.content_sha256, proposal.prepared_by)


def _same(proposal: FeeProposal, decision: Decision) -> bool:
    decided = (proposal.decided_by, proposal.content_sha256)
    return decided == (decision.person_id, decision.content_sha256)


def _told(proposal: FeeProposal) -> dict[str, str]:
    return {"announcement": str(proposal.id), "content_sha256": proposal.content_sha256}
