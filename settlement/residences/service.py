"""Recording where a party is resident for tax, decided by another person: rates follow from it."""

from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from contracts import canonical, locking
from contracts.facts import service as facts
from contracts.parties import queries as parties
from contracts.refusal import IdReused, Unknown
from settlement.approvals import rules as deciding
from settlement.approvals import service as approvals
from settlement.approvals.rules import Decision, Subject
from settlement.residences import queries, rules
from settlement.residences.rules import Residence, Treaty
from settlement.residences.tables import TaxResidence

OBJECT = "tax-residence"


async def prepare(
    session: AsyncSession,
    residence_id: UUID,
    *,
    party_id: UUID,
    said: Residence,
    person_id: UUID,
    now: datetime,
) -> tuple[TaxResidence, bool]:
    """Record where a party is resident (经办); return it and whether it is new.

    Raises:
        Unknown: there is no such party.
        InvalidContent: it cannot be one; see `rules.check`.
        IdReused: the id names another residence.
        TaxResidenceOpen: another one of the party waits.
    """
    rules.check(said)
    await parties.get_party(session, party_id)
    raw = rules.content(residence_id, party_id, said)
    known = await session.get(TaxResidence, residence_id)
    if known is not None:
        if known.content != raw:
            raise IdReused("This id names another tax residence.")
        return known, False
    other = await queries.find_open(session, party_id)
    if other is not None:
        raise rules.TaxResidenceOpen("Another one waits.", residence=str(other.id))
    row = TaxResidence(
        id=residence_id,
        party_id=party_id,
        country=said.country,
        since=said.since,
        **_shown(said.treaty),
        state=rules.PREPARED,
        content=raw,
        content_sha256=canonical.sha256_hex(raw),
        prepared_by=person_id,
        prepared_at=now,
    )
    session.add(row)
    await _tell(session, "tax-residence.prepared", row, now=now)
    return row, True


async def approve(
    session: AsyncSession, residence_id: UUID, *, decision: Decision, now: datetime
) -> TaxResidence:
    """Approve a residence (复核): what is paid to the party from its day on is taxed by it.

    The same approval again gets the same answer.

    Raises:
        Unknown: there is no such residence.
        AlreadyDecided, SamePerson, ContentChanged, ProofSpent: see `approvals.rules`.
    """
    row = await _locked(session, residence_id)
    if row.state == rules.APPROVED and decision.repeats(row.decided_by, row.content_sha256):
        return row
    subject = _subject(row)
    deciding.check_decision(decision, subject=subject, state=row.state, content_now=row.content)
    await approvals.approve_and_use(session, subject, decision=decision, now=now)
    row.state, row.decided_by, row.decided_at = rules.APPROVED, decision.person_id, now
    await _tell(session, "tax-residence.approved", row, now=now)
    return row


async def refuse(
    session: AsyncSession, residence_id: UUID, *, decision: Decision, reason: str, now: datetime
) -> TaxResidence:
    """Refuse a residence with a reason; another can be recorded.

    Raises:
        Unknown: there is no such residence.
        AlreadyDecided, SamePerson, ContentChanged: see `approvals.rules`.
    """
    row = await _locked(session, residence_id)
    if row.reason == reason and decision.repeats(row.decided_by, row.content_sha256):
        return row
    await approvals.refuse_prepared(
        session, row, _subject(row), decision=decision, reason=reason, now=now
    )
    row.reason = reason
    await _tell(session, "tax-residence.refused", row, now=now)
    return row


def _shown(treaty: Treaty | None) -> dict[str, Any]:
    return {} if treaty is None else asdict(treaty)


async def _locked(session: AsyncSession, residence_id: UUID) -> TaxResidence:
    row = await locking.find_locked(session, TaxResidence, col(TaxResidence.id) == residence_id)
    if row is None:
        raise Unknown("There is no such tax residence.")
    return row


async def _tell(session: AsyncSession, kind: str, row: TaxResidence, *, now: datetime) -> None:
    await session.flush()
    record = {
        "residence": str(row.id),
        "party": str(row.party_id),
        "country": row.country,
        "claims_treaty": row.certificate_no is not None,
        "content_sha256": row.content_sha256,
    }
    await facts.record(session, kind, row.id, record, parties=[row.party_id], now=now)


def _subject(row: TaxResidence) -> Subject:
    return Subject(OBJECT, row.id, row.content_sha256, row.prepared_by)
