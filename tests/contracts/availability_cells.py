"""A small market told in plain words and counted cell by cell: the second opinion on availability.

Nothing here reads the engine: what is told is the market, and what is free of it is found by going
through every way in which all that is open may turn out, use by use and hour by hour.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby, product

HOURS = 4
SERIES, ONE, TWO = "series", "one", "two"
PLACES = {SERIES: (SERIES, ONE, TWO), ONE: (ONE,), TWO: (TWO,)}  # a work and what lies in it
STRENGTH = ("non-exclusive", "sole", "exclusive")
SERVING = ("holdback", "option", "first-refusal", "mandate")  # promises to somebody
OPEN = ("blackout", "pledge", "clearance")  # nobody is outside these
Use = tuple[str, str, int, str, int]  # work, place, use, language, hour
Ends = tuple[tuple[int, int], tuple[int, int]]  # earliest and latest, of start and of end


@dataclass(frozen=True)
class Rights:
    """Rights in one work: places, uses, languages, and from which hour to which."""

    work: str
    places: frozenset[str]
    uses: frozenset[int]
    languages: frozenset[str]
    start: int
    end: int

    def cells(self) -> set[Use]:
        """Return every use in them."""
        return self.within(self.start, self.end)

    def within(self, start: int, end: int) -> set[Use]:
        """Return every use in them from one hour to another."""
        hours = range(max(start, 0), min(end, HOURS))
        return set(product(PLACES[self.work], self.places, self.uses, self.languages, hours))


@dataclass(frozen=True)
class Grant:
    """Rights granted, by the owners or out of a holding, of some strength."""

    rights: Rights
    strength: str
    state: str
    under: str  # "owners" or the name of a holding


@dataclass(frozen=True)
class Holding:
    """A licence that its licensee may license on."""

    name: str
    rights: Rights
    strength: str
    depth: int
    runs_left: int | None


@dataclass(frozen=True)
class Promise:
    """A promise or charge whose ends may be open."""

    kind: str
    rights: Rights
    ends: Ends
    serves: str | None

    def ways(self) -> list[frozenset[Use]]:
        """Return what it takes in each way in which it may turn out."""
        starts, ends = (range(low, high + 1) for low, high in self.ends)
        ways = {frozenset(self.rights.within(*pair)) for pair in product(starts, ends)}
        if self.kind == "first-refusal":
            ways.add(frozenset())  # it is waived
        return list(ways)


@dataclass(frozen=True)
class Wish:
    """What somebody asks for: of the owners, or of the licensee."""

    rights: Rights
    strength: str
    of: str  # "owners" or "licensee"
    by: str | None
    runs: int | None
    depth: int
    minimum: int


@dataclass(frozen=True)
class Market:
    """All that bears on a wish."""

    grants: tuple[Grant, ...]
    holdings: tuple[Holding, ...]
    promises: tuple[Promise, ...]
    protected: dict[str, int]  # work → first hour without protection
    quarrel: bool  # a co-owner has not agreed


@dataclass(frozen=True)
class Opinion:
    """What is free however all turns out, what may be, and the two verdicts."""

    free: frozenset[Use]
    maybe: frozenset[Use]
    all_of_it: str
    any_of_it: str


def opinion(market: Market, wish: Wish) -> Opinion:
    """Return what is free of a wish, from every way in which all that is open may turn out."""
    asked = wish.rights.cells()
    worlds = list(_worlds(market, wish))
    sums = [set[Use]().union(*grounds) for grounds in worlds]
    free, ever = set[Use](asked).intersection(*sums), set[Use]().union(*sums)
    whole = [any(ground == asked for ground in grounds) for grounds in worlds]
    if all(whole):
        return Opinion(frozenset(free), frozenset(), "free", "free")
    part = "partly" if free else "unknown" if ever else "no"
    return Opinion(frozenset(free), frozenset(ever - free), "unknown" if any(whole) else "no", part)


def _worlds(market: Market, wish: Wish) -> Iterator[list[set[Use]]]:
    """Yield, for each way in which all may turn out, what is free of each thing granted from."""
    grounds = list(_grounds(market, wish))
    binding = [one for one in market.promises if _binds(one, wish)]
    for taken in product(*(one.ways() for one in binding)):
        yield [_lasting(ground.difference(*taken), wish.minimum) for ground in grounds]


def _grounds(market: Market, wish: Wish) -> Iterator[set[Use]]:
    asked = {use for use in wish.rights.cells() if use[4] < market.protected.get(use[0], HOURS)}
    if wish.of == "owners":
        barred = market.quarrel and wish.strength != "non-exclusive"
        yield set() if barred else asked - _granted(market, wish, "owners")
        return
    for holding in market.holdings:
        if _suffices(holding, wish):
            mine = asked & holding.rights.cells()
            yield mine - _granted(market, wish, holding.name)


def _suffices(holding: Holding, wish: Wish) -> bool:
    strong = STRENGTH.index(holding.strength) >= STRENGTH.index(wish.strength)
    runs = holding.runs_left is None or (wish.runs is not None and wish.runs <= holding.runs_left)
    return strong and runs and holding.depth >= wish.depth + 1


def _granted(market: Market, wish: Wish, under: str) -> set[Use]:
    taken: set[Use] = set()
    for grant in market.grants:
        both_shared = grant.strength == wish.strength == "non-exclusive"
        if grant.under == under and not both_shared:
            taken |= grant.rights.cells()
    return taken


def _binds(promise: Promise, wish: Wish) -> bool:
    if promise.kind in OPEN or promise.serves is None:
        return True
    return promise.serves not in (wish.of, wish.by)


def _lasting(uses: set[Use], minimum: int) -> set[Use]:
    """Return what is left without stretches of hours that are shorter than the minimum."""
    if minimum <= 1:
        return uses
    kept: set[Use] = set()
    for _, column in groupby(sorted(uses), key=lambda use: use[:4]):
        stretch: list[Use] = []
        for use in [*column, None]:
            if stretch and (use is None or use[4] != stretch[-1][4] + 1):
                kept.update(stretch if len(stretch) >= minimum else ())
                stretch = []
            if use is not None:
                stretch.append(use)
    return kept


def random_rights(dice: random.Random) -> Rights:
    """Return rights of the small world, none empty."""
    start = dice.randrange(HOURS)
    return Rights(
        work=dice.choice([SERIES, SERIES, ONE, TWO]),
        places=frozenset(dice.sample(["CN-GD", "HK"], dice.randint(1, 2))),
        uses=frozenset(dice.sample([0, 1], dice.randint(1, 2))),
        languages=frozenset(dice.sample(["de:dubbed", "ja:original"], dice.randint(1, 2))),
        start=start,
        end=dice.randint(start + 1, HOURS),
    )


def random_market(dice: random.Random) -> Market:
    """Return a market with a few records of each kind."""
    holdings = tuple(
        Holding(
            name, random_rights(dice), dice.choice(STRENGTH), dice.choice([0, 1, 1, 2]),
            dice.choice([None, None, 0, 1]),
        )
        for name in ("first", "second")[: dice.randint(0, 2)]
    )  # fmt: skip
    grounds = ["owners", "owners", *(holding.name for holding in holdings)]
    grants = tuple(
        Grant(
            random_rights(dice), dice.choice(STRENGTH),
            dice.choice(["reserved", "held", "effective"]), dice.choice(grounds),
        )
        for _ in range(dice.choice([0, 0, 1, 2, 3]))
    )  # fmt: skip
    promises = tuple(_random_promise(dice) for _ in range(dice.choice([0, 1, 1, 2])))
    protected = {ONE: dice.randint(0, HOURS)} if dice.random() < 0.2 else {}
    return Market(grants, holdings, promises, protected, quarrel=dice.random() < 0.1)


def _random_promise(dice: random.Random) -> Promise:
    start, end = dice.randrange(HOURS), dice.randint(1, HOURS)
    longer = [dice.choice([0, 0, 1, 2]) for _ in range(2)]
    return Promise(
        dice.choice([*SERVING, *OPEN]),
        random_rights(dice),
        ((start, start + longer[0]), (end, end + longer[1])),
        dice.choice([None, "licensee", "buyer"]),
    )


def random_wish(dice: random.Random) -> Wish:
    """Return a wish of the owners or of the licensee."""
    return Wish(
        random_rights(dice),
        dice.choice(STRENGTH),
        of=dice.choice(["owners", "owners", "licensee"]),
        by=dice.choice([None, "buyer"]),
        runs=dice.choice([None, 1, 2]),
        depth=dice.choice([0, 0, 1]),
        minimum=dice.choice([0, 0, 1, 2]),
    )
