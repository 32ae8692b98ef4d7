"""Reactions about deals: an award opens one, its opening certifies it, its settlement ends it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from contracts import canonical
from contracts.deals import ending, lasting, lifecycle, opening, queries, rules, service
from contracts.deals.gateway import TypstPress
from contracts.facts import queries as facts
from contracts.facts.rules import SealedFact
from contracts.money import Money
from contracts.parties import queries as parties
from contracts.parties.rules import EXCHANGE_PARTY_ID
from contracts.refusal import Unknown
from contracts.titles.parting import RightsNotOffered
from contracts.titles.rules import RightsNotReserved
from exchange.authority import open_authority
from exchange.context import Context
from listings.auctions import queries as auctions
from settlement.fees import agreeing
from settlement.fees.rules import BID, NEGOTIATED

# Ways of selling in which nobody bids against another (一口价、协议).
WITHOUT_BIDDING = ("fixed", "intent")


async def open_deal(
    context: Context, session: AsyncSession, fact: SealedFact, now: datetime
) -> None:
    """Woken by `award.made`: gather what was agreed and freeze it as the terms of a deal.

    Where the licensor lost the rights while they were on offer (the grant it licensed on from came
    back to its owner), the award lapses, and both sides are told.

    Raises:
        Unknown: the listing was never published.
    """
    listing, anchor = await _published(session, UUID(fact.record["listing"]))
    awards = opening.parted(await _awards(session, fact), listing)
    award = next(one for one in awards if one["bid"] == fact.record["bid"])
    licensor = await parties.get_party(session, UUID(award["licensor"]))
    licensee = await parties.get_party(session, UUID(award["licensee"]))
    try:
        async with session.begin_nested():
            await opening.divide(session, awards, now=now)
            await opening.open_deal(
                session,
                rules.deal_id_of(fact.id),
                work_id=UUID(award["work"]),
                listing=listing,
                award=award,
                licensor=licensor,
                licensee=licensee,
                anchor={
                    **anchor,
                    "log": context.settings.log_origin,
                    "site": context.settings.public_url,
                },
                fees=await _fees(session, fact.record, listing),
                now=now,
            )
    except (RightsNotReserved, RightsNotOffered) as lost:
        await opening.lapse(session, award, reason=lost.code, now=now)


async def certify_deal(
    context: Context, session: AsyncSession, fact: SealedFact, now: datetime
) -> None:
    """Woken by `deal.opened`: typeset the contract and certify it."""
    certifier = open_authority(context.settings, now=now).certifier
    await service.certify(
        session, UUID(fact.record["deal"]), press=TypstPress(), certifier=certifier, now=now
    )


async def archive_deal(
    context: Context, session: AsyncSession, fact: SealedFact, now: datetime
) -> None:
    """Woken by `deal.executed`: time-stamp the whole contract, so that it outlives its keys."""
    authority = open_authority(context.settings, now=now)
    await lasting.archive(session, UUID(fact.record["deal"]), authority=authority, now=now)


async def mark_deal_paid(
    _context: Context, session: AsyncSession, fact: SealedFact, now: datetime
) -> None:
    """Woken by `settlement.booked`: everybody has been paid."""
    await service.mark_paid(session, UUID(fact.record["deal"]), now=now)


async def void_expired_deal(
    _context: Context, session: AsyncSession, fact: SealedFact, now: datetime
) -> None:
    """Woken by `hold.expired`: a deal that nobody signed in time is given up."""
    if fact.record["deal"] is not None:
        await ending.run_out(session, UUID(fact.record["deal"]), reason="hold-expired", now=now)


async def void_deals_under(
    _context: Context, session: AsyncSession, fact: SealedFact, now: datetime
) -> None:
    """Woken by `grant.reverted`: nobody signs for rights whose licensor has lost them."""
    ended = fact.record["ended"]
    for deal_id in sorted({one["deal"] for one in ended if one["state"] == "released"} - {None}):
        deal = await queries.get_deal(session, UUID(deal_id))
        if lifecycle.is_open(deal.life):
            await service.void(
                session, deal.id, reason="licensor-lost-its-rights", by=EXCHANGE_PARTY_ID, now=now
            )


async def _fees(
    session: AsyncSession, award: Mapping[str, Any], listing: Mapping[str, Any]
) -> dict[str, Any] | None:
    """Return what the contract says of fees: those that the rules of the auction named.

    Of a part of what was listed nobody asked a price of its own: it counts as listed for its price.
    """
    auction = await auctions.find_auction(session, UUID(award["auction"]))
    rulebook = {} if auction is None else canonical.loads(auction.rulebook)
    if "fees" not in rulebook:
        return None
    price = Money(award["amount_minor"], award["currency"])
    listed = price
    if award.get("rights") is None:
        listed = Money(listing["sale"]["floor_minor"], price.currency)
    sale = NEGOTIATED if rulebook["method"] in WITHOUT_BIDDING else BID
    return await agreeing.said(session, rulebook["fees"], sale=sale, listed=listed, price=price)


async def _awards(session: AsyncSession, fact: SealedFact) -> list[Mapping[str, Any]]:
    """Return every award of the auction, the earliest first: parts are divided together."""
    made = await facts.all_of(session, fact.subject, fact.kind)
    return [canonical.loads(one.record) for one in made] or [fact.record]


async def _published(
    session: AsyncSession, listing_id: UUID
) -> tuple[dict[str, Any], dict[str, Any]]:
    published = await facts.find_first_of(session, listing_id, "listing.published")
    if published is None:
        raise Unknown("The listing was never published.", listing=str(listing_id))
    return canonical.loads(published.record), {"fact": str(published.id)}
