"""HiGHS asked for the best offers: gap nothing, one thread, the answer counted again in integers.

Imported by the child process and by tests alone: a solver has no place in a process that answers
requests.
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from math import lcm

import highspy
import numpy as np

from listings.bundles import problem
from listings.bundles.problem import Chosen, Kept, Number, Problem, Unproven

NAME = "HiGHS"
# A choice that only the tolerances of floating-point numbers let through is forbidden and the
# solver asked again; more than a few of those mean that it cannot tell these amounts apart.
MOST_SLIPS = 20
MOST_BITS = 24


def version() -> str:
    """Return the version of the solver."""
    return str(_new().version())


class Highs:
    """The solver, with one limit of time for all that it is asked."""

    def __init__(self, limit_s: float) -> None:
        """Begin to count the time."""
        self.ends = time.monotonic() + limit_s
        self.solves = 0

    def best(
        self,
        given: Problem,
        weights: Mapping[int, Number],
        kept: Sequence[Kept] = (),
        but: Chosen | None = None,
    ) -> Chosen | None:
        """Return the offers of the largest sum; see `problem.Solver`.

        Raises:
            Unproven: the time ran out, or the bound does not prove the answer.
        """
        plain = not kept and but is None
        asked = problem.worth_asking(given, weights) if plain else dict(weights)
        if not asked:
            return () if but is None else None
        model, bound = _Model(given, asked, kept), float("inf")
        if but is not None:
            model.forbid(but)
        for _ in range(MOST_SLIPS):
            self.solves += 1
            chosen, bound = model.solve(max(0.01, self.ends - time.monotonic()))
            if chosen is None and but is not None and bound == float("-inf"):
                return None
            if chosen is None:
                raise Unproven(None, bound)
            if not _holds(given, chosen, kept):
                model.forbid(chosen)
                continue
            if not _proves(bound, problem.total(asked, chosen), model.parts):
                raise Unproven(chosen, bound)
            return chosen
        raise Unproven(None, bound)


def _new() -> highspy.Highs:
    return highspy.Highs()


def _holds(given: Problem, chosen: Chosen, kept: Sequence[Kept]) -> bool:
    reached = all(problem.total(one.weights, chosen) >= one.least for one in kept)
    return reached and problem.is_feasible(given, chosen)


def _proves(bound: float, value: Number, parts: int) -> bool:
    """Tell whether a bound leaves no room for a better choice: sums are whole `parts`."""
    return Fraction(bound) < value + Fraction(1, parts)


class _Model:
    """One integer program: a column for each offer asked for, rows for what may not be together."""

    def __init__(self, given: Problem, asked: Mapping[int, Number], kept: Sequence[Kept]) -> None:
        places = sorted(asked)
        self.column = {place: at for at, place in enumerate(places)}
        self.parts = lcm(*(Fraction(weight).denominator for weight in asked.values()))
        self.solver = _new()
        for name, value in _OPTIONS.items():
            self.solver.setOptionValue(name, value)
        self.solver.setOptionValue("user_objective_scale", -_shift(asked.values()))
        rows = [
            (sorted(self.column[place] for place in row), most)
            for row, most in _rows(given, places)
        ]
        self.sold = len(places) if given.least_winners > 1 else None
        self._pass([float(asked[place]) for place in places], rows)
        self._least_winners(given)
        for one in kept:
            self._keep(one)

    def solve(self, limit_s: float) -> tuple[Chosen | None, float]:
        """Return the best choice found and the bound that no choice exceeds."""
        self.solver.setOptionValue("time_limit", self.solver.getRunTime() + limit_s)
        self.solver.run()
        info = self.solver.getInfo()
        ended = self.solver.getModelStatus()
        if ended == highspy.HighsModelStatus.kInfeasible:
            return None, float("-inf")
        if info.primal_solution_status != highspy.SolutionStatus.kSolutionStatusFeasible:
            return None, float(info.mip_dual_bound)
        shares = self.solver.getSolution().col_value
        chosen = tuple(place for place, at in self.column.items() if shares[at] > 0.5)
        return chosen, float(info.mip_dual_bound)

    def forbid(self, chosen: Chosen) -> None:
        """Forbid exactly this choice."""
        mine = {self.column[place] for place in chosen}
        count = len(self.column)
        signs = np.array([1.0 if at in mine else -1.0 for at in range(count)])
        self.solver.addRow(
            -highspy.kHighsInf, len(mine) - 1.0, count, np.arange(count, dtype=np.int32), signs
        )

    def _pass(self, costs: list[float], rows: list[tuple[list[int], int]]) -> None:
        columns = len(costs) + (self.sold is not None)
        lp = highspy.HighsLp()
        lp.num_col_, lp.num_row_ = columns, len(rows)
        lp.sense_ = highspy.ObjSense.kMaximize
        lp.col_cost_ = np.array(costs + [0.0] * (columns - len(costs)))
        lp.col_lower_, lp.col_upper_ = np.zeros(columns), np.ones(columns)
        lp.integrality_ = [highspy.HighsVarType.kInteger] * columns
        lp.row_lower_ = np.full(len(rows), -highspy.kHighsInf)
        lp.row_upper_ = np.array([float(most) for _, most in rows])
        lp.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
        starts = np.cumsum([0, *(len(row) for row, _ in rows)])
        lp.a_matrix_.start_ = starts.astype(np.int32)
        lp.a_matrix_.index_ = np.array([at for row, _ in rows for at in row], dtype=np.int32)
        lp.a_matrix_.value_ = np.ones(int(starts[-1]))
        self.solver.passModel(lp)

    def _least_winners(self, given: Problem) -> None:
        """Let `sold` be 1 where anything is, and then ask for so many winners."""
        if self.sold is None:
            return
        inf, mine = highspy.kHighsInf, dict[int, list[int]]()
        for place, at in self.column.items():
            mine.setdefault(given.offers[place].bidder, []).append(at)
        for columns in mine.values():
            self._row(columns, [1.0] * len(columns), -1.0, (-inf, 0.0))
        everybody = list(self.column.values())
        self._row(everybody, [1.0] * len(everybody), -float(given.least_winners), (0.0, inf))

    def _row(
        self, columns: list[int], signs: list[float], sold: float, bounds: tuple[float, float]
    ) -> None:
        places = np.array([*columns, self.sold], dtype=np.int32)
        self.solver.addRow(*bounds, len(places), places, np.array([*signs, sold]))

    def _keep(self, one: Kept) -> None:
        part = 0.5 ** _shift(one.weights.values())
        weights = np.array([float(one.weights[place]) * part for place in self.column])
        columns = np.array(list(self.column.values()), dtype=np.int32)
        # Sums are whole numbers: half of one below the least lets nothing else through.
        least = (one.least - 0.5) * part
        self.solver.addRow(least, highspy.kHighsInf, len(columns), columns, weights)


_OPTIONS: Mapping[str, float | int | str | bool] = {
    "output_flag": False,
    "threads": 1,
    "random_seed": 0,
    "mip_rel_gap": 0.0,  # the default would stop at 1/10,000 of the optimum
    "mip_abs_gap": 0.0,
    "mip_feasibility_tolerance": 1e-9,
}


def _shift(weights: Iterable[Number]) -> int:
    """Return the power of two by which weights are divided so that none is beyond 2^24.

    Larger ones break the solver's linear programs: it stops far from their optimum.
    """
    largest = max((abs(int(weight)) for weight in weights), default=0)
    return max(0, largest.bit_length() - MOST_BITS)


def _rows(given: Problem, places: Sequence[int]) -> list[tuple[list[int], int]]:
    """Return which offers may be chosen together so many times at most."""
    rows: list[tuple[list[int], int]] = []
    bidders: dict[int, list[int]] = {}
    holding: dict[int, list[int]] = {}
    for place in places:
        bidders.setdefault(given.offers[place].bidder, []).append(place)
        for item in given.offers[place].items:
            holding.setdefault(item, []).append(place)
    rows += [(mine, 1) for mine in bidders.values() if len(mine) > 1]
    spaces: dict[int, list[int]] = {}
    for item in holding:
        spaces.setdefault(given.items[item].space, []).append(item)
    for items in spaces.values():
        rows += _of_space(given, items, holding)
    return rows


def _of_space(
    given: Problem, items: list[int], holding: Mapping[int, list[int]]
) -> list[tuple[list[int], int]]:
    """Return the rows of one space: exclusive once, or non-exclusive by its copies."""
    alone = [place for item in items if given.items[item].is_exclusive for place in holding[item]]
    shared = [item for item in items if not given.items[item].is_exclusive]
    rows: list[tuple[list[int], int]] = [(alone, 1)] if alone else []
    mine: dict[int, list[int]] = {}
    for item in shared:
        copies = given.items[item].copies
        if copies is not None:
            rows.append((holding[item], copies))
        for place in holding[item]:
            mine.setdefault(given.offers[place].bidder, []).append(place)
    if alone:
        rows += [(sorted({*alone, *places}), 1) for places in mine.values()]
    return rows
