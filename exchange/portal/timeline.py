"""What happened to a deal, in words: its facts in order, each with its leaf number once sealed."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from contracts import canonical
from contracts.facts.tables import Fact
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
    "award.lapsed": mark("Award lapsed: the licensor has lost the rights"),
    "offer.accepted": mark("Offer accepted"),
    "deal.opened": mark("Terms frozen"),
    "deal.certified": mark("Contract printed and certified by the exchange"),
    "deal.signed": mark("Signed"),
    "deal.executed": mark("Contract in force"),
    "deal.witnessed": mark("Seen by the witnesses’ quorum"),
    "deal.unstamped": mark("Signed without a time-stamp: none was to be had"),
    "deal.archived": mark("Contract time-stamped as a whole"),
    "deal.lta-refreshed": mark("Contract time-stamped anew"),
    "deal.voided": mark("Contract voided"),
    "deal.declined": mark("Declined to sign"),
    "deal.reminded": mark("Reminded of the signature that is missing"),
    "deal.expired": mark("Not signed in time"),
    "deal.ended": mark("Contract ended"),
    "notice.given": mark("Notice given"),
    "notice.received": mark("Notice received"),
    "notice.settled": mark("Notice settled"),
    "grant.carried": mark("Rights carried over to the new contract"),
    "price.changed": mark("Price raised; the difference is invoiced"),
    "payment.carried": mark("Paid under the contract before"),
    "assignment.signed": mark("Handing-on signed by the licensee until now"),
    "deal.assigned": mark("Contract handed on to another licensee"),
    "hold.expired": mark("Hold on the rights ran out"),
    "grant.made": mark("Rights granted in the register"),
    "invoice.issued": mark("Invoice issued"),
    "red-letter.issued": mark("Invoice taken back by a red letter"),
    "payment.received": mark("Payment received"),
    "payout.prepared": mark("Payout prepared"),
    "payout.approved": mark("Payout approved"),
    "payout.refused": mark("Payout refused"),
    "transfer.made": mark("Money transferred"),
    "invoice.overdue": mark("Invoice overdue"),
    "settlement.defaulted": mark("Not paid in time after a demand: default"),
    "instalment.booked": mark("Instalment booked"),
    "settlement.booked": mark("Settlement booked"),
    "delivery.manifest": mark("Delivery offered, encrypted"),
    "key.released": mark("Key of the content released to the licensee"),
    "delivery.accepted": mark("Delivery accepted"),
    "delivery.disputed": mark("Complaint about the delivery judged"),
}


async def entries(
    session: AsyncSession, subjects: Sequence[UUID], *, caller: Caller, spoken: Language
) -> list[dict[str, Any]]:
    """Return the facts about the objects that the caller may read, oldest first."""
    return [
        {
            "label": LABELS[fact.kind],
            "at": fact.recorded_at,
            "seq": seq,
            "who": await _who(session, fact, spoken),
        }
        for fact, seq in await log.told_about(session, subjects, kinds=LABELS)
        if rules.may_read(fact.kind, fact.parties, party=caller.party_id, staff=caller.is_staff)
    ]


async def _who(session: AsyncSession, fact: Fact, spoken: Language) -> str:
    """Return the name of the party that acted or received; empty where the label says it all."""
    if fact.kind not in ("deal.signed", "transfer.made", "deal.declined", "notice.given"):
        return ""
    record = canonical.loads(fact.record)
    name = await names.party(session, UUID(record["party"]), spoken=spoken)
    return f"{name}: {record['reason']}" if fact.kind == "deal.declined" else name
