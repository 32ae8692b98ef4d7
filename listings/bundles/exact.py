"""The least total within rows and, of those, the point nearest to a reference, exactly (pure).

Minimises `M * sum(p) + |p - reference|^2 / 2` for an M beyond every number, by the dual active-set
method of Goldfarb and Idnani (1983) on fractions. Numbers that hold M are pairs (times M, plain),
which Python compares in the right order; so the one run gives the least total and the nearest
point, and the multipliers of its rows prove both (`is_nearest`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

Pair = tuple[Fraction, Fraction]  # times M, plain
Bound = tuple[str, int]  # ("row", its place), or ("low" or "high", the coordinate)
_ZERO: Pair = (Fraction(0), Fraction(0))


class NoPoint(ArithmeticError):
    """The rows and bounds leave no point; core prices always leave the bids themselves."""


@dataclass(frozen=True, slots=True)
class Row:
    """The coordinates in `of` sum to `least` or more."""

    of: frozenset[int]
    least: Fraction


@dataclass(frozen=True, slots=True)
class Nearest:
    """The point, and of each row its multipliers (times M, plain)."""

    point: tuple[Fraction, ...]
    weights: tuple[Pair, ...]


def nearest(low: Sequence[Fraction], high: Sequence[Fraction], rows: Sequence[Row]) -> Nearest:
    """Return the point of least total, and of those the one nearest to `low`, within the bounds.

    Raises:
        NoPoint: there is none.
    """
    walk = _Walk(low, high, rows)
    while (bound := walk.violated()) is not None:
        walk.enforce(bound)
    weights = tuple(walk.active.get(("row", place), _ZERO) for place in range(len(rows)))
    return Nearest(tuple(plain for _, plain in walk.point), weights)


def is_nearest(
    point: Sequence[Fraction],
    weights: Sequence[Pair],
    *,
    low: Sequence[Fraction],
    high: Sequence[Fraction],
    rows: Sequence[Row],
) -> bool:
    """Tell whether the multipliers prove that the point is what `nearest` returns."""
    inside = all(a <= p <= b for a, p, b in zip(low, point, high, strict=True))
    for row, weight in zip(rows, weights, strict=True):
        slack = sum(point[k] for k in row.of) - row.least
        inside = inside and slack >= 0 and weight >= _ZERO and (weight == _ZERO or not slack)
    return inside and all(
        _balances(_pull(k, point, weights, low, rows), low[k] == point[k], point[k] == high[k])
        for k in range(len(point))
    )


def _pull(
    k: int,
    point: Sequence[Fraction],
    weights: Sequence[Pair],
    low: Sequence[Fraction],
    rows: Sequence[Row],
) -> Pair:
    """Return the slope of what is minimised along a coordinate, less what the rows push back."""
    over = [weight for row, weight in zip(rows, weights, strict=True) if k in row.of]
    first = 1 - sum((m for m, _ in over), Fraction(0))
    return first, point[k] - low[k] - sum((plain for _, plain in over), Fraction(0))


def _balances(pull: Pair, at_low: bool, at_high: bool) -> bool:
    return pull == _ZERO or (pull > _ZERO and at_low) or (pull < _ZERO and at_high)


class _Walk:
    """The best point for the bounds met so far, and the multipliers of those that hold it."""

    def __init__(
        self, low: Sequence[Fraction], high: Sequence[Fraction], rows: Sequence[Row]
    ) -> None:
        """Begin at `low`, held there by the pull of M alone."""
        self.low, self.high, self.rows = low, high, rows
        self.point: list[Pair] = [(Fraction(0), Fraction(one)) for one in low]
        one = (Fraction(1), Fraction(0))
        self.active: dict[Bound, Pair] = {("low", k): one for k in range(len(low))}

    def violated(self) -> Bound | None:
        """Return the first bound that the point breaks, or None."""
        kinds = (("row", len(self.rows)), ("high", len(self.low)), ("low", len(self.low)))
        for kind, count in kinds:
            for place in range(count):
                if self._slack((kind, place)) < _ZERO:
                    return kind, place
        return None

    def enforce(self, bound: Bound) -> None:
        """Move until the bound holds, letting go of bounds that would then pull.

        Raises:
            NoPoint: it cannot.
        """
        pushed = _ZERO
        while True:
            normal = self._normal(bound)
            along, duals = self._project(normal)
            length = sum((z * normal.get(k, 0) for k, z in along.items()), Fraction(0))
            leaving: list[tuple[Pair, Bound | None]] = [
                (_over(self.active[one], r), one) for one, r in duals.items() if r > 0
            ]
            slack = self._slack(bound)
            full = _over((-slack[0], -slack[1]), length) if length else None
            if full is None and not leaving:
                raise NoPoint("The bounds leave no point.")
            step, left = min(leaving, default=(full or _ZERO, None))
            if full is not None and full <= step:
                step, left = full, None
            self._move(along, duals, step)
            pushed = _plus(pushed, step, Fraction(1))
            if left is None:
                self.active[bound] = pushed
                return
            del self.active[left]

    def _move(self, along: dict[int, Fraction], duals: dict[Bound, Fraction], step: Pair) -> None:
        for k, z in along.items():
            self.point[k] = _plus(self.point[k], step, z)
        for one, r in duals.items():
            self.active[one] = _plus(self.active[one], step, -r)

    def _project(self, normal: dict[int, int]) -> tuple[dict[int, Fraction], dict[Bound, Fraction]]:
        """Return the part of a normal that the active bounds leave free, and its parts on them."""
        held = {k: kind for kind, k in self.active if kind != "row"}
        places = [place for kind, place in self.active if kind == "row"]
        sets = [self.rows[place].of for place in places]
        free = [one - held.keys() for one in sets]
        gram = [[Fraction(len(a & b)) for b in free] for a in free]
        right = [Fraction(sum(normal.get(k, 0) for k in one)) for one in free]
        shares = _solved(gram, right)
        rest = {
            k: normal.get(k, 0)
            - sum((w for w, one in zip(shares, sets, strict=True) if k in one), Fraction(0))
            for k in range(len(self.low))
        }
        duals: dict[Bound, Fraction] = {
            ("row", p): w for p, w in zip(places, shares, strict=True)
        } | {(kind, k): rest[k] if kind == "low" else -rest[k] for k, kind in held.items()}
        return {k: Fraction(z) for k, z in rest.items() if k not in held and z}, duals

    def _normal(self, bound: Bound) -> dict[int, int]:
        kind, place = bound
        if kind == "row":
            return dict.fromkeys(self.rows[place].of, 1)
        return {place: 1 if kind == "low" else -1}

    def _slack(self, bound: Bound) -> Pair:
        kind, place = bound
        if kind == "row":
            row = self.rows[place]
            total = sum((self.point[k][0] for k in row.of), Fraction(0))
            return total, sum((self.point[k][1] for k in row.of), Fraction(0)) - row.least
        m, plain = self.point[place]
        if kind == "low":
            return m, plain - self.low[place]
        return -m, self.high[place] - plain


def _solved(matrix: list[list[Fraction]], right: list[Fraction]) -> list[Fraction]:
    """Solve a regular system; the active rows are independent, which makes it one."""
    rows = [[*row, end] for row, end in zip(matrix, right, strict=True)]
    for place in range(len(rows)):
        pivot = next(k for k in range(place, len(rows)) if rows[k][place])
        rows[place], rows[pivot] = rows[pivot], rows[place]
        head = rows[place][place]
        rows[place] = [one / head for one in rows[place]]
        for k, row in enumerate(rows):
            if k != place and (times := row[place]):
                rows[k] = [a - times * b for a, b in zip(row, rows[place], strict=True)]
    return [row[-1] for row in rows]


def _over(pair: Pair, by: Fraction) -> Pair:
    return pair[0] / by, pair[1] / by


def _plus(pair: Pair, step: Pair, times: Fraction) -> Pair:
    return pair[0] + step[0] * times, pair[1] + step[1] * times
