"""Archiving executed contracts (长期保存) and renewing the archive before its proofs go stale."""

import logging
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import func
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from contracts import rfc3339
from contracts.deals import papers, queries, revisions, rows, timestamps
from contracts.deals.papers import Authority
from contracts.deals.sealing import ROLES
from contracts.deals.tables import Deal, DealDocument
from contracts.parties.times import NotStamped

_log = logging.getLogger("contracts.deals.lasting")
# A year is far below the ten years of the time key's certificate and the life of any algorithm.
RENEW_AFTER = timedelta(days=365)


async def archive(
    session: AsyncSession, deal_id: UUID, *, authority: Authority, now: datetime
) -> Deal:
    """Append revocation data and a time-stamp to an executed contract; again, after a year.

    Nothing changes while the last archive is fresh, or where no time-stamp is to be had: the
    contract then stays at the level that it has, until it is tried again.

    Raises:
        Unknown: there is no such deal.
        DocumentNotSound: the archived file does not pass its own check.
    """
    deal = await rows.locked(session, deal_id)
    latest = await queries.document(session, deal_id)
    source = timestamps.source(authority.certifier)
    if deal.signing != "executed" or source is None or not _due(latest, now=now):
        return deal
    number = latest.revision - len(ROLES) + 1
    signers = await queries.completed_sessions(session, deal_id)
    try:
        pdf, levels = await papers.archived(
            session, revisions.paper(deal), latest.pdf,
            number=number, signers=signers, authority=authority, now=now,
        )  # fmt: skip
    except NotStamped as nobody:
        _log.warning("contract %s waits for its archive: %s", deal.contract_no, nobody)
        return deal
    row = revisions.document(deal, latest.revision + 1, pdf, now=now)
    session.add(row)
    await session.flush()
    payload = {
        "deal": str(deal.id),
        "revision": row.revision,
        "pdf_sha256": row.sha256,
        "signatures": levels,
        "stamped_at": rfc3339.to_the_second(now),
    }
    kind = "deal.archived" if number == 1 else "deal.lta-refreshed"
    await rows.tell(session, kind, deal, payload, now=now)
    return deal


async def archive_due(session: AsyncSession, *, authority: Authority, now: datetime) -> int:
    """Archive one executed contract that was never archived, or not for a year; return how many."""
    if timestamps.source(authority.certifier) is None:
        return 0
    last = func.max(col(DealDocument.revision))
    made = func.max(col(DealDocument.made_at))
    chosen = (
        select(col(DealDocument.deal_id))
        .join(Deal, col(Deal.id) == col(DealDocument.deal_id))
        .where(col(Deal.signing) == "executed")
        .group_by(col(DealDocument.deal_id))
        .having((last == len(ROLES)) | (made <= now - RENEW_AFTER))
        .limit(1)
    )
    due = (await session.scalars(chosen)).one_or_none()
    if due is None:
        return 0
    before = (await queries.document(session, due)).revision
    await archive(session, due, authority=authority, now=now)
    return (await queries.document(session, due)).revision - before


def _due(latest: DealDocument, *, now: datetime) -> bool:
    return latest.revision == len(ROLES) or latest.made_at <= now - RENEW_AFTER
