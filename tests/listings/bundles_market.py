"""Package auctions shaped like sales of broadcasting rights: 24 territories in three levels.

Source of the shape: territories alone, in six groups of four, in two of twelve; four windows of a
year, taken one after another; two rights. Differs from the source, which draws packages anywhere:
each broadcaster has a home (a territory, a group, a half, everything), bids for what touches it,
values it more than the rest, and values packages above the sum of their parts; who is at home in a
group or less does not bid for everything.
"""

import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from uuid import UUID

from contracts.rights import rules
from listings.bundles import cells, posing
from listings.bundles.posing import Package
from tests.listings import bundles_factory as factory

TERRITORIES = (
    "CN", "HK", "MO", "TW", "JP", "KR", "MN", "KZ", "VN", "TH", "MY", "SG",
    "DE", "FR", "IT", "ES", "GB", "IE", "NL", "BE", "SE", "NO", "DK", "FI",
)  # fmt: skip
LEVELS = (1, 4, 12, 24)
YEARS = ("2027", "2028", "2029", "2030")
RIGHTS = (("broadcasting", ["terrestrial"]), ("network-transmission", ["ott", "web"]))
Group = frozenset[str]


def groups() -> list[Group]:
    """Return the groups of all levels, the smallest first."""
    return [
        frozenset(TERRITORIES[at : at + size])
        for size in LEVELS
        for at in range(0, len(TERRITORIES), size)
    ]


def rights() -> list[dict[str, Any]]:
    """Return a listing's rights: both rights in all territories for all years."""
    days = {"first_day": f"{YEARS[0]}-01-01", "last_day": f"{YEARS[-1]}-12-31"}
    everywhere = factory.WIRE | {"territories": list(TERRITORIES)} | days
    return [rules.normal(everywhere | {"right": right, "media": media}) for right, media in RIGHTS]


def terms(**changes: Any) -> dict[str, Any]:
    """Return the terms of the auction, cut into its 192 cells."""
    cuts = {
        "territories": [[code] for code in TERRITORIES],
        "media": [],
        "days": [f"{year}-01-01" for year in YEARS[1:]],
    }
    plain = factory.terms(cuts=cuts, reserve_minor=1_000_000, **changes)
    return plain | {"cells": cells.listed(rights(), plain)}


def bids(on: Mapping[str, Any], *, bidders: int, each: int, seed: int) -> list[Package]:
    """Return the bids of so many broadcasters, with so many packages each; in yuan of 100 fen."""
    rnd = random.Random(f"bundles:{seed}")
    worth = {cell["code"]: rnd.randint(5_000_000, 20_000_000) for cell in on["cells"]}
    return [
        Package(UUID(int=at), at, {"currency": "CNY", "packages": _bid(rnd, on, worth, each)})
        for at in range(1, bidders + 1)
    ]


def posed(on: Mapping[str, Any], found: Sequence[Package], seed: int) -> posing.Posed:
    """Return the problem of bids."""
    return posing.pose(on, found, seed=seed.to_bytes(32, "big"))


def _bid(
    rnd: random.Random, on: Mapping[str, Any], worth: Mapping[str, int], each: int
) -> list[dict[str, Any]]:
    size = rnd.choices(LEVELS, [4, 4, 1, 0])[0]
    home = rnd.choice([one for one in groups() if len(one) == size])
    taste = {code: rnd.uniform(0.8, 1.3) if code in home else rnd.uniform(0.3, 0.7)
             for code in TERRITORIES}  # fmt: skip
    whole, gain = size * len(YEARS) * len(RIGHTS), rnd.uniform(0, 0.4)
    packages = []
    for taken in _packages(rnd, on, home, each):
        plain = sum(worth[cell["code"]] * taste[cell["right"]["territories"][0]] for cell in taken)
        more = 1 + gain * (len(taken) - 1) / whole
        amount = max(int(plain * more * rnd.uniform(0.95, 1.05)), posing.least(on, taken))
        packages.append({"cells": [cell["code"] for cell in taken], "amount_minor": amount})
    return packages


def _packages(
    rnd: random.Random, on: Mapping[str, Any], home: Group, each: int
) -> Iterator[list[dict[str, Any]]]:
    most = len(TERRITORIES) if len(home) > 4 else 12
    near = [one for one in groups() if one & home and len(one) <= most]
    seen: set[frozenset[str]] = set()
    alone = groups()[: len(TERRITORIES)]
    while len(seen) < each:
        where = rnd.choice(near)
        if rnd.random() < 0.3:
            where |= rnd.choice([*near, rnd.choice(alone)])
        first, last = sorted((rnd.randrange(len(YEARS)), rnd.randrange(len(YEARS))))
        what = {right for right, _ in rnd.choice([RIGHTS[:1], RIGHTS[1:], RIGHTS, RIGHTS])}
        taken = [
            cell for cell in on["cells"]
            if cell["right"]["territories"][0] in where and cell["right"]["right"] in what
            and cell["right"]["first_day"][:4] in YEARS[first : last + 1]
        ]  # fmt: skip
        codes = frozenset(cell["code"] for cell in taken)
        if codes not in seen:
            seen.add(codes)
            yield taken
