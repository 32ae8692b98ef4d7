"""Archiving signed agreements (长期保存), and renewing the archive before its proofs go stale."""

import logging
from datetime import datetime
from uuid import UUID

from sqlalchemy import func
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from contracts import locking, rfc3339
from contracts.agreements import queries, rules, service
from contracts.agreements.tables import Agreement, AgreementDocument
from contracts.deals import papers, timestamps
from contracts.deals.lasting import RENEW_AFTER
from contracts.deals.papers import Authority
from contracts.deals.sealing import AGREEMENT_ROLES
from contracts.parties.times import NotStamped
from contracts.refusal import Unknown

_log = logging.getLogger("contracts.agreements.lasting")


async def archive(
    session: AsyncSession, agreement_id: UUID, *, authority: Authority, now: datetime
) -> bool:
    """Append revocation data and a time-stamp to a signed agreement; tell whether that was done.

    Nothing changes while the last archive is fresh, or where no time-stamp is to be had.

    Raises:
        Unknown: there is no such agreement.
        DocumentNotSound: the archived file does not pass its own check.
    """
    agreement = await locking.find_locked(session, Agreement, col(Agreement.id) == agreement_id)
    if agreement is None:
        raise Unknown("There is no such agreement.", agreement=str(agreement_id))
    latest = await queries.document(session, agreement_id)
    can = timestamps.source(authority.certifier) is not None
    if agreement.state != rules.SIGNED or not can or not _due(latest, now=now):
        return False
    number = latest.revision - len(AGREEMENT_ROLES) + 1
    signers = await queries.completed_sessions(session, agreement_id)
    try:
        pdf, levels = await papers.archived(
            session, service.paper(agreement), latest.pdf,
            number=number, signers=signers, authority=authority, now=now,
        )  # fmt: skip
    except NotStamped as nobody:
        _log.warning("agreement %s waits for its archive: %s", agreement.id, nobody)
        return False
    row = service.document(agreement, latest.revision + 1, pdf, now=now)
    session.add(row)
    await session.flush()
    told = {
        "revision": row.revision,
        "pdf_sha256": row.sha256,
        "signatures": levels,
        "stamped_at": rfc3339.to_the_second(now),
    }
    await service.tell(session, "agreement.archived", agreement, told, now=now)
    return True


async def archive_due(session: AsyncSession, *, authority: Authority, now: datetime) -> int:
    """Archive one signed agreement that never was, or not for a year; return how many that is."""
    if timestamps.source(authority.certifier) is None:
        return 0
    last = func.max(col(AgreementDocument.revision))
    made = func.max(col(AgreementDocument.made_at))
    chosen = (
        select(col(AgreementDocument.agreement_id))
        .join(Agreement, col(Agreement.id) == col(AgreementDocument.agreement_id))
        .where(col(Agreement.state) == rules.SIGNED)
        .group_by(col(AgreementDocument.agreement_id))
        .having((last == len(AGREEMENT_ROLES)) | (made <= now - RENEW_AFTER))
        .limit(1)
    )
    due = (await session.scalars(chosen)).one_or_none()
    if due is None:
        return 0
    return int(await archive(session, due, authority=authority, now=now))


def _due(latest: AgreementDocument, *, now: datetime) -> bool:
    return latest.revision == len(AGREEMENT_ROLES) or latest.made_at <= now - RENEW_AFTER
