"""A second opinion in a process of its own: SCIP is asked whether anything better can be had.

Standard input holds a problem and claims ("of these weights no choice sums to more than this");
one JSON line a claim comes out. Nothing is shared with the first solver but the words: rows are
written here anew, as SCIP's own.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from fractions import Fraction
from math import floor, lcm
from typing import Any

import pyscipopt

from listings.bundles import problem
from listings.bundles.problem import Problem


def main() -> None:
    """Read, ask, write."""
    asked = json.load(sys.stdin)
    given = problem.read(asked["problem"])
    for claim in asked["claims"]:
        kept = [(_read(weights), Fraction(least)) for weights, least in claim["kept"]]
        best = optimum(given, _read(claim["weights"]), kept, limit_s=asked["limit_s"])
        most = Fraction(claim["most"])
        line = {"best": None if best is None else str(best), "holds": best == most}
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()


def _read(weights: Mapping[str, str]) -> dict[int, Fraction]:
    return {int(place): Fraction(weight) for place, weight in weights.items()}


def optimum(
    given: Problem,
    weights: Mapping[int, Fraction],
    kept: Sequence[tuple[Mapping[int, Fraction], Fraction]] = (),
    *,
    limit_s: float,
) -> Fraction | None:
    """Return the largest sum of weights, exactly; None where it was not found in time.

    Args:
        given: what may be taken together.
        weights: of the offers that may be chosen.
        kept: sums of whole numbers that the choice must reach.
        limit_s: how long it may take.
    """
    parts = lcm(*(weight.denominator for weight in weights.values()), 1)
    model = pyscipopt.Model()
    model.hideOutput()
    for name, most in (("limits/time", limit_s), ("limits/gap", 0.0), ("numerics/feastol", 1e-9)):
        model.setParam(name, most)
    taken = {place: model.addVar(vtype="B", name=f"x{place}") for place in sorted(weights)}
    _restrict(model, given, taken)
    for reached, least in kept:
        total = pyscipopt.quicksum(int(reached[place]) * var for place, var in taken.items())
        model.addCons(total >= float(least) - 0.5)
    model.setObjective(
        pyscipopt.quicksum(int(weights[place] * parts) * taken[place] for place in taken),
        "maximize",
    )
    model.optimize()
    if model.getStatus() != "optimal":
        return None
    chosen = tuple(place for place, var in taken.items() if model.getVal(var) > 0.5)
    value = sum((weights[place] for place in chosen), start=Fraction(0))
    if not problem.is_feasible(given, chosen) or floor(model.getDualbound() + 0.5) != value * parts:
        return None
    return value


def _restrict(model: Any, given: Problem, taken: Mapping[int, Any]) -> None:
    """Write what may not be taken together."""
    offers = {place: given.offers[place] for place in taken}
    bidders = {offer.bidder for offer in offers.values()}
    wins = {bidder: model.addVar(vtype="B", name=f"w{bidder}") for bidder in sorted(bidders)}
    for bidder, win in wins.items():
        mine = [taken[place] for place, offer in offers.items() if offer.bidder == bidder]
        model.addCons(pyscipopt.quicksum(mine) == win)
    for place, item in enumerate(given.items):
        holding = [taken[at] for at, offer in offers.items() if place in offer.items]
        if holding and item.copies is not None:
            model.addCons(pyscipopt.quicksum(holding) <= item.copies)
    for space in {item.space for item in given.items}:
        _share(model, given, taken, space)
    if given.least_winners > 1:
        sold = model.addVar(vtype="B", name="sold")
        model.addCons(pyscipopt.quicksum(wins.values()) >= given.least_winners * sold)
        for win in wins.values():
            model.addCons(win <= sold)


def _share(model: Any, given: Problem, taken: Mapping[int, Any], space: int) -> None:
    """Let `alone` be 1 where the exclusive item of a space is sold: nothing else is sold then."""
    alone = model.addVar(vtype="B", name=f"alone{space}")
    exclusive = []
    for at, var in taken.items():
        items = [
            given.items[one] for one in given.offers[at].items if given.items[one].space == space
        ]
        if any(item.is_exclusive for item in items):
            exclusive.append(var)
        elif items:
            model.addCons(var <= 1 - alone)
    model.addCons(pyscipopt.quicksum(exclusive) == alone)


if __name__ == "__main__":
    main()
