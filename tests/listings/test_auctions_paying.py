"""A way of paying from the published listing to the award, against a real database."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from contracts import canonical, ids
from contracts.deals import opening
from contracts.deals.instalments import InstalmentsNotAllowed
from contracts.facts.tables import Fact
from contracts.money import Money
from contracts.parties.tables import Party
from contracts.rights import rules as rights
from listings.auctions import ending, placing, queries
from listings.auctions import service as auctioning
from listings.auctions.arrivals import Arrival
from listings.auctions.tables import Auction
from listings.bundles import service as bundles
from listings.bundles.gateway import ChildSolver
from listings.catalogue import service as catalogue
from listings.disclosures import service as disclosures
from tests.conftest import NOW
from tests.contracts.parties_factory import party
from tests.listings import auctions_cases as cases
from tests.listings.auctions_factory import enrol, open_auction
from tests.listings.bundles_factory import CHINA, HONG_KONG, JAPAN, WIRE
from tests.listings.bundles_factory import sale as package_sale
from tests.listings.catalogue_factory import drafted_listing

# What commits and closes lives in a year of its own, so that it closes nobody else's auctions.
LONG_AGO = datetime(2020, 6, 1, 9, 0, tzinfo=UTC)
SOON, AFTER = LONG_AGO + timedelta(minutes=1), LONG_AGO + timedelta(minutes=11)
IN_PARTS: dict[str, Any] = {
    "model": "instalments", "rate_bp": 300, "security": "银行保函 GC-2026-001",
    "parts": [{"share_bp": 3_000, "due_days": 5}, {"share_bp": 7_000, "due_days": 180}],
}  # fmt: skip
CRITERIA = cases.sale("weighted")["terms"]
# Each method that sells in one piece, what its terms say besides, and what somebody bids.
METHODS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "english": ({}, {"amount_minor": 130_001}),
    "proxy": ({}, {"amount_minor": 130_001}),
    "fixed": ({"step_minor": None}, {"amount_minor": 100_000}),
    "dutch": (
        {"terms": {"start_minor": 200_000, "interval_s": 3_600, "grace_s": 5}},
        {"amount_minor": 200_000, "tick": 0},
    ),
    "sealed": ({"step_minor": None}, {"amount_minor": 130_001}),
    "vickrey": ({"step_minor": None}, {"amount_minor": 130_001}),
    "weighted": (
        {"step_minor": None, "terms": CRITERIA}, {"amount_minor": 130_001, "values": {"days": 9}}
    ),
}  # fmt: skip


async def opened(session: AsyncSession, method: str, **more: Any) -> Auction:
    seller = await enrol(session, now=LONG_AGO, kind="rights_holder")
    soft = {} if method in ("english", "proxy") else {"soft_close_s": None}
    return await open_auction(
        session, seller_id=seller.id, now=LONG_AGO, method=method, payment=IN_PARTS,
        **{**soft, **more},
    )  # fmt: skip


async def placed(session: AsyncSession, auction: Auction, content: dict[str, Any]) -> None:
    bidder = await enrol(session, now=LONG_AGO)
    sent = Arrival(
        bid_id=ids.new(SOON), party_id=bidder.id, person_id=ids.new(SOON),
        content={"currency": "CNY", **content}, received_at=SOON,
    )  # fmt: skip
    await placing.place_bid(session, auction.id, sent, now=SOON)


async def awards(session: AsyncSession, auction: Auction) -> list[dict[str, Any]]:
    wanted = select(Fact).where(col(Fact.subject) == auction.id, col(Fact.kind) == "award.made")
    return [canonical.loads(fact.record) for fact in await session.scalars(wanted)]


@pytest.mark.parametrize("method", METHODS)
async def test_whatever_method_awards_the_award_is_the_price_in_the_parts_of_the_rulebook(
    session: AsyncSession, method: str
) -> None:
    terms, content = METHODS[method]
    auction = await opened(session, method, **terms)
    assert queries.book(auction).payment == IN_PARTS
    await placed(session, auction, content)
    await ending.close(session, auction, now=AFTER)
    (award,) = await awards(session, auction)
    assert award["price"] == {**IN_PARTS, "amount_minor": award["amount_minor"]}
    price = opening.price_of(award)
    assert price.due == Money(award["amount_minor"], "CNY") and price.schedule is not None


async def test_each_winner_of_a_package_auction_pays_its_own_price_in_parts(
    session: AsyncSession,
) -> None:
    seller = await enrol(session, now=LONG_AGO, kind="rights_holder")
    tiny = {**IN_PARTS, "parts": [{"share_bp": 3_333, "due_days": 5},
                                  {"share_bp": 6_667, "due_days": 180}]}  # fmt: skip
    auction_id = ids.new(LONG_AGO)
    auction = await auctioning.open_auction(
        session, auction_id, listing_id=ids.new(LONG_AGO), work_id=ids.new(LONG_AGO),
        seller_id=seller.id, sale={**package_sale(auction_id, LONG_AGO), "payment": tiny},
        now=LONG_AGO, rights=[rights.normal(WIRE)],
    )  # fmt: skip
    for cells in (CHINA, [*HONG_KONG, *JAPAN]):
        await placed(session, auction, {"packages": [{"cells": cells, "amount_minor": 10_301}]})
    await ending.close(session, auction, now=AFTER)
    asked = await bundles.ask(session, auction.id)
    assert asked is not None
    found = await ChildSolver().solve(asked, told=unheard)
    await bundles.settle(session, auction.id, found, now=LONG_AGO)
    made = await awards(session, auction)
    assert len(made) == 2
    for award in made:
        assert award["price"] == {**tiny, "amount_minor": award["amount_minor"]}
        assert opening.price_of(award).due.amount_minor == award["amount_minor"]


async def unheard(_stage: str, _at: int) -> None:
    """Hear nothing."""


@pytest.fixture
async def owned_by_the_state(session: AsyncSession) -> Party:
    seller = await party(session, now=NOW)
    await disclosures.declare_ownership(
        session, seller.id, ownership="state_controlled", threshold_minor=None,
        person_id=ids.new(NOW), by_exchange=False, now=NOW,
    )  # fmt: skip
    return seller


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"parts": [{"share_bp": 2_999, "due_days": 5}, {"share_bp": 7_001, "due_days": 180}]},
         "first_bp"),
        ({"parts": [{"share_bp": 3_000, "due_days": 6}, {"share_bp": 7_000, "due_days": 180}]},
         "first_days"),
        ({"parts": [{"share_bp": 3_000, "due_days": 5}, {"share_bp": 7_000, "due_days": 366}]},
         "most_days"),
        ({"security": ""}, "secured"),
        ({"rate_bp": 0}, "rate_bp"),
    ],
    ids=["first-too-small", "first-too-late", "too-long", "unsecured", "no-interest"],
)  # fmt: skip
async def test_a_state_owned_seller_publishes_only_parts_that_the_rules_of_the_day_allow(
    session: AsyncSession, owned_by_the_state: Party, changes: dict[str, Any], rule: str
) -> None:
    listing = await drafted_listing(
        session, seller=owned_by_the_state, now=NOW, payment={**IN_PARTS, **changes}
    )
    with pytest.raises(InstalmentsNotAllowed) as refused:
        await catalogue.publish(session, listing.id, party_id=owned_by_the_state.id, now=NOW)
    assert refused.value.data["rule"] == rule
    assert refused.value.data["legal_basis"]
    assert listing.state == "draft"


async def test_what_the_rules_allow_is_published_and_frozen_in_the_record(
    session: AsyncSession, owned_by_the_state: Party
) -> None:
    listing = await drafted_listing(session, seller=owned_by_the_state, now=NOW, payment=IN_PARTS)
    await catalogue.publish(session, listing.id, party_id=owned_by_the_state.id, now=NOW)
    assert listing.sale["payment"] == IN_PARTS
    auction = await queries.get_auction(session, listing.auction_id)
    assert canonical.loads(auction.rulebook)["payment"] == IN_PARTS


async def test_a_seller_that_the_state_does_not_own_agrees_on_what_it_likes(
    session: AsyncSession,
) -> None:
    seller = await party(session, now=NOW)
    parts = [{"share_bp": 100, "due_days": 90}, {"share_bp": 9_900, "due_days": 3_650}]
    loose = {**IN_PARTS, "rate_bp": 0, "security": "", "parts": parts}
    listing = await drafted_listing(session, seller=seller, now=NOW, payment=loose)
    await catalogue.publish(session, listing.id, party_id=seller.id, now=NOW)
    assert listing.state == "published"
