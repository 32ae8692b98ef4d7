"""What happened to a deal, in words: its facts in order, each with its leaf number once sealed."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from contracts.facts import queries as facts
from contracts.log import queries as log
from contracts.log import rules
from exchange.identity.rules import Caller
from exchange.portal import names
from exchange.portal.language import Language, mark

LABELS: Mapping[str, str] = {
    "listing.published": mark("Listing published"),
    "auction.opened": mark("Auction opened"),
    "auction.closed": mark("Auction closed"),
    "award.made": mark("Awarded"),
    "deal.opened": mark("Terms frozen"),
    "deal.certified": mark("Contract printed and certified by the exchange"),
    "deal.signed": mark("Signed"),
    "deal.executed": mark("Contract in force"),
    "grant.made": mark("Rights granted in the register"),
    "invoice.issued": mark("Invoice issued"),
    "payment.received": mark("Payment received"),
    "payout.prepared": mark("Payout prepared"),
    "payout.approved": mark("Payout approved"),
    "payout.refused": mark("Payout refused"),
    "transfer.made": mark("Money transferred"),
    "settlement.booked": mark("Settlement booked"),
}


async def entries(
    session: AsyncSession, subjects: Sequence[UUID], *, caller: Caller, spoken: Language
) -> list[dict[str, Any]]:
    """Return the facts about the objects that the caller may read, oldest first."""
    sealed = {fact.id: entry.seq for entry, fact in await log.entries_about(session, subjects)}
    found = []
    for fact in await facts.facts_about(session, subjects):
        readable = rules.may_read(
            fact.kind, fact.parties, party=caller.party_id, staff=caller.is_staff
        )
        if not readable or fact.kind not in LABELS:
            continue
        who = log.sealed(0, fact).record.get("party")
        found.append(
            {
                "label": LABELS[fact.kind],
                "at": fact.recorded_at,
                "seq": sealed.get(fact.id),
                "who": await names.party(session, UUID(who), spoken=spoken)
                if who and fact.kind in ("deal.signed", "transfer.made")
                else "",
            }
        )
    return sorted(found, key=lambda told: (told["seq"] is None, told["seq"] or 0))
