"""What winners pay: core prices nearest to those of Vickrey, Clarke and Groves, exactly (pure).

Source: Day & Raghavan (2007), core constraint generation; Day & Cramton (2012), of the least total
the nearest to VCG; Day & Milgrom (2008), why that. Raw VCG is never sold on: it can be nothing
while losers offer much (local-local-global).

Differs from the source: prices are fractions from the first step to the last, so nothing has to be
polished, and they hold their own proof (`exact`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from listings.bundles import exact, problem
from listings.bundles.exact import Row
from listings.bundles.problem import Chosen, Number, Problem, Solver

Told = Callable[[str, int], None]  # a stage's name, and how far it is


@dataclass(frozen=True, slots=True)
class Block:
    """A coalition that would outbid: what it would take instead, and what the others must pay.

    `payers` are places of winners; they pay `least` or more together, over the reserves.
    """

    payers: frozenset[int]
    least: int
    chosen: Chosen


@dataclass(frozen=True, slots=True)
class Priced:
    """Prices over the reserves by winner, in the order of `chosen`, and why they are these."""

    vcg: tuple[Fraction, ...]
    without: tuple[Chosen, ...]  # the best choice without each winner: it gives the VCG price
    blocks: tuple[Block, ...]
    weights: tuple[exact.Pair, ...]
    paid: tuple[Fraction, ...]
    rounds: int


def core(
    given: Problem, chosen: Chosen, solver: Solver, *, told: Told = lambda _stage, _at: None
) -> Priced:
    """Return the core prices of a best choice.

    Raises:
        Unproven: the solver could not prove an answer in time.
    """
    high = [Fraction(given.offers[place].value) for place in chosen]
    without = []
    for at, place in enumerate(chosen):
        told("vcg", at)
        without.append(_without(given, given.offers[place].bidder, solver))
    low = [_vcg(given, chosen, at, other) for at, other in enumerate(without)]
    blocks: list[Block] = []
    found = exact.nearest(low, high, [])
    while True:
        told("core", len(blocks))
        block = _blocking(given, chosen, found.point, solver)
        if block is None:
            break
        blocks.append(block)
        found = exact.nearest(low, high, rows(blocks))
    return Priced(
        tuple(low), tuple(without), tuple(blocks), found.weights, found.point, len(blocks) + 1
    )


def rows(blocks: Sequence[Block]) -> list[Row]:
    """Return blocks as rows of the core."""
    return [Row(block.payers, Fraction(block.least)) for block in blocks]


def vcg_minor(given: Problem, chosen: Chosen, at: int, without: Chosen) -> int:
    """Return the VCG price of a winner over the reserves, never below what its package costs.

    Differs from the source: where a least number of winners is asked for, a winner can be worth
    more to the others than it bids, and VCG would pay it; reserve and floor forbid that.
    """
    worth = problem.values(given)
    whole, rest = problem.total(worth, chosen), problem.total(worth, without)
    mine = given.offers[chosen[at]]
    return max(mine.least, int(mine.value - (whole - rest)))


def block_of(given: Problem, chosen: Chosen, other: Chosen) -> Block:
    """Return what a coalition's own choice asks of the winners outside of it."""
    mine = {given.offers[place].bidder for place in other}
    inside = [place for place in chosen if given.offers[place].bidder in mine]
    worth = problem.values(given)
    least = problem.total(worth, other) - problem.total(worth, inside)
    payers = frozenset(at for at, place in enumerate(chosen) if place not in inside)
    return Block(payers, int(least), other)


def lowered(given: Problem, chosen: Chosen, paid: Sequence[Fraction]) -> dict[int, Number]:
    """Return every offer's value less what its bidder gains at these prices.

    Whoever would choose otherwise at these prices is a coalition that blocks them.
    """
    gains = {
        given.offers[place].bidder: given.offers[place].value - price
        for place, price in zip(chosen, paid, strict=True)
    }
    return {
        place: offer.value - gains.get(offer.bidder, 0) for place, offer in enumerate(given.offers)
    }


def _without(given: Problem, bidder: int, solver: Solver) -> Chosen:
    worth: dict[int, Number] = {
        place: offer.value for place, offer in enumerate(given.offers) if offer.bidder != bidder
    }
    return solver.best(given, worth) or ()


def _vcg(given: Problem, chosen: Chosen, at: int, without: Chosen) -> Fraction:
    return Fraction(vcg_minor(given, chosen, at, without))


def _blocking(
    given: Problem, chosen: Chosen, paid: Sequence[Fraction], solver: Solver
) -> Block | None:
    """Return the coalition that blocks the prices most, or None."""
    weights = lowered(given, chosen, paid)
    other = solver.best(given, weights) or ()
    if problem.total(weights, other) <= sum(paid):
        return None
    return block_of(given, chosen, other)
