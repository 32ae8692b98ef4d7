"""Who could get what: copies of cells, offers for packages of them, what may stand together.

Pure. An offer's value is its amount less the reserves of its cells: to sell above the reserve is
to outbid one fictitious bidder for each copy of each cell at its reserve (Day & Cramton 2012, as in
ISED's rules of 2019), so the same winners and prices follow with fewer bidders.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Protocol

Number = int | Fraction
MOST_SUM = 2**53  # beyond it floating-point numbers are no integers any more
Chosen = tuple[int, ...]  # places of offers, ascending


@dataclass(frozen=True, slots=True)
class Item:
    """A cell in one mode: how many copies (None: any number) and the space that it shares.

    Of the items of one space either an exclusive one is sold, once, or non-exclusive ones are.
    """

    copies: int | None
    space: int
    is_exclusive: bool


@dataclass(frozen=True, slots=True)
class Offer:
    """One package of one bidder: its items, its value over the reserves, and its lottery keys.

    `least` is what it costs over the reserves at least, whoever else bids: what the floor asks.
    """

    bidder: int
    items: frozenset[int]
    value: int
    key: tuple[int, int] = (0, 0)
    least: int = 0


@dataclass(frozen=True, slots=True)
class Problem:
    """Everything that decides who wins; nobody wins, or at least `least_winners` bidders do."""

    items: tuple[Item, ...]
    offers: tuple[Offer, ...]
    least_winners: int = 1
    secondary: str = "cells"  # of equally good ways: most "cells" sold, most "winners", or "none"


class Solver(Protocol):
    """Finds the best offers, and has proved that none are better."""

    def best(
        self,
        given: Problem,
        weights: Mapping[int, Number],
        kept: Sequence["Kept"] = (),
        but: Chosen | None = None,
    ) -> Chosen | None:
        """Return the offers of the largest sum of weights, of those that are named in `weights`.

        The sums in `kept` are reached, and the choice is not `but`; None where that leaves nothing.

        Raises:
            Unproven: it could not be proved in time.
        """
        ...


@dataclass(frozen=True, slots=True)
class Kept:
    """A sum that the choice must reach: what an earlier goal has settled."""

    weights: Mapping[int, int]
    least: int


class Unproven(ArithmeticError):
    """The time ran out, or the solver's bound does not prove its answer; the best so far is kept.

    `chosen` is None where nothing better than selling nothing was found.
    """

    def __init__(self, chosen: Chosen | None, bound: float = float("inf")) -> None:
        """Keep what was found and the solver's bound."""
        super().__init__("The best choice was not proved.")
        self.chosen, self.bound = chosen, bound


def is_feasible(problem: Problem, chosen: Sequence[int]) -> bool:
    """Tell whether offers may be accepted together."""
    offers = [problem.offers[place] for place in chosen]
    bidders = {offer.bidder for offer in offers}
    if len(set(chosen)) != len(chosen) or len(bidders) != len(offers):
        return False
    if offers and len(bidders) < problem.least_winners:
        return False
    sold: dict[int, int] = {}
    for offer in offers:
        for item in offer.items:
            sold[item] = sold.get(item, 0) + 1
    return _fit(problem.items, sold)


def total(weights: Mapping[int, Number], chosen: Iterable[int]) -> Number:
    """Return the sum of the weights of what is chosen, exactly."""
    return sum((weights[place] for place in chosen), 0)


def values(problem: Problem) -> dict[int, int]:
    """Return the value of every offer, by its place."""
    return {place: offer.value for place, offer in enumerate(problem.offers)}


def worth_asking(problem: Problem, weights: Mapping[int, Number]) -> dict[int, Number]:
    """Leave out offers that cannot be in a best choice.

    Those are offers below nothing (where no number of winners is asked for, which they could help
    to reach) and those for which their own bidder has a smaller package of greater weight.
    """
    kept: dict[int, Number] = {}
    mine: dict[int, list[int]] = {}
    for place, weight in weights.items():
        if weight >= 0 or problem.least_winners > 1:
            mine.setdefault(problem.offers[place].bidder, []).append(place)
    for places in mine.values():
        for place in places:
            items = problem.offers[place].items
            if not any(
                weights[other] > weights[place] and problem.offers[other].items <= items
                for other in places
            ):
                kept[place] = weights[place]
    return kept


def goals(problem: Problem) -> list[dict[int, int]]:
    """Return what decides, in this order: value, the declared secondary, two parts of a lottery."""
    offers = list(enumerate(problem.offers))
    listed: list[dict[int, int]] = [values(problem)]
    if problem.secondary == "cells":
        listed.append({place: len(offer.items) for place, offer in offers})
    elif problem.secondary == "winners":
        listed.append({place: 1 for place, _ in offers})
    listed += [{place: offer.key[part] for place, offer in offers} for part in (0, 1)]
    return listed


def winners(problem: Problem, solver: Solver) -> Chosen:
    """Return the offers accepted: the largest value; ties by the goals that follow.

    Raises:
        Unproven: the solver could not prove its answer in time.
    """
    first = values(problem)
    chosen = solver.best(problem, first) or ()
    try:
        return _told_apart(problem, solver, chosen, Kept(first, int(total(first, chosen))))
    except Unproven as unproven:
        raise Unproven(chosen, float(total(first, chosen))) from unproven


def _told_apart(given: Problem, solver: Solver, chosen: Chosen, value: Kept) -> Chosen:
    """Return the one of all choices of the best value that the further goals prefer."""
    kept = [value]
    if solver.best(given, value.weights, kept, chosen) is None:
        return chosen
    for weights in goals(given)[1:]:
        chosen = solver.best(given, weights, kept) or ()
        kept.append(Kept(weights, int(total(weights, chosen))))
    return chosen


def wire(problem: Problem) -> dict[str, Any]:
    """Return the problem as JSON, for a solver in a process of its own."""
    return {
        "items": [[item.copies, item.space, item.is_exclusive] for item in problem.items],
        "offers": [
            [offer.bidder, sorted(offer.items), offer.value, list(offer.key)]
            for offer in problem.offers
        ],
        "least_winners": problem.least_winners,
        "secondary": problem.secondary,
    }


def read(given: Mapping[str, Any]) -> Problem:
    """Read what `wire` wrote."""
    return Problem(
        tuple(Item(*one) for one in given["items"]),
        tuple(
            Offer(bidder, frozenset(items), value, (key[0], key[1]))
            for bidder, items, value, key in given["offers"]
        ),
        given["least_winners"],
        given["secondary"],
    )


def _fit(items: Sequence[Item], sold: Mapping[int, int]) -> bool:
    modes: dict[int, set[bool]] = {}
    exclusive: dict[int, int] = {}
    for place, count in sold.items():
        item = items[place]
        if item.copies is not None and count > item.copies:
            return False
        modes.setdefault(item.space, set()).add(item.is_exclusive)
        if item.is_exclusive:
            exclusive[item.space] = exclusive.get(item.space, 0) + count
    return all(len(mode) == 1 for mode in modes.values()) and all(
        count == 1 for count in exclusive.values()
    )
