"""What a solver says of an auction, and what can be checked of it without solving anything (pure).

A certificate names choices and prices; all that follows from them is written out beside them, and
checking is to write it out again. What is left to a second solver is that no choice is better.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor
from typing import Any

from listings.bundles import exact, pricing, problem
from listings.bundles.posing import Posed
from listings.bundles.pricing import Block
from listings.bundles.problem import Chosen


@dataclass(frozen=True, slots=True)
class Claim:
    """No choice among the offers named, of those that reach `kept`, sums to more than `most`."""

    weights: Mapping[int, problem.Number]
    most: problem.Number
    kept: tuple[problem.Kept, ...] = ()


VERSION = 1
FALLBACKS = ("winners-unproven", "prices-unproven")


def solve(
    posed: Posed,
    solver: problem.Solver,
    *,
    made_by: Mapping[str, str],
    out: Sequence[int] = (),
    told: pricing.Told = lambda _stage, _at: None,
) -> dict[str, Any]:
    """Return the certificate of an auction's bids.

    Where the time runs out the rulebook's fallback holds: everybody pays its bid, for the best
    choice found, and the certificate says what was not proved.

    Args:
        posed: the bids.
        solver: finds and proves the best choices.
        made_by: name and version of the solver.
        out: paddles in default, whose bids are left out.
        told: is told of each stage.
    """
    told("winners", 0)
    bound: int | None = None
    fallback, priced = None, None
    try:
        chosen = problem.winners(posed.problem, solver)
    except problem.Unproven as unproven:
        chosen, fallback = unproven.chosen or (), FALLBACKS[0]
        bound = floor(unproven.bound) if abs(unproven.bound) < problem.MOST_SUM else None
    if posed.payments == "core" and fallback is None:
        try:
            priced = pricing.core(posed.problem, chosen, solver, told=told)
        except problem.Unproven:
            fallback = FALLBACKS[1]
    head = {"out": sorted(out), "solver": dict(made_by), "fallback": fallback}
    if fallback != FALLBACKS[0]:
        bound = int(problem.total(problem.values(posed.problem), chosen))
    return _written(posed, chosen, priced, head | {"bound_minor": bound})


def fault(posed: Posed, given: Mapping[str, Any]) -> str | None:
    """Tell what is wrong with a certificate, or None.

    That no choice is better than those it names is not looked into: see `claims`.
    """
    try:
        chosen, priced = _read(posed, given)
    except (KeyError, TypeError, ValueError, IndexError, ZeroDivisionError):
        return "it cannot be read"
    if not problem.is_feasible(posed.problem, chosen):
        return "the winners do not fit together"
    if any(posed.problem.offers[place].value < 0 for place in chosen):
        return "a package is below its reserve"
    core = posed.payments == "core" and given["fallback"] is None
    if core != (priced is not None) or given["fallback"] not in (None, *FALLBACKS):
        return "it is paid by another rule"
    if priced is not None and (wrong := _fault_of_prices(posed, chosen, priced)):
        return wrong
    head = {key: given[key] for key in ("out", "solver", "fallback", "bound_minor")}
    if _written(posed, chosen, priced, head) != dict(given):
        return "its figures do not follow from its choices"
    return _fault_of_bound(given)


def awards(given: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the awards of a certificate that has no fault, in the order of paddles."""
    return [
        {
            "bid": one["bid"],
            "paddle": one["paddle"],
            "amount_minor": one["paid_minor"],
            "items": one["cells"],
        }
        for one in given["winners"]
    ]


def claims(posed: Posed, given: Mapping[str, Any]) -> list[Claim]:
    """Return what only a solver can confirm; nothing of what was not proved in the first place."""
    chosen, priced = _read(posed, given)
    if given["fallback"] == FALLBACKS[0]:
        return []
    worth = problem.values(posed.problem)
    asked: list[Claim] = []
    kept: tuple[problem.Kept, ...] = ()
    for goal in problem.goals(posed.problem):
        asked.append(Claim(goal, problem.total(goal, chosen), kept))
        kept = (*kept, problem.Kept(goal, int(problem.total(goal, chosen))))
    if priced is None:
        return asked
    offers = posed.problem.offers
    for place, other in zip(chosen, priced.without, strict=True):
        rest = {at: w for at, w in worth.items() if offers[at].bidder != offers[place].bidder}
        asked.append(Claim(rest, problem.total(worth, other)))
    asked.append(Claim(pricing.lowered(posed.problem, chosen, priced.paid), sum(priced.paid)))
    return asked


def asked(posed: Posed, claimed: Sequence[Claim]) -> dict[str, Any]:
    """Return claims as JSON, for a solver in a process of its own."""
    return {
        "problem": problem.wire(posed.problem),
        "claims": [
            {
                "weights": _told(one.weights),
                "most": str(one.most),
                "kept": [[_told(kept.weights), str(kept.least)] for kept in one.kept],
            }
            for one in claimed
        ],
    }


def _told(weights: Mapping[int, problem.Number]) -> dict[str, str]:
    return {str(place): str(weight) for place, weight in weights.items()}


def _fault_of_prices(posed: Posed, chosen: Chosen, priced: pricing.Priced) -> str | None:
    offers, given = posed.problem.offers, posed.problem
    for place, other in zip(chosen, priced.without, strict=True):
        if not problem.is_feasible(given, other):
            return "a choice without a winner does not fit together"
        if offers[place].bidder in {offers[one].bidder for one in other}:
            return "a choice without a winner names it"
    if not all(problem.is_feasible(given, block.chosen) for block in priced.blocks):
        return "what a coalition would take does not fit together"
    high = [Fraction(offers[place].value) for place in chosen]
    rows = pricing.rows(priced.blocks)
    if not exact.is_nearest(priced.paid, priced.weights, low=priced.vcg, high=high, rows=rows):
        return "the prices are not the nearest of the least total"
    return None


def _fault_of_bound(given: Mapping[str, Any]) -> str | None:
    bound, value = given["bound_minor"], given["value_minor"]
    if given["fallback"] == FALLBACKS[0]:
        sound = bound is None or (type(bound) is int and bound >= value)
    else:
        sound = bound == value
    return None if sound else "its bound is below what was chosen"


def _written(
    posed: Posed, chosen: Chosen, priced: pricing.Priced | None, head: Mapping[str, Any]
) -> dict[str, Any]:
    worth = problem.values(posed.problem)
    return {
        "version": VERSION,
        **head,
        "payments": "bids" if priced is None else "core",
        "value_minor": problem.total(worth, chosen),
        "winners": [_winner(posed, priced, at, place) for at, place in enumerate(chosen)],
        "without": None if priced is None else [_refs(posed, one) for one in priced.without],
        "blocks": None if priced is None else [
            _block(posed, chosen, block, weight)
            for block, weight in zip(priced.blocks, priced.weights, strict=True)
        ],
    }  # fmt: skip


def _winner(posed: Posed, priced: pricing.Priced | None, at: int, place: int) -> dict[str, Any]:
    one = posed.named[place]
    paid = Fraction(one.amount_minor)
    if priced is not None:
        paid = priced.paid[at] + one.reserve_minor
    return {
        "bid": str(one.bid),
        "package": one.package,
        "paddle": one.paddle,
        "cells": list(one.cells),
        "amount_minor": one.amount_minor,
        "reserve_minor": one.reserve_minor,
        "vcg_minor": None if priced is None else int(priced.vcg[at]) + one.reserve_minor,
        "paid": str(paid),
        "paid_minor": ceil(paid),
    }


def _block(posed: Posed, chosen: Chosen, block: Block, weight: exact.Pair) -> dict[str, Any]:
    """Write a coalition; what its payers pay together is told with their reserves."""
    paying = [posed.named[chosen[at]] for at in sorted(block.payers)]
    return {
        "chosen": _refs(posed, block.chosen),
        "payers": [one.paddle for one in paying],
        "least_minor": block.least + sum(one.reserve_minor for one in paying),
        "weights": [str(part) for part in weight],
    }


def _refs(posed: Posed, chosen: Chosen) -> list[list[Any]]:
    return [[str(posed.named[place].bid), posed.named[place].package] for place in chosen]


def _read(posed: Posed, given: Mapping[str, Any]) -> tuple[Chosen, pricing.Priced | None]:
    places = {(str(one.bid), one.package): at for at, one in enumerate(posed.named)}

    def found(refs: Sequence[Sequence[Any]]) -> Chosen:
        return tuple(places[(bid, package)] for bid, package in refs)

    chosen = found([[one["bid"], one["package"]] for one in given["winners"]])
    if given["blocks"] is None:
        return chosen, None
    without = tuple(found(one) for one in given["without"])
    blocks = tuple(
        pricing.block_of(posed.problem, chosen, found(one["chosen"])) for one in given["blocks"]
    )
    weights = tuple(
        (Fraction(first), Fraction(second))
        for first, second in (one["weights"] for one in given["blocks"])
    )
    paid = tuple(
        Fraction(one["paid"]) - posed.named[place].reserve_minor
        for one, place in zip(given["winners"], chosen, strict=True)
    )
    vcg = tuple(
        Fraction(pricing.vcg_minor(posed.problem, chosen, at, other))
        for at, other in enumerate(without)
    )
    return chosen, pricing.Priced(vcg, without, blocks, weights, paid, len(blocks) + 1)
