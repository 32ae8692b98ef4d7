"""The end of payouts: what is booked with the last transfer of each, however many end at once."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from contracts import canonical
from contracts.facts import service as facts
from contracts.facts.service import Happened
from settlement.ledger import queries as books
from settlement.payouts import rules
from settlement.payouts.tables import Payout
from settlement.plans import queries as plans
from settlement.plans import service as settlements
from settlement.plans.rules import OF_THE_PRICE, PAID_OUT
from settlement.plans.tables import Settlement


async def finish(
    session: AsyncSession, payouts: Sequence[Payout], *, now: datetime
) -> list[Happened]:
    """Note that the last transfers of payouts were made; return what is booked with them, to tell.

    Of a price paid in parts each part is told; the deal's settlement is booked with the last one,
    whichever that is, over the postings of all of them.
    """
    for payout in payouts:
        payout.state, payout.paid_at = rules.PAID, now
    settled = await settlements.advance_many(
        session, [payout.deal_id for payout in payouts], to=PAID_OUT
    )
    ended = [(payout, settled[payout.deal_id]) for payout in payouts]
    parts = await _parts(session, [settlement for _, settlement in ended])
    postings = await books.journals_of_deals(
        session, [[one.deal_id for one in parts[payout.deal_id]] for payout in payouts]
    )
    payees = await plans.payees_of(session, list(settled))
    last = {settlement.root_id: payout.id for payout, settlement in ended}
    told = []
    for (payout, settlement), journals in zip(ended, postings, strict=True):
        record = {
            "deal": str(settlement.root_id),
            "payout": str(payout.id),
            "postings_sha256": canonical.sha256_hex(canonical.quick(journals)),
        }
        owners = {line.payee_id for line in payees[payout.deal_id]}
        everybody = sorted({settlement.licensor_id, settlement.licensee_id, *owners})
        is_last = last[settlement.root_id] == payout.id
        for kind, said in _said(settlement, parts[payout.deal_id], record, is_last=is_last):
            of_price = settlement.kind in OF_THE_PRICE
            subject = settlement.root_id if of_price else payout.deal_id
            told.append(facts.happened(kind, subject, said, parties=everybody, now=now))
    return told


async def _parts(
    session: AsyncSession, settled: Sequence[Settlement]
) -> dict[Any, Sequence[Settlement]]:
    """Return by settlement those whose postings are told with it; the deals are locked first."""
    of_price = [one for one in settled if one.kind in OF_THE_PRICE]
    roots = {one.root_id for one in of_price}
    further = roots - {one.deal_id for one in settled}  # the others are locked by now
    if further:
        await settlements.locked_many(session, further)
    parts = await plans.parts_of_deals(session, roots)
    return {
        one.deal_id: parts[one.root_id] if one.kind in OF_THE_PRICE else [one] for one in settled
    }


def _said(
    settlement: Settlement, parts: Sequence[Settlement], record: dict[str, Any], *, is_last: bool
) -> list[tuple[str, dict[str, Any]]]:
    """Return kinds and records; of several parts that end at once, the last books the deal."""
    if settlement.kind not in OF_THE_PRICE:
        return [("claim.booked", {"claim": str(settlement.deal_id), **record})]
    said = []
    if len(parts) > 1:
        counted = {"part": settlement.part, "parts": len(parts), **record}
        said.append(("instalment.booked", counted))
    if is_last and all(one.state == PAID_OUT for one in parts):
        said.append(("settlement.booked", record))
    return said
