"""Comparing two fingerprints: the best line of matching codes through time (pure).

A pair of codes at distance d speaks for a copy by clip((0.34 - d) / 0.12, -1, 1), weighted by how
new the listed frame is against the one before it (a still picture repeats one piece of evidence).
Kadane's sum finds the best stretch along a line of slope 0.9 to 1.1 (4 % is film run at 25 instead
of 24 pictures). What the same camera in the same place can raise without any copying is capped;
what it cannot, that the picture moves alike and changes alike at the same instants, is added.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from listings.masters import voting
from listings.masters.fingerprint import PHASES, RATE, STATIC_BYTES, Luma
from listings.masters.voting import (
    EVEN,
    SPREAD,
    STATIC_BITS,
    TURNS,
    Floats,
    Indices,
    Line,
    distance,
)

NEW, LEAST_WEIGHT = 0.06, 0.08  # a frame that changed by 6 % of its bits counts fully
# Weights and thresholds are set from the curves in tests/benchmarks/data/robust_scores.csv: the
# highest score between works that show the same place, filmed by the same camera, was 16.1.
MOST_EVIDENCE, MOTION_WEIGHT, CHANGE_WEIGHT = 8.0, 20.0, 4.0
UNUSUAL, UNUSUAL_COST = 0.05, 1.0  # speeds beyond 5 % are rare, and each is one more chance
SURE, DOUBTFUL = 17.0, 14.0
WHOLLY = 13  # motion of less than 2.6 seconds counts in proportion: codes agree by chance
MOST_STRETCHES = 48
STEPS = 8  # of making a slope more exact

Shifts = Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Alignment:
    """The best stretch: its score, where it lies in both clips (codes), and how it was seen.

    `evidence` is the weighted sum along the stretch, `motion` and `change` the correlation of
    motion and of change in -1..1, `distance` the mean share of differing bits; `phase` is the half
    code after `here` at which it starts; `there` = slope x here + offset.
    """

    evidence: float
    motion: float
    change: float
    distance: float
    here: int
    phase: int
    there: int
    length: int
    slope: float
    window: int
    mirrored: bool
    upended: bool

    @property
    def score(self) -> float:
        """Evidence, which the same scene alone can raise without end, motion and change."""
        wholly = min(1.0, self.length / WHOLLY)
        score = min(self.evidence, MOST_EVIDENCE)
        score += (MOTION_WEIGHT * self.motion + CHANGE_WEIGHT * self.change) * wholly
        return score - UNUSUAL_COST * (abs(self.slope - 1) > UNUSUAL)

    @property
    def here_ms(self) -> int:
        """Where it starts in the clip in question."""
        return (self.here * PHASES + self.phase) * 1000 // (RATE * PHASES)

    @property
    def there_ms(self) -> int:
        """Where it starts in the listed clip."""
        return self.there * 1000 // RATE

    @property
    def length_ms(self) -> int:
        """How long it is in the clip in question."""
        return self.length * 1000 // RATE


def align(query: Luma, listed: Luma, *, near: Shifts = ()) -> Alignment | None:
    """Return the best alignment of a clip with a listed one, or None when either has no codes.

    Args:
        query: uint8, shape (frames, windows, 40): ten times a second, through every window.
        listed: uint8, shape (frames, 40): the stored codes of the listed clip.
        near: (slope, offset in codes) of lines; when given, others are not looked at.
    """
    found = stretches(query, listed, near=near, most=1, least=-np.inf)
    return found[0] if found else None


def stretches(
    query: Luma,
    listed: Luma,
    *,
    near: Shifts = (),
    most: int = MOST_STRETCHES,
    least: float = DOUBTFUL,
) -> list[Alignment]:
    """Return the stretches of a clip that are found in a listed one, the best first.

    No instant of the clip in question is in two of them.
    """
    if not len(query) or not len(listed):
        return []
    pair = _Pair(query, listed)
    votes = (
        voting.votes_near(query, listed, near) if near else voting.votes(query, listed, pair.weight)
    )
    found: list[Alignment] = []
    while len(found) < most:
        lines = votes.lines(pair.free)
        best = max(filter(None, map(pair.along, lines)), key=_order, default=None)
        best = best and pair.refined(best)
        if best is None or best.score < least:
            break
        found.append(best)
        pair.take(best)
    return found


def novelty(codes: Luma) -> Floats:
    """Return each frame's weight, 0.08..1: how much it differs from the one before.

    A flat frame (black, a fade) has no signs and no weight.
    """
    if len(codes) < 2:
        return np.ones(len(codes))
    change = distance(codes[1:, :STATIC_BYTES], codes[:-1, :STATIC_BYTES]) / STATIC_BITS
    weight = np.clip(np.concatenate([change[:1], change]) / NEW, LEAST_WEIGHT, 1.0)
    return np.where(codes[:, :STATIC_BYTES].any(axis=1), weight, 0.0)


def _order(found: Alignment) -> tuple[float, float]:
    """Order by score; over a short stretch other speeds are as good as the usual one."""
    return round(found.score, 2), -abs(found.slope - 1)


class _Pair:
    """Two clips, and which instants of the one in question are not spoken for yet."""

    def __init__(self, query: Luma, listed: Luma) -> None:
        self.query = query
        self.turned = [listed ^ turn for turn in TURNS]
        self.moving: npt.NDArray[np.bool_] = (listed[:, STATIC_BYTES:] != 0).any(axis=1)
        self.weight = novelty(listed)
        self.free = np.ones(len(query), np.bool_)

    def take(self, found: Alignment) -> None:
        first = found.here * PHASES + found.phase
        self.free[max(first - 1, 0) : first + found.length * PHASES] = False

    def along(self, line: Line) -> Alignment | None:
        """Return the best stretch along one line."""
        seen = [self._phase(line, phase) for phase in range(PHASES)]
        return max(filter(None, seen), key=lambda best: best.evidence, default=None)

    def refined(self, found: Alignment) -> Alignment:
        """Return the stretch with a slope as exact as its length allows; longer, if that helps."""
        for _ in range(STEPS):
            middle = found.length / 2
            step = 1.0 / max(found.length, RATE)
            at, place = found.here + found.phase / 2 + middle, found.there + found.slope * middle
            turn = found.mirrored + 2 * found.upended
            tried = [
                self.along(Line(slope, place - slope * at, found.window, turn))
                for slope in (found.slope - step, found.slope + step)
            ]
            better = max(filter(None, tried), key=lambda one: one.evidence, default=found)
            if better.evidence <= found.evidence or better.score < found.score:
                break
            found = better
        return found

    def _phase(self, line: Line, phase: int) -> Alignment | None:
        seen, free = self.query[phase::PHASES, line.window], self.free[phase::PHASES]
        here = np.arange(len(seen))
        there = np.rint(line.slope * (here + phase / PHASES) + line.offset).astype(np.intp)
        inside = (there >= 0) & (there < len(self.weight))
        here, there = here[inside], there[inside]
        if not len(here):
            return None
        listed = self.turned[line.turn]
        apart = distance(seen[here, :STATIC_BYTES], listed[there, :STATIC_BYTES]) / STATIC_BITS
        gain = np.clip((EVEN - apart) / SPREAD, -1, 1) * self.weight[there]
        first, after, evidence = _kadane(np.where(free[here], gain, -np.inf))
        if after == first:
            return None
        ours, theirs = seen[here[first:after]], there[first:after]
        return Alignment(
            evidence=evidence,
            motion=self._motion(ours, listed[theirs], theirs),
            change=_change(ours[:, :STATIC_BYTES], listed[theirs, :STATIC_BYTES]),
            distance=float(apart[first:after].mean()),
            here=int(here[first]),
            phase=phase,
            there=int(there[first]),
            length=after - first,
            slope=line.slope,
            window=line.window,
            mirrored=bool(line.turn & 1),
            upended=bool(line.turn & 2),
        )

    def _motion(self, ours: Luma, theirs: Luma, places: Indices) -> float:
        """Return how alike the motion is, -1..1: the correlation of its signs.

        A picture that hardly moves has hardly any signs; those that are nothing on both sides say
        nothing, which a count of equal bits would miss.
        """
        if not np.any(self.moving[places]):
            return 0.0
        one, other = (np.unpackbits(codes[:, STATIC_BYTES:]) for codes in (ours, theirs))
        return _correlation(one - one.mean(), other - other.mean())


def _change(ours: Luma, theirs: Luma) -> float:
    """Return how alike the pictures change over the stretch, -1..1; 0 where one stands still."""
    one, other = (np.unpackbits(codes, axis=1).astype(np.float32) for codes in (ours, theirs))
    return _correlation(one - one.mean(axis=0), other - other.mean(axis=0))


def _correlation(one: npt.NDArray[np.floating], other: npt.NDArray[np.floating]) -> float:
    spread = float(np.sqrt((one * one).sum() * (other * other).sum()))
    return float((one * other).sum()) / spread if spread > 1e-3 else 0.0


def _kadane(gain: Floats) -> tuple[int, int, float]:
    """Return (first, after, sum) of the stretch with the largest sum; empty if all is forbidden."""
    best, first, after = -np.inf, 0, 0
    allowed: npt.NDArray[np.bool_] = np.isfinite(gain)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], allowed, [False]])))
    for start, end in zip(edges[::2], edges[1::2], strict=True):
        total = np.concatenate([[0.0], np.cumsum(gain[start:end])])
        lowest = np.minimum.accumulate(total[:-1])
        last = int(np.argmax(total[1:] - lowest)) + 1
        begin = int(np.argmin(total[:last]))
        if total[last] - total[begin] > best:
            best, first, after = float(total[last] - total[begin]), start + begin, start + last
    return int(first), int(after), best
