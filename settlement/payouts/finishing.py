"""The end of a payout: what is booked with its last transfer."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from contracts import canonical
from contracts.facts import service as facts
from settlement.ledger import queries as books
from settlement.payouts import rules
from settlement.payouts.tables import Payout
from settlement.plans import queries as plans
from settlement.plans import service as settlements
from settlement.plans.rules import OF_THE_PRICE, PAID_OUT
from settlement.plans.tables import Settlement


async def finish(session: AsyncSession, payout: Payout, *, now: datetime) -> None:
    """Note that a payout's last transfer was made, and tell what is booked with it.

    Of a price paid in parts each part is told; the deal's settlement is booked with the last one,
    whichever that is, over the postings of all of them.
    """
    payout.state, payout.paid_at = rules.PAID, now
    settlement = await settlements.advance(session, payout.deal_id, to=PAID_OUT)
    if settlement.kind not in OF_THE_PRICE:
        record = await _booked(session, payout, settlement, [payout.deal_id])
        claimed = {"claim": str(payout.deal_id), **record}
        await _tell_all(session, "claim.booked", payout, settlement, claimed, now=now)
        return
    root = await settlements.locked(session, settlement.root_id)
    parts = await plans.parts_of(session, root.deal_id)
    record = await _booked(session, payout, settlement, [one.deal_id for one in parts])
    if len(parts) > 1:
        counted = {"part": settlement.part, "parts": len(parts), **record}
        await _tell_all(session, "instalment.booked", payout, settlement, counted, now=now)
    if all(one.state == PAID_OUT for one in parts):
        await _tell_all(session, "settlement.booked", payout, settlement, record, now=now)


async def _booked(
    session: AsyncSession, payout: Payout, settlement: Settlement, of: Sequence[UUID]
) -> dict[str, Any]:
    postings = canonical.dumps(await books.journals_of_deal(session, *of))
    return {
        "deal": str(settlement.root_id),
        "payout": str(payout.id),
        "postings_sha256": canonical.sha256_hex(postings),
    }


async def _tell_all(
    session: AsyncSession,
    kind: str,
    payout: Payout,
    settlement: Settlement,
    record: dict[str, Any],
    *,
    now: datetime,
) -> None:
    lines = await plans.payees(session, payout.deal_id)
    everybody = {settlement.licensor_id, settlement.licensee_id, *(one.payee_id for one in lines)}
    of_price = settlement.kind in OF_THE_PRICE
    subject = settlement.root_id if of_price else payout.deal_id
    await facts.record(session, kind, subject, record, parties=sorted(everybody), now=now)
