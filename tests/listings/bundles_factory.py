"""Package auctions for tests: a solver that tries everything, random problems, rulebook terms."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from fractions import Fraction
from itertools import combinations
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from contracts import ids, rfc3339
from contracts.rights import rules as rights_rules
from listings.auctions import service as auctioning
from listings.auctions.tables import Auction
from listings.bundles import posing, problem
from listings.bundles.posing import Package
from listings.bundles.problem import Chosen, Item, Kept, Number, Offer, Problem

WIRE = {
    "right": "broadcasting",
    "media": ["terrestrial"],
    "territories": ["CN", "HK", "JP"],
    "excluded": [],
    "languages": ["zh", "en"],
    "first_day": "2027-01-01",
    "last_day": "2028-12-31",
    "tz": "Asia/Shanghai",
    "exclusivity": "exclusive",
    "runs_max": None,
}
# Wurman, Zhong & Cai (2004); amounts as in mechlib's wurman2004example.txt.
WURMAN = (
    {"A": 10, "B": 3, "AB": 18, "C": 2, "AC": 18, "BC": 10, "ABC": 20},
    {"A": 4, "B": 9, "AB": 15, "C": 3, "AC": 12, "BC": 18, "ABC": 20},
    {"A": 1, "B": 3, "AB": 11, "C": 9, "AC": 16, "BC": 17, "ABC": 25},
    {"A": 7, "B": 7, "AB": 16, "C": 7, "AC": 16, "BC": 16, "ABC": 20},
)
# Of WIRE: China, Hong Kong and Japan, each in two years.
CUTS = {"territories": [["CN"], ["HK"]], "days": ["2028-01-01"]}
CHINA, HONG_KONG, JAPAN = ["c001", "c002"], ["c003", "c004"], ["c005", "c006"]
MADE_BY = {"name": "brute force", "version": "1"}
LIMIT_S = 60.0


class Brute:
    """Tries every choice, and knows nothing of linear programs."""

    def best(
        self,
        given: Problem,
        weights: Mapping[int, Number],
        kept: Sequence[Kept] = (),
        but: Chosen | None = None,
    ) -> Chosen | None:
        """Return the best of all choices; see `problem.Solver`."""
        found: tuple[Number, Chosen] | None = None
        for chosen in choices(given, sorted(weights)):
            if chosen == but or any(problem.total(k.weights, chosen) < k.least for k in kept):
                continue
            value = problem.total(weights, chosen)
            if found is None or value > found[0]:
                found = (value, chosen)
        return None if found is None else found[1]


def choices(given: Problem, places: Sequence[int]) -> list[Chosen]:
    """Return every choice that fits: of each bidder one offer or none, checked one by one."""
    mine: dict[int, list[int]] = {}
    for place in places:
        mine.setdefault(given.offers[place].bidder, []).append(place)
    alone = replace(given, least_winners=1)
    found: list[tuple[int, ...]] = [()]
    for options in mine.values():
        more = [(*one, place) for one in found for place in options]
        found += [one for one in more if problem.is_feasible(alone, one)]
    return [tuple(sorted(one)) for one in found if problem.is_feasible(given, one)]


def blocking(given: Problem, coalition: frozenset[int]) -> Number:
    """Return the most that some bidders' offers are worth together."""
    places = [at for at, offer in enumerate(given.offers) if offer.bidder in coalition]
    worth = problem.values(given)
    return max(problem.total(worth, chosen) for chosen in choices(given, places))


def every_row(given: Problem, chosen: Chosen) -> list[tuple[frozenset[int], Number]]:
    """Return the whole core: of every coalition, who pays and how much at least."""
    bidders = sorted({offer.bidder for offer in given.offers})
    worth = problem.values(given)
    rows = []
    for size in range(len(bidders) + 1):
        for coalition in map(frozenset, combinations(bidders, size)):
            inside = [place for place in chosen if given.offers[place].bidder in coalition]
            payers = frozenset(at for at, place in enumerate(chosen) if place not in inside)
            rows.append((payers, blocking(given, coalition) - problem.total(worth, inside)))
    return rows


def any_problem(rnd: random.Random, *, most_offers: int = 12, most_bidders: int = 6) -> Problem:
    """Return a small problem of any kind: copies, shared spaces, equal values."""
    items: list[Item] = []
    for space in range(rnd.randint(1, 5)):
        if rnd.random() < 0.8:
            items.append(Item(1, space, True))
        if not items or items[-1].space != space or rnd.random() < 0.3:
            items.append(Item(rnd.choice([None, 1, 2, 3]), space, False))
    largest = rnd.choice([3, 20, 1000, 10**9])
    return Problem(
        tuple(items),
        tuple(
            _any_offer(rnd, items, most_bidders, largest)
            for _ in range(rnd.randint(1, most_offers))
        ),
        rnd.choice([1, 1, 1, 2, 3]),
        rnd.choice(["cells", "winners", "none"]),
    )


def _any_offer(rnd: random.Random, items: Sequence[Item], most_bidders: int, largest: int) -> Offer:
    taken: dict[int, int] = {}
    for place in rnd.sample(range(len(items)), rnd.randint(1, len(items))):
        taken.setdefault(items[place].space, place)
    keep = rnd.randint(1, len(taken))
    packed = frozenset(list(taken.values())[:keep])
    key = (rnd.getrandbits(26), rnd.getrandbits(26))
    return Offer(rnd.randrange(most_bidders), packed, rnd.randint(0, largest), key)


def terms(**changes: Any) -> dict[str, Any]:
    """Return the terms of a package auction with two cells to cut at, without the cells."""
    plain = {
        "floor_minor": 1,
        "cuts": {"territories": [], "media": [], "days": []},
        "non_exclusive": None,
        "reserve_minor": 0,
        "reserves": {},
        "most_packages": 200,
        "most_cells": None,
        "least_winners": 1,
        "secondary": "cells",
        "payments": "core",
        "time_limit_s": 60,
    }
    return plain | changes


def goods(codes: str, **changes: Any) -> dict[str, Any]:
    """Return terms whose cells are single letters, one copy each and no reserve."""
    cells = [
        {"code": code, "space": at, "of": 0, "exclusivity": "exclusive", "copies": 1,
         "reserve_minor": 0, "right": WIRE}
        for at, code in enumerate(codes)
    ]  # fmt: skip
    return terms(**changes) | {"cells": cells, "floor_minor": 0}


# Two of Wurman's could share the cells for the same 28; three winners are preferred.
ABC = goods("ABC", secondary="winners")


def packages(*bids: Mapping[str, int]) -> list[Package]:
    """Return bids written as letters: {"AB": 10}; paddles and ids count from 1."""
    return [
        Package(UUID(int=at), at, {"currency": "CNY", "packages": [
            {"cells": list(cells), "amount_minor": amount} for cells, amount in bid.items()
        ]})
        for at, bid in enumerate(bids, start=1)
    ]  # fmt: skip


def posed(on: Mapping[str, Any], *bids: Mapping[str, int], seed: bytes = b"seed") -> posing.Posed:
    """Return the problem of bids written as letters."""
    return posing.pose(on, packages(*bids), seed=seed)


def sale(auction_id: UUID, now: datetime, **terms_: Any) -> dict[str, Any]:
    """Return terms of sale of a package auction that ends in ten minutes."""
    return {
        "method": "package",
        "auction_id": str(auction_id),
        "currency": "CNY",
        "floor_minor": 1_000,
        "opens_at": rfc3339.exact(now),
        "closes_at": rfc3339.exact(now + timedelta(minutes=10)),
        "terms": {"cuts": CUTS, "reserve_minor": 100, **terms_},
    }


async def open_packages(
    session: AsyncSession, *, seller_id: UUID, now: datetime, work_id: UUID | None = None,
    listing_id: UUID | None = None, **terms_: Any,
) -> Auction:  # fmt: skip
    """Open a package auction of `WIRE` cut into six cells."""
    auction_id = ids.new(now)
    return await auctioning.open_auction(
        session, auction_id, listing_id=listing_id or ids.new(now), work_id=work_id or ids.new(now),
        seller_id=seller_id, sale=sale(auction_id, now, **terms_), now=now,
        rights=[rights_rules.normal(WIRE)],
    )  # fmt: skip


def paid(certificate: Mapping[str, Any]) -> dict[int, Fraction]:
    """Return what each paddle pays, exactly."""
    return {one["paddle"]: Fraction(one["paid"]) for one in certificate["winners"]}
