"""What the close of an auction does to its listing: sold, or unsold and its rights free again."""

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from contracts import ids
from contracts.facts.rules import SealedFact
from contracts.titles import queries as titles
from exchange import listing_verbs, reactions
from exchange.context import Context
from listings.catalogue.tables import Listing
from tests.conftest import NOW
from tests.contracts.parties_factory import party
from tests.listings.catalogue_factory import published_listing


def closed(listing: Listing, *, sold: bool) -> SealedFact:
    record = {"auction": str(listing.auction_id), "listing": str(listing.id), "sold": sold}
    return SealedFact(1, ids.new(NOW), "auction.closed", listing.auction_id, (), record, NOW)


@pytest.mark.parametrize(
    ("is_sold", "state", "taken"), [(True, "sold", ["reserved"]), (False, "unsold", [])]
)
async def test_a_closed_auction_ends_its_listing_as_it_went(
    session: AsyncSession, context: Context, is_sold: bool, state: str, taken: list[str]
) -> None:
    listing = await published_listing(session, seller=await party(session, now=NOW), now=NOW)
    for _ in range(2):
        fact = closed(listing, sold=is_sold)
        await listing_verbs.end_listing(context, session, fact, NOW)
    assert listing.state == state
    assert [one.state for one in await titles.taken(session, listing.work_id)] == taken


@pytest.mark.parametrize(
    ("kind", "woken"),
    [
        ("master.received", ["examine-master"]),
        (
            "auction.closed",
            ["end-listing", "conclude-disclosure", "screen-bids", "free-deposits"],
        ),
        ("award.made", ["keep-deposit", "open-deal"]),
        ("deal.opened", ["certify-deal"]),
        ("deal.executed", ["publicise-result", "plan-settlement", "archive-deal"]),
        ("settlement.booked", ["free-after-payment", "mark-deal-paid", "release-keys"]),
        ("bid.placed", []),
    ],
)
def test_each_step_of_a_trade_wakes_the_next(kind: str, woken: list[str]) -> None:
    assert [reaction.name for reaction in reactions.woken_by(kind)] == woken
