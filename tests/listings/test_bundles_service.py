"""A package auction from its opening to its awards, in a real database."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from contracts import canonical, ids
from contracts.facts.tables import Fact
from exchange import bundle_verbs
from exchange.context import Context
from listings.auctions import ending, placing
from listings.auctions import queries as auctions
from listings.auctions import rules as auction_rules
from listings.auctions import service as auctioning
from listings.auctions.methods.package import BadPackage, BelowReserve, UnknownCell
from listings.auctions.model import BrokenLog
from listings.auctions.refusals import BadSale
from listings.auctions.tables import Auction
from listings.bundles import certificate, queries, service
from listings.bundles.cells import BadCuts
from listings.bundles.gateway import Asked, ChildSolver, SolverDied, Told
from tests.listings.auctions_factory import enrol
from tests.listings.bundles_factory import CHINA, HONG_KONG, JAPAN, open_packages

# What commits lives in a year of its own, so that it closes nobody else's auctions.
LONG_AGO = datetime(2020, 8, 1, 9, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Room:
    auction: Auction
    bidders: list[UUID]


async def a_room(session: AsyncSession, **terms: Any) -> Room:
    now = LONG_AGO
    seller = await enrol(session, now=now, kind="rights_holder")
    bidders = [(await enrol(session, now=now)).id for _ in range(3)]
    auction = await open_packages(session, seller_id=seller.id, now=now, **terms)
    return Room(auction, bidders)


async def bid(
    session: AsyncSession, room: Room, who: int, *packages: tuple[list[str], int]
) -> UUID:
    at = LONG_AGO + timedelta(minutes=1)
    wire = [{"cells": cells, "amount_minor": amount} for cells, amount in packages]
    arrival = placing.Arrival(
        bid_id=ids.new(at), party_id=room.bidders[who], person_id=ids.new(at),
        content={"currency": "CNY", "packages": wire}, received_at=at,
    )  # fmt: skip
    return (await placing.place_bid(session, room.auction.id, arrival, now=at)).bid_id


async def close(session: AsyncSession, room: Room) -> None:
    auction = await auctioning.locked(session, room.auction.id)
    await ending.close(session, auction, now=LONG_AGO + timedelta(minutes=11))


async def facts_of(session: AsyncSession, room: Room, kind: str) -> list[dict[str, Any]]:
    rows = await session.scalars(
        select(Fact)
        .where(col(Fact.subject) == room.auction.id, col(Fact.kind) == kind)
        .order_by(col(Fact.id))
    )
    return [canonical.loads(fact.record) for fact in rows]


async def three_bids(session: AsyncSession, room: Room) -> None:
    """China for 10,000, Hong Kong for 10,000, both for 10,000: local, local, global."""
    await bid(session, room, 0, (CHINA, 10_000))
    await bid(session, room, 1, (HONG_KONG, 10_000), (HONG_KONG + JAPAN, 10_300))
    await bid(session, room, 2, ([*CHINA, *HONG_KONG], 10_000))


async def unheard(_stage: str, _at: int) -> None:
    """Hear nothing."""


async def test_a_rulebook_holds_the_cells_and_they_hold_what_the_listing_offers(
    session: AsyncSession,
) -> None:
    room = await a_room(session)
    cells = auctions.book(room.auction).terms["cells"]
    assert [cell["code"] for cell in cells] == [*CHINA, *HONG_KONG, *JAPAN]
    assert {cell["reserve_minor"] for cell in cells} == {100}


@pytest.mark.parametrize(
    ("terms", "refusal"),
    [
        ({"cuts": {"days": ["2031-01-01"]}}, BadCuts),
        ({"reserves": {"c099": 5}}, BadCuts),
        ({"payments": "vcg"}, BadSale),
        ({"least_winners": 0}, BadSale),
        ({"most_packages": 201}, BadSale),
        ({"non_exclusive": {"copies": 0}}, BadSale),
        ({"cuts": {"moons": [["IO"]]}}, BadSale),
        ({"discount_bp": 5}, BadSale),
        ({"reserve_minor": True}, BadSale),
    ],
)
async def test_terms_that_do_not_hold_are_refused(
    session: AsyncSession, terms: Mapping[str, Any], refusal: type[Exception]
) -> None:
    with pytest.raises(refusal):
        await a_room(session, **terms)


@pytest.mark.parametrize(
    ("packages", "refusal"),
    [
        ([(["c009"], 5_000)], UnknownCell),
        ([(CHINA, 999)], BelowReserve),
        ([(CHINA, 5_000), (CHINA[::-1], 6_000)], BadPackage),
        ([(CHINA, 5_000), (HONG_KONG, 5_000), (JAPAN, 5_000)], BadPackage),
        ([([*CHINA, *HONG_KONG, *JAPAN], 50_000)], BadPackage),
        ([(["c001", "c001n"], 5_000)], BadPackage),
    ],
    ids=["cell", "reserve", "twice", "too many", "too large", "both modes"],
)
async def test_packages_that_break_a_rule_are_refused_and_leave_nothing(
    session: AsyncSession, packages: list[tuple[list[str], int]], refusal: type[Exception]
) -> None:
    shared = {"copies": 3, "reserve_minor": 10}
    room = await a_room(session, most_packages=2, most_cells=5, non_exclusive=shared)
    with pytest.raises(refusal):
        await bid(session, room, 0, *packages)
    assert room.auction.bids == 0


async def test_winners_get_their_cells_as_rights_and_pay_core_prices(session: AsyncSession) -> None:
    room = await a_room(session)
    await three_bids(session, room)
    await close(session, room)
    (ended,) = await facts_of(session, room, "bidding.ended")
    assert ended["method"] == "package"
    assert room.auction.result is None
    asked = await service.ask(session, room.auction.id)
    assert asked is not None
    await service.begin(session, room.auction.id, now=LONG_AGO)
    found = await ChildSolver().solve(asked, told=unheard)
    result = await service.settle(session, room.auction.id, found, now=LONG_AGO)
    assert result is not None
    # VCG is the floor, 1,000 each; above that the third's 10,000 is shared by halves, and Japan's
    # reserve of 200, which the third would not have paid, comes on top.
    got = {tuple(award["items"]): award["amount_minor"] for award in result["awards"]}
    assert got == {tuple(CHINA): 5_100, tuple(HONG_KONG + JAPAN): 5_100}
    awards = await facts_of(session, room, "award.made")
    assert [award["amount_minor"] for award in awards] == [5_100, 5_100]
    rights = {tuple(right["territories"]): right for award in awards for right in award["rights"]}
    assert set(rights) == {("CN",), ("HK", "JP")}
    china = rights["CN",]
    assert (china["first_day"], china["last_day"]) == ("2027-01-01", "2028-12-31")


async def test_the_award_follows_from_the_log_alone_and_a_second_settling_changes_nothing(
    session: AsyncSession,
) -> None:
    room = await a_room(session)
    await three_bids(session, room)
    await close(session, room)
    asked = await service.ask(session, room.auction.id)
    assert asked is not None
    found = await ChildSolver().solve(asked, told=unheard)
    result = await service.settle(session, room.auction.id, found, now=LONG_AGO)
    assert await service.settle(session, room.auction.id, found, now=LONG_AGO) is None
    assert await service.ask(session, room.auction.id) is None
    book, events = auctions.book(room.auction), await auctions.events(session, room.auction.id)
    assert auction_rules.award(book, events) == result
    assert await queries.find_solution(session, room.auction.id) == found
    assert certificate.fault(queries.posed(book, events), found) is None
    assert len(await facts_of(session, room, "award.made")) == 2


async def test_a_certificate_that_lies_is_refused_and_nothing_of_it_is_kept(
    session: AsyncSession,
) -> None:
    room = await a_room(session)
    await three_bids(session, room)
    await close(session, room)
    asked = await service.ask(session, room.auction.id)
    assert asked is not None
    found = await ChildSolver().solve(asked, told=unheard)
    first = found["winners"][0] | {"paid": "1000", "paid_minor": 1_000}
    lie = found | {"winners": [first, *found["winners"][1:]]}
    auction_id = room.auction.id
    with pytest.raises(BrokenLog):
        async with session.begin_nested():
            await service.settle(session, auction_id, lie, now=LONG_AGO)
    assert await service.settle(session, auction_id, found, now=LONG_AGO) is not None


async def test_a_newer_bid_takes_the_place_of_the_older(session: AsyncSession) -> None:
    room = await a_room(session)
    await bid(session, room, 0, (CHINA, 90_000))
    newer = await bid(session, room, 0, (JAPAN, 20_000))
    await close(session, room)
    asked = await service.ask(session, room.auction.id)
    assert asked is not None
    assert [one.bid_id for one in asked.bids] == [newer]


async def test_without_bids_nothing_is_solved_and_the_auction_is_over(
    session: AsyncSession,
) -> None:
    room = await a_room(session)
    await close(session, room)
    assert canonical.loads(room.auction.result or b"")["reason"] == "no-bids"
    assert await service.ask(session, room.auction.id) is None


async def test_a_default_after_the_solution_leaves_the_others_awards_as_they_are(
    session: AsyncSession,
) -> None:
    room = await a_room(session)
    await three_bids(session, room)
    await close(session, room)
    asked = await service.ask(session, room.auction.id)
    assert asked is not None
    found = await ChildSolver().solve(asked, told=unheard)
    before = await service.settle(session, room.auction.id, found, now=LONG_AGO)
    assert before is not None
    body = {"paddle": before["awards"][0]["paddle"], "reason": "winner-withdrew"}
    await auctioning.append(session, room.auction, "defaulted", body, at=LONG_AGO)
    after = auction_rules.award(
        auctions.book(room.auction), await auctions.events(session, room.auction.id)
    )
    assert after["awards"] == before["awards"][1:]


class Dying:
    """A solver whose process dies the first times."""

    def __init__(self, deaths: int) -> None:
        self.deaths = deaths

    async def solve(self, asked: Asked, *, told: Told) -> dict[str, Any]:
        await told("vcg", 3)
        if self.deaths:
            self.deaths -= 1
            raise SolverDied("killed")
        return await ChildSolver().solve(asked, told=told)


async def test_the_reaction_shows_how_far_it_is_and_tries_again_where_the_solver_died(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with context.db.transaction() as session:
        room = await a_room(session)
        await three_bids(session, room)
        await close(session, room)
    auction_id = room.auction.id
    fact: Any = SimpleNamespace(subject=auction_id, record={"method": "package"})
    monkeypatch.setattr(bundle_verbs, "SOLVER", Dying(1))
    with pytest.raises(SolverDied):
        async with context.db.transaction() as session:
            await bundle_verbs.solve_packages(context, session, fact, LONG_AGO)
    async with context.db.transaction() as session:
        run = await queries.find_run(session, auction_id)
        assert run is not None
        assert (run.attempts, run.stage, run.ended_at) == (1, "died", None)
    for _ in range(2):  # the second time there is nothing left to do
        async with context.db.transaction() as session:
            await bundle_verbs.solve_packages(context, session, fact, LONG_AGO)
    async with context.db.transaction() as session:
        run = await queries.find_run(session, auction_id)
        assert run is not None
        assert (run.attempts, run.stage) == (2, "solved")
        assert len(await facts_of(session, room, "award.made")) == 2


async def test_the_reaction_leaves_other_methods_alone(context: Context) -> None:
    fact: Any = SimpleNamespace(subject=ids.new(LONG_AGO), record={"method": "sealed"})
    async with context.db.transaction() as session:
        await bundle_verbs.solve_packages(context, session, fact, LONG_AGO)
