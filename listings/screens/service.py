"""Running the screens over what has been bid, and keeping what they found."""

from datetime import datetime

import anyio.to_thread
from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from contracts import canonical, ids
from contracts.facts import service as facts
from listings.screens import queries, rules
from listings.screens.tables import ScreenRun

# Earlier runs follow from the bids, which stay: these are kept for comparing.
KEPT = 20


async def run(session: AsyncSession, *, now: datetime) -> ScreenRun:
    """Run every screen over the latest auctions; the same bids give the same findings.

    The reckoning takes seconds where markets are large: it runs beside the worker's loop.
    """
    held = await queries.held(session)
    found = await anyio.to_thread.run_sync(rules.screened, held)
    findings = [one.wire() for one in found]
    row = ScreenRun(
        id=ids.new(now),
        ran_at=now,
        auctions=len(held),
        leads=sum(one.is_lead for one in found),
        findings=findings,
        findings_sha256=canonical.sha256_hex(canonical.dumps({"findings": findings})),
    )
    session.add(row)
    await session.flush()
    await _drop_old(session)
    record = {
        "run": str(row.id),
        "auctions": row.auctions,
        "leads": row.leads,
        "findings_sha256": row.findings_sha256,
    }
    await facts.record(session, "screens.run", row.id, record, now=now)
    return row


async def _drop_old(session: AsyncSession) -> None:
    kept = select(col(ScreenRun.id)).order_by(col(ScreenRun.ran_at).desc()).limit(KEPT)
    await session.execute(delete(ScreenRun).where(col(ScreenRun.id).not_in(kept)))
